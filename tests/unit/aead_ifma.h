/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma.h - defines poly1305_in_lane() for the tests of the two backends with IFMA. Include it
 * after the backend's source, and before aead_lanes.h.
 */
#ifndef WGXDP_TESTS_AEAD_IFMA_H
#define WGXDP_TESTS_AEAD_IFMA_H

/* Computes Poly1305 in lane @lane over @mac's data, which must be whole blocks. The AEAD's final
 * block, which has the lengths, is left out. absorb_partial() does the steps that begin before byte
 * @first, and absorb_whole() the later steps. All other lanes process @other. */
__attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,avx512ifma,bmi2"))) static void
poly1305_in_lane(const struct mac *mac, const struct mac *other, int lane, size_t first)
{
	int64_t blocks = (int64_t)(mac->len / POLY_BLOCK_LEN);
	int64_t steps = (blocks + STEP_BLOCKS - 1) / STEP_BLOCKS;
	struct number h = { { { 0 } } };
	uint8_t *tag[POLY_LANES];
	p64 s_low, s_high;
	struct poly poly;
	struct rows rows;

	for (int l = 0; l < POLY_LANES; l++) {
		rows.mac[l] = l == lane ? mac : other;
		rows.block[l] = blocks - steps * STEP_BLOCKS;
		tag[l] = rows.mac[l]->tag;
	}
	load_poly_keys(&poly, &rows, &s_low, &s_high);
	for (int64_t i = 0; i < steps; i++) {
		if (rows.block[0] < 0 || (size_t)rows.block[0] * POLY_BLOCK_LEN < first)
			absorb_partial(&h, poly.power, NULL, &rows);
		else
			absorb_whole(&h, poly.power, NULL, &rows, 1, STEP_BLOCKS);
		advance(&rows, 1, STEP_BLOCKS);
	}
	finish(&h, s_low, s_high, tag, POLY_LANES);
}

#endif
