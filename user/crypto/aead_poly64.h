/* SPDX-License-Identifier: MIT */
/*
 * aead_poly64.h - Poly1305 of one packet in the scalar registers. Private to user/crypto/aead*.[ch].
 *
 * A number is h[0] + 2^64 h[1] + 2^128 h[2], with h[2] <= 4 between blocks. r is clamped
 * (RFC 8439 2.5), so that r[1] is a multiple of four and what goes past 2^130 comes back in by
 * multiplying with 5/4 r[1]: six multiplications a block.
 *
 * Bounds: with the block added h[2] <= 6; r[0], r[1] < 2^60. The sums of products stay below 2^126, the
 * new h[2] below 2^63.4 and five times its part above 2^130 below 2^64.
 */
#ifndef WGXDP_AEAD_POLY64_H
#define WGXDP_AEAD_POLY64_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POLY_BLOCK_LEN 16

struct poly64 {
	uint64_t h[3];
	uint64_t r[2], r1_54; /* 5/4 r[1] */
};

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* The halves of the r in @key, clamped. RFC 8439 2.5 */
static inline uint64_t poly64_r_low(const uint8_t *key)
{
	return load64(key) & 0x0ffffffc0fffffff;
}

static inline uint64_t poly64_r_high(const uint8_t *key)
{
	return load64(key + 8) & 0x0ffffffc0ffffffc;
}

/* h := 0, r := that of @key, 32 bytes. */
void poly64_init(struct poly64 *p, const uint8_t *key);

/* Takes @n blocks of POLY_BLOCK_LEN: h := (h + block) r, each with a one above. */
void poly64_blocks(struct poly64 *p, const uint8_t *data, size_t n);

/* @out[i] := r^(i+1), for i < @n; the topmost part at most 4. */
void poly64_powers(uint64_t (*out)[3], size_t n, const struct poly64 *p);

/* @tag, 16 bytes, := @h in full, plus s. @h is below 2^131. RFC 8439 2.5 */
void poly64_finish(uint8_t *tag, const uint64_t h[static 3], const uint8_t *key);

#endif
