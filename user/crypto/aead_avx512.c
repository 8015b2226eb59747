/* SPDX-License-Identifier: MIT */
/*
 * aead_avx512.c - the AEAD in 512-bit registers: 16 ChaCha20 blocks or 8 Poly1305 packets at a
 * time.
 *
 * This backend is for CPUs without IFMA. aead_avx512ifma.c has a faster Poly1305.
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
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl")
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

#include "crypto/aead_zmm.h"

#include "crypto/aead_lanes_256.h"

#include "crypto/aead_lanes_chacha.h"
#include "crypto/aead_lanes_poly.h"

#include "crypto/aead_lanes_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

const struct aead_backend aead_avx512 = {
	.name = "avx512",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
