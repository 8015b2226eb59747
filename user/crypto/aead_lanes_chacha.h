/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_chacha.h - ChaCha20, LANES blocks at a time. Only backends include this file.
 *
 *                 lane 0      lane 1      lane 2   ...
 *         x[0]    word 0      word 0      word 0        Each lane computes one block (RFC 8439 2.3)
 *         x[1]    word 1      word 1      word 1        of any packet, with its own key, number and
 *         ...                                           nonce. The rounds never mix lanes. Keys
 *         x[15]   word 15     word 15     word 15       and output are transposed.
 *
 * In a round each step depends on the step before it, so one group of LANES blocks leaves half of
 * the execution units idle. Therefore two groups are computed at the same time.
 *
 * A few blocks would leave most lanes idle. They are laid out in rows instead:
 *
 *         x[0]    words 0-3 of block 0   words 0-3 of block 1        A quarter round works on
 *         x[1]    words 4-7              words 4-7                   whole rows. The rows are
 *         x[2]    words 8-11             words 8-11                  rotated before and after
 *         x[3]    words 12-15            words 12-15                 the diagonals.
 */
#ifndef WGXDP_AEAD_LANES_CHACHA_H
#define WGXDP_AEAD_LANES_CHACHA_H

#define BLOCK_LEN 64
#define GROUPS 2
#define SLOTS (GROUPS * LANES)
#define SLOTS_ROOM (SLOTS + LANES) /* set_slots() writes up to LANES slots more than it needs */
#define ROWS (LANES / 4)	   /* blocks of which one register holds a row */
#define ROW_GROUPS 3

/* The blocks to compute, one per lane. Words 4-11 of the state are the key, word 12 is the number
 * of the block, word 13 is zero, and words 14 and 15 are the packet's counter. [W] 5.4.6 */
struct blocks {
	alignas(64) uint32_t number[SLOTS_ROOM];
	alignas(64) uint32_t low[SLOTS_ROOM];  /* half of the counter */
	alignas(64) uint32_t high[SLOTS_ROOM]; /* the other half */
	const uint8_t *key[SLOTS_ROOM];
	const uint8_t *src[SLOTS_ROOM]; /* BLOCK_LEN bytes, XORed with the key stream to dst */
	uint8_t *dst[SLOTS_ROOM];
};

/* 0, 1, 2, ... and multiples of BLOCK_LEN, one for each lane of the widest registers. */
alignas(64) static const uint32_t ordinal[16] = { 0, 1, 2,  3,	4,  5,	6,  7,
						  8, 9, 10, 11, 12, 13, 14, 15 };
alignas(64) static const uint64_t distance[16] = { 0,	64,  128, 192, 256, 320, 384, 448,
						   512, 576, 640, 704, 768, 832, 896, 960 };

static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

static INLINE void store32(uint32_t *to, v32 x)
{
	memcpy(to, &x, sizeof(x));
}

/* Writes LANES values of 64 bits. */
static INLINE void store64(void *to, v64 first, v64 second)
{
	memcpy(to, &first, sizeof(first));
	memcpy((uint8_t *)to + sizeof(first), &second, sizeof(second));
}

/* Sets LANES slots, from @slot on, to consecutive blocks of one packet. */
static INLINE void set_slots(struct blocks *b, size_t slot, const struct aead_job *job,
			     uint32_t number, const uint8_t *src, uint8_t *dst)
{
	const v64 none = { 0 }, first = *(const v64 *)distance;
	const v64 second = *(const v64 *)(distance + LANES / 2);
	const v64 key = none + (uintptr_t)job->key;
	const v32 zero = { 0 };

	store32(b->number + slot, *(const v32 *)ordinal + number);
	store32(b->low + slot, zero + (uint32_t)job->counter);
	store32(b->high + slot, zero + (uint32_t)(job->counter >> 32));
	store64(b->key + slot, key, key);
	store64(b->src + slot, first + (uintptr_t)src, second + (uintptr_t)src);
	store64(b->dst + slot, first + (uintptr_t)dst, second + (uintptr_t)dst);
}

static INLINE v32 rotl(v32 x, int n)
{
	return x << n | x >> (32 - n);
}

/* Four quarter rounds: on the columns for @k = 0, on the diagonals for @k = 1. Each step is done
 * for all four, so that their latencies overlap. RFC 8439 2.3 */
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

