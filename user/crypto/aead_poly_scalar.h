/* SPDX-License-Identifier: MIT */
/*
 * aead_poly_scalar.h - Poly1305 of one packet in scalar registers. Private to
 * user/crypto/aead*.[ch].
 *
 * A number is h[0] + 2^64 h[1] + 2^128 h[2], with h[2] <= 4 between blocks. r is clamped
 * (RFC 8439 2.5), so r[1] is a multiple of four. Since 2^130 = 5 mod 2^130 - 5, a product with
 * 2^128 r[1] is reduced by multiplying with 5/4 r[1] instead. A block takes six multiplications.
 *
 * Bounds: h[2] <= 6 between the addition of a block and the multiplication, and r[0], r[1] < 2^60.
 * The sums of products stay below 2^126. The new h[2] stays below 2^63.4, and five times its part
 * above 2^130 stays below 2^64.
 */
#ifndef WGXDP_AEAD_POLY_SCALAR_H
#define WGXDP_AEAD_POLY_SCALAR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POLY_BLOCK_LEN 16
#define POLY_R_LOW_MASK 0x0ffffffc0fffffffULL
#define POLY_R_HIGH_MASK 0x0ffffffc0ffffffcULL

/* A packet to authenticate: Poly1305 over data, padding and the two lengths. RFC 8439 2.8 */
struct mac {
	const uint8_t *key; /* 32 bytes: r, then s */
	const uint8_t *data;
	size_t len;
	uint8_t *tag; /* output */
};

struct poly_scalar {
	uint64_t h[3];
	uint64_t r[2];
	uint64_t r1_54; /* 5/4 r[1] */
};

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* Return the two halves of r, which is read from @key and clamped. RFC 8439 2.5 */
static inline uint64_t poly_scalar_r_low(const uint8_t *key)
{
	return load64(key) & POLY_R_LOW_MASK;
}

static inline uint64_t poly_scalar_r_high(const uint8_t *key)
{
	return load64(key + 8) & POLY_R_HIGH_MASK;
}

/* Sets h to 0 and r to the clamped r of @key, which has 32 bytes. */
void poly_scalar_init(struct poly_scalar *p, const uint8_t *key);

/* Adds @n blocks of POLY_BLOCK_LEN bytes: h := (h + block + 2^128) * r for each. */
void poly_scalar_blocks(struct poly_scalar *p, const uint8_t *data, size_t n);

/* @out[i] := r^(i+1) for i < @n. @out[i][2] is at most 4. */
void poly_scalar_powers(uint64_t (*out)[3], size_t n, const struct poly_scalar *p);

/* Writes the last one or two blocks of a packet of @len bytes to @tail. If bytes are left after the
 * last whole block, the first block holds these bytes (at @rest), padded with zeros. The last block
 * holds two lengths: 0, because there is no associated data, and @len. Returns the number of
 * blocks. RFC 8439 2.8 */
size_t poly_tail(uint8_t tail[static 2 * POLY_BLOCK_LEN], const uint8_t *rest, uint64_t len);

/* Writes the tag of @mac. @p already holds the first @done blocks of mac->data; this function adds
 * the other blocks and the tail. */
void poly_scalar_complete(struct poly_scalar *p, const struct mac *mac, size_t done);

/* Reduces @h fully, adds the s of @key and writes the 16 bytes of @tag. @h is below 2^131.
 * RFC 8439 2.5 */
void poly_scalar_finish(uint8_t *tag, const uint64_t h[static 3], const uint8_t *key);

#endif
