/* SPDX-License-Identifier: MIT */
/*
 * aead_avx512ifma256.c - the AEAD with ChaCha20 in 512-bit registers, and with a Poly1305 that
 * multiplies 52 bits at a time (IFMA) in 256-bit registers.
 *
 * On Ice Lake servers IFMA in 512-bit registers lowers the clock of the core; in 256-bit registers
 * it does not. docs/aead.md
 */
#if defined(__x86_64__)

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

#include "crypto/aead_ifma_ymm.h"

#include "crypto/aead_ifma_poly.h"
#include "crypto/aead_lanes_chacha.h"

#include "crypto/aead_lanes_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("bmi2");
}

const struct aead_backend aead_avx512ifma256 = {
	.name = "avx512ifma256",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
