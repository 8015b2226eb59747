/* SPDX-License-Identifier: MIT */
/*
 * aead_sse2.c - the AEAD for CPUs without AVX2: 4 ChaCha20 blocks at a time, in the 128-bit
 * registers that every x86-64 CPU has, and Poly1305 of one packet after the other, in scalar
 * registers.
 *
 * This file holds the operations that differ between register widths. The algorithms are in
 * aead_lanes_*.h, which the other SIMD backends compile, too, for their own widths. docs/aead.md
 * draws the lanes.
 */
#if defined(__x86_64__)

#include <emmintrin.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/aead_poly_scalar.h"
#include "crypto/ct.h"
#include "crypto/wipe.h"

/* The compiler must unroll the short loops over words, because only then do the arrays live in
 * registers. clang unrolls them at -O2, gcc only at -O3. */
#if !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("O3", "no-tree-loop-vectorize", "no-tree-ter")
#endif

#define LANES 4
#define INLINE inline __attribute__((always_inline))

typedef uint32_t v32 __attribute__((vector_size(4 * LANES)));
typedef uint64_t v64 __attribute__((vector_size(4 * LANES)));

/* SSE2 has no rotation. A rotation by 16 bits swaps the halves of each word. */
static INLINE v32 rotl16(v32 x)
{
	return (v32)_mm_shufflehi_epi16(_mm_shufflelo_epi16((__m128i)x, 0xb1), 0xb1);
}

static INLINE v32 rotl8(v32 x)
{
	return x << 8 | x >> 24;
}

static INLINE v32 rotl12(v32 x)
{
	return x << 12 | x >> 20;
}

static INLINE v32 rotl7(v32 x)
{
	return x << 7 | x >> 25;
}

/* Rotate the four words to the left by one, two or three words. */
static INLINE v32 turn1(v32 x)
{
	return (v32)_mm_shuffle_epi32((__m128i)x, 0x39);
}

static INLINE v32 turn2(v32 x)
{
	return (v32)_mm_shuffle_epi32((__m128i)x, 0x4e);
}

static INLINE v32 turn3(v32 x)
{
	return (v32)_mm_shuffle_epi32((__m128i)x, 0x93);
}

static INLINE void clear_registers(void)
{
	__asm__ volatile(".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n\t"
			 "pxor %%xmm\\n, %%xmm\\n\n\t"
			 ".endr"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			   "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Transposes a 4 x 4 matrix of 32-bit words. */
static INLINE void transpose4(v32 r[4])
{
	__m128i t[4];

	for (int i = 0; i < 4; i += 2) {
		t[i] = _mm_unpacklo_epi32((__m128i)r[i], (__m128i)r[i + 1]);
		t[i + 1] = _mm_unpackhi_epi32((__m128i)r[i], (__m128i)r[i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		r[2 * i] = (v32)_mm_unpacklo_epi64(t[i], t[i + 2]);
		r[2 * i + 1] = (v32)_mm_unpackhi_epi64(t[i], t[i + 2]);
	}
}

static INLINE v32 load_words(const uint8_t *p)
{
	return (v32)_mm_loadu_si128((const __m128i *)p);
}

static INLINE void write_words(uint8_t *dst, const uint8_t *src, v32 stream)
{
	_mm_storeu_si128((__m128i *)dst,
			 _mm_xor_si128(_mm_loadu_si128((const __m128i *)src), (__m128i)stream));
}

#include "crypto/aead_lanes_128.h"
#include "crypto/aead_lanes_chacha.h"

/* Poly1305 uses scalar code, whose 64-bit multiplications are faster than two lanes of 26-bit limbs
 * would be. */
struct poly {
	struct poly_scalar one;
	bool lanes_used; /* always false */
};

static void mac_one(struct poly *poly, const struct mac *mac)
{
	poly_scalar_init(&poly->one, mac->key);
	poly_scalar_complete(&poly->one, mac, 0);
}

static void mac_many(struct poly *poly, const struct mac *macs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mac_one(poly, &macs[i]);
}

#include "crypto/aead_lanes_batch.h"

#if !defined(__clang__)
#pragma GCC pop_options
#endif

static bool usable(void)
{
	return true; /* SSE2 is part of x86-64 */
}

const struct aead_backend aead_sse2 = {
	.name = "sse2",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

#endif
