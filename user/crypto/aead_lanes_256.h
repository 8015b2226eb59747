/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_256.h - loads and stores registers of 256 or 512 bits in parts of 256 bits. Only the
 * backends with such registers include this file, after they have defined join() and part().
 */
#ifndef WGXDP_AEAD_LANES_256_H
#define WGXDP_AEAD_LANES_256_H

#include "crypto/aead_lanes_blocks.h"

#define INTERLEAVED GROUPS /* how many groups of LANES blocks are computed together */

static INLINE v32 rotl12(v32 x)
{
	return x << 12 | x >> 20;
}

static INLINE v32 rotl7(v32 x)
{
	return x << 7 | x >> 25;
}

/* Writes 32 bytes of output of @slot, from byte @at on: dst := src ^ @stream. */
static INLINE void write_half(const struct blocks *b, int slot, int at, __m256i stream)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)(b->src[slot] + at));

	_mm256_storeu_si256((__m256i *)(b->dst[slot] + at), _mm256_xor_si256(x, stream));
}

static INLINE __m128i load_row(const struct blocks *b, int row, int slot)
{
	switch (row) {
	case 0:
		return _mm_loadu_si128((const __m128i *)sigma);
	case 1:
	case 2:
		return _mm_loadu_si128((const __m128i *)(b->key[slot] + 16 * (row - 1)));
	default:
		return _mm_setr_epi32((int)b->number[slot], 0, (int)b->low[slot],
				      (int)b->high[slot]);
	}
}

/* Loads the states of ROW_BLOCKS blocks, from @first_slot on: @x[i] gets row i of each state. */
static INLINE void load_rows(v32 x[4], const struct blocks *b, int first_slot)
{
	for (int i = 0; i < 4; i++) {
		__m256i both[LANES / 8];

		for (int p = 0; p < LANES / 8; p++) {
			__m128i even = load_row(b, i, first_slot + 2 * p);
			__m128i odd = load_row(b, i, first_slot + 2 * p + 1);

			both[p] = _mm256_inserti128_si256(_mm256_castsi128_si256(even), odd, 1);
		}
		x[i] = join(both);
	}
}

/* Writes the output of ROW_BLOCKS blocks, from @first_slot on. */
static INLINE void write_rows(const struct blocks *b, int first_slot, const v32 x[4])
{
	for (int p = 0; p < LANES / 8; p++) {
		for (int i = 0; i < 4; i += 2) {
			__m256i upper = part(x[i], p), lower = part(x[i + 1], p);

			write_half(b, first_slot + 2 * p, 16 * i,
				   _mm256_permute2x128_si256(upper, lower, 0x20));
			write_half(b, first_slot + 2 * p + 1, 16 * i,
				   _mm256_permute2x128_si256(upper, lower, 0x31));
		}
	}
}

/* Loads two 16-byte blocks at @offset from each address in @at, and splits each block into 64-bit
 * halves. low[0] and high[0] get the halves of the first blocks, low[1] and high[1] those of the
 * second blocks. */
static INLINE void load2(v64 low[2], v64 high[2], const uint8_t *const at[LANES / 2], size_t offset)
{
	__m256i low1[LANES / 8], high1[LANES / 8], low2[LANES / 8], high2[LANES / 8];

	for (int p = 0; p < LANES / 8; p++) {
		__m256i a[4], t[4];

		for (int i = 0; i < 4; i++)
			a[i] = _mm256_loadu_si256((const __m256i *)(at[4 * p + i] + offset));
		t[0] = _mm256_unpacklo_epi64(a[0], a[1]);
		t[1] = _mm256_unpackhi_epi64(a[0], a[1]);
		t[2] = _mm256_unpacklo_epi64(a[2], a[3]);
		t[3] = _mm256_unpackhi_epi64(a[2], a[3]);
		low1[p] = _mm256_permute2x128_si256(t[0], t[2], 0x20);
		high1[p] = _mm256_permute2x128_si256(t[1], t[3], 0x20);
		low2[p] = _mm256_permute2x128_si256(t[0], t[2], 0x31);
		high2[p] = _mm256_permute2x128_si256(t[1], t[3], 0x31);
	}
	low[0] = (v64)join(low1);
	high[0] = (v64)join(high1);
	low[1] = (v64)join(low2);
	high[1] = (v64)join(high2);
}

/* Loads one 16-byte block at @offset from each address in @at: the low 64 bits into @low, the high
 * 64 bits into @high. */
static INLINE void load1(v64 *low, v64 *high, const uint8_t *const at[LANES / 2], size_t offset)
{
	__m256i lows[LANES / 8], highs[LANES / 8];

	for (int p = 0; p < LANES / 8; p++) {
		__m128i a[4];
		__m256i even, odd;

		for (int i = 0; i < 4; i++)
			a[i] = _mm_loadu_si128((const __m128i *)(at[4 * p + i] + offset));
		even = _mm256_inserti128_si256(_mm256_castsi128_si256(a[0]), a[2], 1);
		odd = _mm256_inserti128_si256(_mm256_castsi128_si256(a[1]), a[3], 1);
		lows[p] = _mm256_unpacklo_epi64(even, odd);
		highs[p] = _mm256_unpackhi_epi64(even, odd);
	}
	*low = (v64)join(lows);
	*high = (v64)join(highs);
}

/* BLOCK_LEN bytes at @dst := @src ^ @stream. @stream is aligned to 32 bytes. */
static INLINE void xor_block(uint8_t *dst, const uint8_t *src, const uint8_t *stream)
{
	for (int i = 0; i < BLOCK_LEN; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(src + i));

		x = _mm256_xor_si256(x, _mm256_load_si256((const __m256i *)(stream + i)));
		_mm256_storeu_si256((__m256i *)(dst + i), x);
	}
}

#endif
