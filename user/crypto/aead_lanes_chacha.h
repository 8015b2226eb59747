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
 * the execution units of an x86-64 CPU idle. Therefore the backends with registers of 256 or 512
 * bits compute two groups at the same time (INTERLEAVED).
 *
 * If only a few blocks were queued, most lanes would be idle. In that case each block is laid out
 * in rows instead:
 *
 *         x[0]    words 0-3 of block 0   words 0-3 of block 1        A quarter round works on
 *         x[1]    words 4-7              words 4-7                   whole rows. The rows are
 *         x[2]    words 8-11             words 8-11                  rotated before and after
 *         x[3]    words 12-15            words 12-15                 the diagonals.
 */
#ifndef WGXDP_AEAD_LANES_CHACHA_H
#define WGXDP_AEAD_LANES_CHACHA_H

/* ordinal[l] is l, and distance[l] is l * BLOCK_LEN, for each lane of the widest registers. */
alignas(64) static const uint32_t ordinal[16] = { 0, 1, 2,  3,	4,  5,	6,  7,
						  8, 9, 10, 11, 12, 13, 14, 15 };
alignas(64) static const uint64_t distance[16] = { 0,	64,  128, 192, 256, 320, 384, 448,
						   512, 576, 640, 704, 768, 832, 896, 960 };

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

/* Sets LANES slots, from @slot on, to consecutive blocks of one packet. The first block is block
 * @number of the packet's key stream, and is XORed with the data at @src. */
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

/* The quarter round of RFC 8439 2.1, in all lanes. */
static INLINE void quarter_round(v32 *a, v32 *b, v32 *c, v32 *d)
{
	*a += *b;
	*d = rotl16(*d ^ *a);
	*c += *d;
	*b = rotl12(*b ^ *c);
	*a += *b;
	*d = rotl8(*d ^ *a);
	*c += *d;
	*b = rotl7(*b ^ *c);
}

/* Four quarter rounds: on the columns for @k = 0, on the diagonals for @k = 1. The quarter rounds
 * are not interleaved: a CPU that executes out of order overlaps them by itself, and the compiler
 * has to keep fewer words in registers. RFC 8439 2.3 */
static INLINE void half_round(v32 x[16], int k)
{
	for (int i = 0; i < 4; i++)
		quarter_round(&x[i], &x[4 + (i + k) % 4], &x[8 + (i + 2 * k) % 4],
			      &x[12 + (i + 3 * k) % 4]);
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

/* Computes @groups groups of LANES blocks each, from slot @slot on. @groups is at most GROUPS. */
static INLINE void compute_lanes(const struct blocks *b, int slot, int groups)
{
	v32 x[GROUPS][16], first[GROUPS][16];

	for (int g = 0; g < groups; g++) {
		load_state(first[g], b, slot + g * LANES);
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
		write_lanes(b->dst + slot + g * LANES, b->src + slot + g * LANES, x[g]);
	}
}

static INLINE void compute_rows(const struct blocks *b, int first_slot, int groups)
{
	v32 x[ROW_GROUPS][4], first[ROW_GROUPS][4];

	for (int g = 0; g < groups; g++) {
		load_rows(first[g], b, first_slot + g * ROW_BLOCKS);
		for (int i = 0; i < 4; i++)
			x[g][i] = first[g][i];
	}
	for (int i = 0; i < 20; i++) {
		for (int g = 0; g < groups; g++) {
			quarter_round(&x[g][0], &x[g][1], &x[g][2], &x[g][3]);
			x[g][1] = i % 2 ? turn3(x[g][1]) : turn1(x[g][1]);
			x[g][2] = turn2(x[g][2]);
			x[g][3] = i % 2 ? turn1(x[g][3]) : turn3(x[g][3]);
		}
	}
	for (int g = 0; g < groups; g++) {
		for (int i = 0; i < 4; i++)
			x[g][i] += first[g][i];
		write_rows(b, first_slot + g * ROW_BLOCKS, x[g]);
	}
}

/* There is one function for each number of groups, so that a few groups do not pay for the large
 * stack frame that many groups need. */
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
	compute_lanes(b, 0, 1);
}

static __attribute__((noinline)) void compute_lanes2(const struct blocks *b)
{
	compute_lanes(b, 0, INTERLEAVED);
	if (INTERLEAVED < GROUPS)
		compute_lanes(b, LANES, INTERLEAVED);
}

/* Returns how many slots keystream() computes if the first @used slots hold a block. The result may
 * be larger than @used, because keystream() always fills whole registers. */
static size_t slots_for(size_t used)
{
	if (used <= ROW_GROUPS * ROW_BLOCKS || (used > LANES && used <= LANES + 2 * ROW_BLOCKS))
		return (used + ROW_BLOCKS - 1) / ROW_BLOCKS * ROW_BLOCKS;
	return used <= LANES ? LANES : SLOTS;
}

/* Computes the blocks in the first slots_for(@used) slots. RFC 8439 2.3 */
static void keystream(const struct blocks *b, size_t used)
{
	int first = 0;

	if (used > LANES + 2 * ROW_BLOCKS) {
		compute_lanes2(b);
		return;
	}
	if (used > ROW_GROUPS * ROW_BLOCKS) {
		compute_lanes1(b);
		if (used <= LANES)
			return;
		first = LANES;
	}
	switch ((used - (size_t)first + ROW_BLOCKS - 1) / ROW_BLOCKS) {
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
