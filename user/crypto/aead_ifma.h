/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma.h - all that the backends avx512ifma and avx512ifma256 share: ChaCha20 and the code for
 * batches, as in aead_avx512.c, and a Poly1305 that multiplies 52 bits at a time (IFMA). Only these
 * two include this file, after they have defined IFMA_REGISTERS as the header with the Poly1305
 * operations for their width: aead_ifma_zmm.h or aead_ifma_ymm.h.
 */
#ifndef WGXDP_AEAD_IFMA_H
#define WGXDP_AEAD_IFMA_H

#include <immintrin.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_poly_scalar.h"
#include "crypto/ct.h"
#include "crypto/wipe.h"

/* The compiler must unroll the short loops over words and limbs, so that the arrays stay in
 * registers. clang unrolls these loops at -O2, gcc only at -O3. */
#if defined(__clang__)
#pragma clang attribute push(                                                                      \
	__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,bmi2"))),             \
	apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,bmi2")
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

#include "crypto/aead_zmm.h"

#include "crypto/aead_lanes_256.h"

#include IFMA_REGISTERS

#include "crypto/aead_ifma_poly.h"
#include "crypto/aead_lanes_chacha.h"

#include "crypto/aead_lanes_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* Checks every feature that the target above names. The target names AVX512DQ because gcc 12 emits
 * AVX512DQ instructions here even if the target does not allow them. */
static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("bmi2");
}

#endif
