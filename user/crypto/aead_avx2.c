/* SPDX-License-Identifier: MIT */
/*
 * aead_avx2.c - the AEAD in 256-bit registers: 8 ChaCha20 blocks or 4 Poly1305 packets at a time.
 *
 * This file holds the operations that differ between register widths. The algorithms are in
 * aead_lanes_*.h, which aead_avx512.c compiles for its own width. docs/aead.md draws the lanes.
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

/* The compiler must unroll the short loops over words and limbs, because only then do the arrays
 * live in registers. clang unrolls them at -O2, gcc only at -O3. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

#define LANES 8
#define INLINE inline __attribute__((always_inline))

typedef uint32_t v32 __attribute__((vector_size(4 * LANES)));
typedef uint64_t v64 __attribute__((vector_size(4 * LANES)));

/* Multiplies the low 32 bits of each 64-bit lane. */
static INLINE v64 mul32(v64 a, v64 b)
{
	return (v64)_mm256_mul_epu32((__m256i)a, (__m256i)b);
}

/* A rotation by whole bytes is one shuffle; any other rotation is two shifts and an OR. */
static INLINE v32 rotl16(v32 x)
{
	const __m256i order =
		_mm256_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13, 2, 3, 0, 1,
				 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);

	return (v32)_mm256_shuffle_epi8((__m256i)x, order);
}

static INLINE v32 rotl8(v32 x)
{
	const __m256i order =
		_mm256_setr_epi8(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14, 3, 0, 1, 2,
				 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14);

	return (v32)_mm256_shuffle_epi8((__m256i)x, order);
}

/* Rotate the four words of each 128 bits to the left by one, two or three words. */
static INLINE v32 turn1(v32 x)
{
	return (v32)_mm256_shuffle_epi32((__m256i)x, 0x39);
}

static INLINE v32 turn2(v32 x)
{
	return (v32)_mm256_shuffle_epi32((__m256i)x, 0x4e);
}

static INLINE v32 turn3(v32 x)
{
	return (v32)_mm256_shuffle_epi32((__m256i)x, 0x93);
}

static INLINE void clear_registers(void)
{
	_mm256_zeroall();
}

/* Makes a register from its 256-bit parts. This width has only one part. */
static INLINE v32 join(const __m256i part[static LANES / 8])
{
	return (v32)part[0];
}

static INLINE __m256i part(v32 x, int i)
{
	(void)i;
	return (__m256i)x;
}

#include "crypto/aead_lanes_batch.h"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return __builtin_cpu_supports("avx2");
}

const struct aead_backend aead_avx2 = {
	.name = "avx2",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
