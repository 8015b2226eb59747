/* SPDX-License-Identifier: MIT */
/*
 * aead_strips.h - runs Poly1305 in one lane of aead_lanes_poly.h. Include after the backend's .c
 * file.
 */
#ifndef WGXDP_TESTS_AEAD_STRIPS_H
#define WGXDP_TESTS_AEAD_STRIPS_H

/* Computes Poly1305 in lane @lane over @mac's data, which must be whole blocks. The AEAD's final
 * block, which has the lengths, is left out. The bytes before offset @first are absorbed in
 * one call, and the other bytes in another. All other lanes process @other. */
static void poly1305_in_lane(const struct mac *mac, const struct mac *other, int lane, size_t first)
{
	const uint8_t *at[POLY_LANES];
	struct poly poly;

	for (int l = 0; l < POLY_LANES; l++) {
		strip_start(&poly, l, l == lane ? mac : other);
		at[l] = l == lane ? mac->data : other->data;
	}
	compute_factors(&poly);
	absorb(&poly, at, first / 16);
	for (int l = 0; l < POLY_LANES; l++)
		at[l] += first;
	absorb(&poly, at, (mac->len - first) / 16);
	finish(mac, &poly.h, lane);
}

#endif
