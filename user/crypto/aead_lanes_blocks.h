/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_blocks.h - the ChaCha20 blocks that a SIMD backend computes together. Only the SIMD
 * backends include this file, after they have defined LANES and the types v32 and v64.
 */
#ifndef WGXDP_AEAD_LANES_BLOCKS_H
#define WGXDP_AEAD_LANES_BLOCKS_H

#define BLOCK_LEN 64
#define GROUPS 2
#define SLOTS (GROUPS * LANES)
#define SLOTS_ROOM (SLOTS + LANES) /* set_slots() may write up to LANES slots beyond SLOTS */
#define ROW_BLOCKS (LANES / 4)	   /* blocks per register, if it holds one row of each block */
#define ROW_GROUPS 3

/* The blocks to compute, one per slot. Words 4-11 of the state are the key, word 12 is the number
 * of the block, word 13 is zero, and words 14 and 15 are the packet's counter. [W] 5.4.6 */
struct blocks {
	alignas(64) uint32_t number[SLOTS_ROOM];
	alignas(64) uint32_t low[SLOTS_ROOM];  /* low half of the counter */
	alignas(64) uint32_t high[SLOTS_ROOM]; /* high half of the counter */
	const uint8_t *key[SLOTS_ROOM];
	const uint8_t *src[SLOTS_ROOM]; /* BLOCK_LEN bytes; dst := src ^ key stream */
	uint8_t *dst[SLOTS_ROOM];
};

alignas(16) static const uint32_t sigma[4] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 };

#endif