static INLINE void load_state(v32 x[16], const struct blocks *b, int first_slot)
{
	load_keys(x + 4, b->key + first_slot);
	for (int i = 0; i < 4; i++)
		x[i] = (v32){ 0 } + sigma[i];
	x[12] = *(const v32 *)(b->number + first_slot);
	x[13] = (v32){ 0 };
	x[14] = *(const v32 *)(b->low + first_slot);
	x[15] = *(const v32 *)(b->high + first_slot);
}

/* Writes 32 bytes of output of @slot, from byte @at on: dst := src ^ @stream. */
static INLINE void write_half(const struct blocks *b, int slot, int at, __m256i stream)
{
	__m256i x = _mm256_loadu_si256((const __m256i *)(b->src[slot] + at));

	_mm256_storeu_si256((__m256i *)(b->dst[slot] + at), _mm256_xor_si256(x, stream));
}

static INLINE void compute_lanes(const struct blocks *b, int groups)
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
		write_lanes(b->dst + g * LANES, b->src + g * LANES, x[g]);
	}
}

/* Four quarter rounds, one for each column of the rows. RFC 8439 2.1 */
static INLINE void row_round(v32 x[4])
{
	x[0] += x[1];
	x[3] = rotl16(x[3] ^ x[0]);
	x[2] += x[3];
	x[1] = rotl(x[1] ^ x[2], 12);
	x[0] += x[1];
	x[3] = rotl8(x[3] ^ x[0]);
	x[2] += x[3];
	x[1] = rotl(x[1] ^ x[2], 7);
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

static INLINE void compute_rows(const struct blocks *b, int first_slot, int groups)
{
	v32 x[ROW_GROUPS][4], first[ROW_GROUPS][4];

	for (int g = 0; g < groups; g++) {
		load_rows(first[g], b, first_slot + g * ROWS);
		for (int i = 0; i < 4; i++)
			x[g][i] = first[g][i];
	}
	for (int i = 0; i < 20; i++) {
		for (int g = 0; g < groups; g++) {
			row_round(x[g]);
			x[g][1] = i % 2 ? turn3(x[g][1]) : turn1(x[g][1]);
			x[g][2] = turn2(x[g][2]);
			x[g][3] = i % 2 ? turn1(x[g][3]) : turn3(x[g][3]);
		}
	}
	for (int g = 0; g < groups; g++) {
		for (int i = 0; i < 4; i++)
			x[g][i] += first[g][i];
		write_rows(b, first_slot + g * ROWS, x[g]);
	}
}

/* There is one function for each number of blocks, so that a small number does not pay for the
 * large stack frame that a large number needs. */
static __attribute__((noinline)) void compute_rows1(const struct blocks *b, int first_slot)
{
	compute_rows(b, first_slot, 1);
}

static __attribute__((noinline)) void compute_rows2(const struct blocks *b, int first_slot)
{
	compute_rows(b, first_slot, 2);
}

static __attribute__((noinline)) void compute_rows3(const struct blocks *b, int first_slot)
{
	compute_rows(b, first_slot, ROW_GROUPS);
}

static __attribute__((noinline)) void compute_lanes1(const struct blocks *b)
{
	compute_lanes(b, 1);
}

static __attribute__((noinline)) void compute_lanes2(const struct blocks *b)
{
	compute_lanes(b, GROUPS);
}

/* Returns how many slots keystream() computes if @used of them hold a block. */
static size_t slots_for(size_t used)
{
	if (used <= ROW_GROUPS * ROWS || (used > LANES && used <= LANES + 2 * ROWS))
		return (used + ROWS - 1) / ROWS * ROWS;
	return used <= LANES ? LANES : SLOTS;
}

/* Computes the blocks in the first slots_for(@used) slots. RFC 8439 2.3 */
static void keystream(const struct blocks *b, size_t used)
{
	int first = 0;

	if (used > LANES + 2 * ROWS) {
		compute_lanes2(b);
		return;
	}
	if (used > ROW_GROUPS * ROWS) {
		compute_lanes1(b);
		if (used <= LANES)
			return;
		first = LANES;
	}
	switch ((used - (size_t)first + ROWS - 1) / ROWS) {
	case 1:
		compute_rows1(b, first);
		break;
	case 2:
		compute_rows2(b, first);
		break;
	default:
		compute_rows3(b, first);
	}
}

#endif
