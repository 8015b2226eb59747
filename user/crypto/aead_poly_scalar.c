/* SPDX-License-Identifier: MIT */
/*
 * aead_poly_scalar.c - Poly1305 of one packet in the scalar registers, for packets that are too few
 * or too short to fill the lanes, and for all packets of aead_sse2.c.
 */
#if defined(__x86_64__) || defined(__aarch64__)

#include "crypto/aead_poly_scalar.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

__extension__ typedef unsigned __int128 wide;
typedef unsigned long long word; /* the type that the carry intrinsics expect */

/* @sum := @a + @b + @carry. Returns the carry. */
static inline unsigned char add_carry(unsigned char carry, word a, word b, word *sum)
{
#if defined(__x86_64__)
	return _addcarry_u64(carry, a, b, sum);
#else
	wide all = (wide)a + b + carry;

	*sum = (word)all;
	return (unsigned char)(all >> 64);
#endif
}

void poly_scalar_init(struct poly_scalar *p, const uint8_t *key)
{
	p->h[0] = p->h[1] = p->h[2] = 0;
	p->r[0] = poly_scalar_r_low(key);
	p->r[1] = poly_scalar_r_high(key);
	p->r1_54 = p->r[1] + (p->r[1] >> 2);
}

/* @h := @h * r */
static inline void multiply(word h[3], const struct poly_scalar *p)
{
	/* Use separate variables, because gcc keeps an array in memory if the address of an element
	 * is taken. */
	word h0 = h[0], h1 = h[1], h2 = h[2];
	wide d0 = (wide)h0 * p->r[0] + (wide)h1 * p->r1_54;
	wide d1 = (wide)h0 * p->r[1] + (wide)h1 * p->r[0] + (word)(h2 * p->r1_54);
	unsigned char c;

	h2 *= p->r[0];
	c = add_carry(0, (word)d1, (word)(d0 >> 64), &h1);
	add_carry(c, h2, (word)(d1 >> 64), &h2);
	c = add_carry(0, (word)d0, (h2 & ~3ULL) + (h2 >> 2), &h0);
	c = add_carry(c, h1, 0, &h1);
	add_carry(c, h2 & 3, 0, &h2);
	h[0] = h0;
	h[1] = h1;
	h[2] = h2;
}

/* Adds one block with its 2^128 bit: @h := (@h + block + 2^128) * r. */
static inline void take_block(word h[3], const struct poly_scalar *p, const uint8_t *block)
{
	word h0 = h[0], h1 = h[1], h2 = h[2];
	unsigned char c = add_carry(0, h0, load64(block), &h0);

	c = add_carry(c, h1, load64(block + 8), &h1);
	add_carry(c, h2, 1, &h2);
	h[0] = h0;
	h[1] = h1;
	h[2] = h2;
	multiply(h, p);
}

void poly_scalar_blocks(struct poly_scalar *p, const uint8_t *data, size_t n)
{
	const struct poly_scalar key = *p;
	word h[3] = { p->h[0], p->h[1], p->h[2] };

	for (; n > 0; n--, data += POLY_BLOCK_LEN)
		take_block(h, &key, data);
	for (int i = 0; i < 3; i++)
		p->h[i] = h[i];
}

void poly_scalar_powers(uint64_t (*out)[3], size_t n, const struct poly_scalar *p)
{
	word h[3] = { p->r[0], p->r[1], 0 };

	for (size_t k = 0; k < n; k++) {
		for (int i = 0; i < 3; i++)
			out[k][i] = h[i];
		multiply(h, p);
	}
}

size_t poly_tail(uint8_t tail[static 2 * POLY_BLOCK_LEN], const uint8_t *rest, uint64_t len)
{
	size_t n = len % POLY_BLOCK_LEN ? 2 : 1;

	memset(tail, 0, 2 * POLY_BLOCK_LEN);
	memcpy(tail, rest, len % POLY_BLOCK_LEN);
	memcpy(tail + (n - 1) * POLY_BLOCK_LEN + 8, &len, 8);
	return n;
}

void poly_scalar_finish(uint8_t *tag, const uint64_t h[static 3], const uint8_t *key)
{
	word g[3], low, high, keep;
	unsigned char c;

	/* g = h + 5. If g reaches 2^130, then h >= 2^130 - 5 and the reduced value is g - 2^130. */
	c = add_carry(0, h[0], 5, &g[0]);
	c = add_carry(c, h[1], 0, &g[1]);
	add_carry(c, h[2], 0, &g[2]);
	keep = (g[2] >> 2) - 1; /* all ones if h is below 2^130 - 5 */
	low = (h[0] & keep) | (g[0] & ~keep);
	high = (h[1] & keep) | (g[1] & ~keep);
	c = add_carry(0, low, load64(key + 16), &low);
	add_carry(c, high, load64(key + 24), &high);
	memcpy(tag, &low, 8);
	memcpy(tag + 8, &high, 8);
}

void poly_scalar_complete(struct poly_scalar *p, const struct mac *mac, size_t done)
{
	size_t blocks = mac->len / POLY_BLOCK_LEN;
	uint8_t tail[2 * POLY_BLOCK_LEN];

	poly_scalar_blocks(p, mac->data + done * POLY_BLOCK_LEN, blocks - done);
	poly_scalar_blocks(p, tail, poly_tail(tail, mac->data + blocks * POLY_BLOCK_LEN, mac->len));
	poly_scalar_finish(mac->tag, p->h, mac->key);
}

#endif
