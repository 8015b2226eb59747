/* SPDX-License-Identifier: MIT */
/*
 * aead_avx2.c - the AEAD in 256-bit registers: 8 ChaCha20 blocks or 4 Poly1305 packets at a time.
 *
 * This file holds the operations that differ between register widths. The algorithms are in
 * aead_lanes_*.h, which the other SIMD backends compile, too, for their own widths. docs/aead.md
 * draws the lanes.
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

/* Rotate the four words of each 128-bit part to the left by one, two or three words. */
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

/* Transposes an 8 x 8 matrix of 32-bit words. */
static INLINE void transpose8(__m256i r[8])
{
	__m256i t[8], u[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm256_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi32(r[i], r[i + 1]);
	}
	for (int i = 0; i < 8; i += 4) {
		u[i] = _mm256_unpacklo_epi64(t[i], t[i + 2]);
		u[i + 1] = _mm256_unpackhi_epi64(t[i], t[i + 2]);
		u[i + 2] = _mm256_unpacklo_epi64(t[i + 1], t[i + 3]);
		u[i + 3] = _mm256_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	for (int i = 0; i < 4; i++) {
		r[i] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x20);
		r[i + 4] = _mm256_permute2x128_si256(u[i], u[i + 4], 0x31);
	}
}

/* Loads the keys of all lanes: @x[i] gets word i of each key. */
static INLINE void load_keys(v32 x[8], const uint8_t *const *key)
{
	__m256i r[8];

	for (int i = 0; i < 8; i++)
		r[i] = _mm256_loadu_si256((const __m256i *)key[i]);
	transpose8(r);
	for (int i = 0; i < 8; i++)
		x[i] = (v32)r[i];
}

/* Writes the output of all lanes: 64 bytes at dst[l] := 64 bytes at src[l] ^ lane l of @x. */
static INLINE void write_lanes(uint8_t *const *dst, const uint8_t *const *src, const v32 x[16])
{
	for (int half = 0; half < 2; half++) {
		__m256i r[8];

		for (int i = 0; i < 8; i++)
			r[i] = (__m256i)x[8 * half + i];
		transpose8(r);
		for (int i = 0; i < 8; i++) {
			__m256i in = _mm256_loadu_si256((const __m256i *)src[i] + half);

			_mm256_storeu_si256((__m256i *)dst[i] + half, _mm256_xor_si256(in, r[i]));
		}
	}
}

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
	return __builtin_cpu_supports("avx2");
}

const struct aead_backend aead_avx2 = {
	.name = "avx2",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
