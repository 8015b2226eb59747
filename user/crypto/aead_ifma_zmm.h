/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma_zmm.h - the operations that aead_ifma_poly.h needs, in 512-bit registers. A register
 * holds the same word or limb of eight packets. Only the backend avx512ifma includes this file.
 */
#ifndef WGXDP_AEAD_IFMA_ZMM_H
#define WGXDP_AEAD_IFMA_ZMM_H

#define POLY_LANES 8	   /* packets at a time */
#define MIN_PACKETS 4	   /* with fewer packets, mac_one() is faster than mac_parallel() */
#define DEAL_MIN_BLOCKS 56 /* with fewer blocks, scalar code is faster than mac_dealt() */

typedef uint64_t p64 __attribute__((vector_size(8 * POLY_LANES)));

/* Adds the low 52 bits of @a * @b to @sum, in each lane. */
static INLINE p64 madd_low(p64 sum, p64 a, p64 b)
{
	return (p64)_mm512_madd52lo_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

/* Adds the high 52 bits of @a * @b to @sum, in each lane. */
static INLINE p64 madd_high(p64 sum, p64 a, p64 b)
{
	return (p64)_mm512_madd52hi_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

/* Transposes an 8 x 8 matrix of 64-bit words: @word[w] gets word w of each row. */
static INLINE void transpose64(p64 word[8], const __m512i row[8])
{
	__m512i t[8], u[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
	}
	/* t[2i + j] now holds the words j, 2 + j, 4 + j and 6 + j of row 2i, and after each of them
	 * the same word of row 2i + 1. */
	for (int j = 0; j < 2; j++) {
		for (int i = 0; i < 2; i++) {
			u[4 * j + i] = _mm512_shuffle_i64x2(t[4 * i + j], t[4 * i + 2 + j], 0x88);
			u[4 * j + 2 + i] =
				_mm512_shuffle_i64x2(t[4 * i + j], t[4 * i + 2 + j], 0xdd);
		}
		word[j] = (p64)_mm512_shuffle_i64x2(u[4 * j], u[4 * j + 1], 0x88);
		word[4 + j] = (p64)_mm512_shuffle_i64x2(u[4 * j], u[4 * j + 1], 0xdd);
		word[2 + j] = (p64)_mm512_shuffle_i64x2(u[4 * j + 2], u[4 * j + 3], 0x88);
		word[6 + j] = (p64)_mm512_shuffle_i64x2(u[4 * j + 2], u[4 * j + 3], 0xdd);
	}
}

/* Loads 64 bytes at @offset from each address in @at: @word[w] gets word w of each lane. */
static INLINE void load_words(p64 word[8], const uint8_t *const at[POLY_LANES], size_t offset)
{
	__m512i row[8];

	for (int l = 0; l < POLY_LANES; l++)
		row[l] = _mm512_loadu_si512(at[l] + offset);
	transpose64(word, row);
}

/* Like load_words() with offset 0, but reads byte i of lane l only if bit i of @mask[l] is set. A
 * byte that is not read becomes zero. */
static INLINE void load_masked_words(p64 word[8], const uint8_t *const at[POLY_LANES],
				     const uint64_t mask[POLY_LANES])
{
	__m512i row[8];

	for (int l = 0; l < POLY_LANES; l++)
		row[l] = _mm512_maskz_loadu_epi8(mask[l], at[l]);
	transpose64(word, row);
}

/* Loads 32 bytes from each address in @at: @word[w] gets word w of each lane. */
static INLINE void load_key_words(p64 word[4], const uint8_t *const at[POLY_LANES])
{
	__m512i row[8];
	p64 words[8];

	for (int l = 0; l < POLY_LANES; l++)
		row[l] = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)at[l]));
	transpose64(words, row);
	for (int i = 0; i < 4; i++)
		word[i] = words[i];
}

#endif
