/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_128.h - loads and stores of the backends with 128-bit registers. A register holds the
 * same word of four blocks, or one row of one block. Only these backends include this file, after
 * they have defined transpose4(), load_words() and write_words().
 */
#ifndef WGXDP_AEAD_LANES_128_H
#define WGXDP_AEAD_LANES_128_H

#include "crypto/aead_lanes_blocks.h"

/* How many groups of LANES ChaCha20 blocks are computed together. One group fills the registers.
 * With two groups, a block would cost 20 % more instructions on arm64. */
#define INTERLEAVED 1

/* Loads the keys of all lanes: @x[i] gets word i of each key. */
static INLINE void load_keys(v32 x[8], const uint8_t *const *key)
{
	for (int half = 0; half < 2; half++) {
		for (int i = 0; i < 4; i++)
			x[4 * half + i] = load_words(key[i] + 16 * half);
		transpose4(x + 4 * half);
	}
}

/* Writes the output of all lanes: 64 bytes at dst[l] := 64 bytes at src[l] ^ lane l of @x. */
static INLINE void write_lanes(uint8_t *const *dst, const uint8_t *const *src, const v32 x[16])
{
	for (int quarter = 0; quarter < 4; quarter++) {
		v32 r[4];

		for (int i = 0; i < 4; i++)
			r[i] = x[4 * quarter + i];
		transpose4(r);
		for (int i = 0; i < 4; i++)
			write_words(dst[i] + 16 * quarter, src[i] + 16 * quarter, r[i]);
	}
}

/* Loads the state of the block in @slot: @x[i] gets row i. */
static INLINE void load_rows(v32 x[4], const struct blocks *b, int slot)
{
	x[0] = *(const v32 *)sigma;
	x[1] = load_words(b->key[slot]);
	x[2] = load_words(b->key[slot] + 16);
	x[3] = (v32){ b->number[slot], 0, b->low[slot], b->high[slot] };
}

static INLINE void write_rows(const struct blocks *b, int slot, const v32 x[4])
{
	for (int i = 0; i < 4; i++)
		write_words(b->dst[slot] + 16 * i, b->src[slot] + 16 * i, x[i]);
}

/* BLOCK_LEN bytes at @dst := @src ^ @stream. */
static INLINE void xor_block(uint8_t *dst, const uint8_t *src, const uint8_t *stream)
{
	for (int i = 0; i < BLOCK_LEN; i += 16)
		write_words(dst + i, src + i, load_words(stream + i));
}

#endif
