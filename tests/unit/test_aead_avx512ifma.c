/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "crypto/aead_avx512ifma.c" /* NOLINT(bugprone-suspicious-include) */

#if defined(__x86_64__)

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
	v64 s_low, s_high;
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

#include "aead_lanes.h"

int main(void)
{
	return run_lanes_tests(&aead_avx512ifma);
}

#else

int main(void)
{
	print_message("1..0 # skip not an x86-64\n");
	return 0;
}

#endif
