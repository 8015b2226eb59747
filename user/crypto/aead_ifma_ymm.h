/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma_ymm.h - the operations that aead_ifma_poly.h needs, in 256-bit registers. A register
 * holds the same word or limb of four packets. Only the backend avx512ifma256 includes this file.
 */
#ifndef WGXDP_AEAD_IFMA_YMM_H
#define WGXDP_AEAD_IFMA_YMM_H

#define POLY_LANES 4	   /* packets at a time */
#define MIN_PACKETS 2	   /* with fewer packets, mac_one() is faster than mac_parallel() */
#define DEAL_MIN_BLOCKS 24 /* with fewer blocks, scalar code is faster than mac_dealt() */

typedef uint64_t p64 __attribute__((vector_size(8 * POLY_LANES)));

/* Adds the low 52 bits of @a * @b to @sum, in each lane. */
static INLINE p64 madd_low(p64 sum, p64 a, p64 b)
{
	return (p64)_mm256_madd52lo_epu64((__m256i)sum, (__m256i)a, (__m256i)b);
}

/* Adds the high 52 bits of @a * @b to @sum, in each lane. */
static INLINE p64 madd_high(p64 sum, p64 a, p64 b)
{
	return (p64)_mm256_madd52hi_epu64((__m256i)sum, (__m256i)a, (__m256i)b);
}

/* Transposes a 4 x 4 matrix of 64-bit words: @word[w] gets word w of each row. */
static INLINE void transpose64(p64 word[4], const __m256i row[4])
{
	__m256i t[4];

	for (int i = 0; i < 4; i += 2) {
		t[i] = _mm256_unpacklo_epi64(row[i], row[i + 1]);
		t[i + 1] = _mm256_unpackhi_epi64(row[i], row[i + 1]);
	}
	for (int i = 0; i < 2; i++) {
		word[i] = (p64)_mm256_permute2x128_si256(t[i], t[2 + i], 0x20);
		word[2 + i] = (p64)_mm256_permute2x128_si256(t[i], t[2 + i], 0x31);
	}
}

/* Loads 64 bytes at @offset from each address in @at: @word[w] gets word w of each lane. */
static INLINE void load_words(p64 word[8], const uint8_t *const at[POLY_LANES], size_t offset)
{
	for (int half = 0; half < 2; half++) {
		__m256i row[4];

		for (int l = 0; l < POLY_LANES; l++)
			row[l] = _mm256_loadu_si256((const __m256i *)(at[l] + offset) + half);
		transpose64(word + 4 * half, row);
	}
}

/* Like load_words() with offset 0, but reads byte i of lane l only if bit i of @mask[l] is set. A
 * byte that is not read becomes zero. */
static INLINE void load_masked_words(p64 word[8], const uint8_t *const at[POLY_LANES],
				     const uint64_t mask[POLY_LANES])
{
	for (int half = 0; half < 2; half++) {
		__m256i row[4];

		for (int l = 0; l < POLY_LANES; l++)
			row[l] = _mm256_maskz_loadu_epi8(
				(__mmask32)(mask[l] >> 32 * half),
				(const void *)((uintptr_t)at[l] + 32 * half));
		transpose64(word + 4 * half, row);
	}
}

/* Loads 32 bytes from each address in @at: @word[w] gets word w of each lane. */
static INLINE void load_key_words(p64 word[4], const uint8_t *const at[POLY_LANES])
{
	__m256i row[4];

	for (int l = 0; l < POLY_LANES; l++)
		row[l] = _mm256_loadu_si256((const __m256i *)at[l]);
	transpose64(word, row);
}

#endif
