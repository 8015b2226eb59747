/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_chacha.h - ChaCha20, LANES blocks side by side. Included by a backend's file only.
 *
 *                 lane 0      lane 1      lane 2   ...
 *         x[0]    word 0      word 0      word 0        Each lane is one block of RFC 8439 2.3, of
 *         x[1]    word 1      word 1      word 1        any packet: its own key, counter and nonce.
 *         ...                                           The rounds need no shuffle between lanes;
 *         x[15]   word 15     word 15     word 15       the way in and out is a transposition.
 *
 * A round is one long chain of dependent steps, and a lane group of it leaves half of the units
 * idle; so two groups run at a time.
 */
#ifndef WGXDP_AEAD_LANES_CHACHA_H
#define WGXDP_AEAD_LANES_CHACHA_H

#define BLOCK_LEN 64
#define GROUPS 2
#define SLOTS (GROUPS * LANES)

/* What goes into the lanes of all groups: the state's words 4-11 are the key, 12 is the number of
 * the block, 13 is zero and 14, 15 are the packet's counter, low word first. [W] 5.4.6 */
struct blocks {
	const uint8_t *key[SLOTS];
	alignas(64) uint32_t number[SLOTS];
	alignas(64) uint32_t low[SLOTS];
	alignas(64) uint32_t high[SLOTS];
};

static INLINE v32 rotl(v32 x, int n)
{
	return x << n | x >> (32 - n);
}

/* Four quarter rounds, step by step so that each has three others to wait behind: down the columns
 * for @k = 0, down the diagonals for 1. RFC 8439 2.3 */
static INLINE void half_round(v32 x[16], int k)
{
	for (int i = 0; i < 4; i++) {
		x[i] += x[4 + (i + k) % 4];
		x[12 + (i + 3 * k) % 4] = rotl16(x[12 + (i + 3 * k) % 4] ^ x[i]);
	}
	for (int i = 0; i < 4; i++) {
		x[8 + (i + 2 * k) % 4] += x[12 + (i + 3 * k) % 4];
		x[4 + (i + k) % 4] = rotl(x[4 + (i + k) % 4] ^ x[8 + (i + 2 * k) % 4], 12);
	}
	for (int i = 0; i < 4; i++) {
		x[i] += x[4 + (i + k) % 4];
		x[12 + (i + 3 * k) % 4] = rotl8(x[12 + (i + 3 * k) % 4] ^ x[i]);
	}
	for (int i = 0; i < 4; i++) {
		x[8 + (i + 2 * k) % 4] += x[12 + (i + 3 * k) % 4];
		x[4 + (i + k) % 4] = rotl(x[4 + (i + k) % 4] ^ x[8 + (i + 2 * k) % 4], 7);
	}
}

/* An 8 x 8 matrix of words: row i becomes column i. */
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

static INLINE void load_state(v32 x[16], const struct blocks *b, int first_slot)
{
	static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };
	__m256i rows[LANES / 8][8], word[LANES / 8];

	for (int l = 0; l < LANES; l++)
		rows[l / 8][l % 8] = _mm256_loadu_si256((const __m256i *)b->key[first_slot + l]);
	for (int p = 0; p < LANES / 8; p++)
		transpose8(rows[p]);
	for (int i = 0; i < 8; i++) {
		for (int p = 0; p < LANES / 8; p++)
			word[p] = rows[p][i];
		x[4 + i] = join(word);
	}
	for (int i = 0; i < 4; i++)
		x[i] = (v32){ 0 } + sigma[i];
	x[12] = *(const v32 *)(b->number + first_slot);
	x[13] = (v32){ 0 };
	x[14] = *(const v32 *)(b->low + first_slot);
	x[15] = *(const v32 *)(b->high + first_slot);
}

/* Row l of @out := lane l of @x. */
static INLINE void store_state(uint8_t out[LANES][BLOCK_LEN], const v32 x[16])
{
	__m256i rows[8];

	for (int p = 0; p < LANES / 8; p++) {
		for (int w = 0; w < 16; w += 8) {
			for (int i = 0; i < 8; i++)
				rows[i] = part(x[w + i], p);
			transpose8(rows);
			for (int i = 0; i < 8; i++)
				_mm256_store_si256((__m256i *)(out[8 * p + i] + 4 * w), rows[i]);
		}
	}
}

static INLINE void compute(uint8_t (*out)[BLOCK_LEN], const struct blocks *b, int groups)
{
	v32 x[GROUPS][16], first[GROUPS][16];

	for (int g = 0; g < groups; g++) {
		load_state(first[g], b, g * LANES);
		for (int i = 0; i < 16; i++)
			x[g][i] = first[g][i];
	}
	for (int i = 0; i < 10; i++) {
		for (int g = 0; g < groups; g++)
			half_round(x[g], 0);
		for (int g = 0; g < groups; g++)
			half_round(x[g], 1);
	}
	for (int g = 0; g < groups; g++) {
		for (int i = 0; i < 16; i++)
			x[g][i] += first[g][i];
		store_state(out + g * LANES, x[g]);
	}
}

/* @out[i] := the keystream of the block in slot i, for the first @used. RFC 8439 2.3 */
static void keystream(uint8_t out[SLOTS][BLOCK_LEN], const struct blocks *b, size_t used)
{
	if (used <= LANES)
		compute(out, b, 1);
	else
		compute(out, b, GROUPS);
}

#endif
