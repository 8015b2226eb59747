/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma_poly.h - Poly1305 with AVX-512 IFMA, which multiplies 52 bits at a time. Only the
 * backends avx512ifma and avx512ifma256 include this file, after aead_ifma_zmm.h or
 * aead_ifma_ymm.h; the other backends use aead_lanes_poly.h.
 *
 * A number is three limbs of 44, 44 and 42 bits. Up to POLY_LANES packets are processed at once,
 * one packet per lane. In each step each lane adds the next four blocks of its packet. The packets
 * begin at different steps, so that all of them end with the last step:
 *
 *                  lane 0        lane 1        lane 2
 *      step 0      m0  .. m3     .  .  .  .    .  .  .  .     h := (h + m) r^4 + m' r^3
 *      step 1      m4  .. m7     .  .  m0 m1   .  .  .  .               + m'' r^2 + m''' r
 *      step 2      m8  .. m11    m2 .. m5      .  m0 m1 m2
 *
 * A dot means that the packet of this lane has not begun yet. The lane then processes a block of
 * zeros, which leaves h at zero, so packets of different lengths need no special case. The last
 * block of a packet holds the two lengths.
 *
 * A single long packet is spread over all lanes: each step takes four of its blocks per lane. With
 * n = 4 POLY_LANES, each lane computes h := h r^n + m r^4 + m' r^3 + m'' r^2 + m''' r. In the end
 * the h of each lane l is multiplied by r^(n - 4 - 4 l), and the products are added up.
 *
 * Bounds: the limbs of a carried number are below 2^44, 2^44 + 2^16 and 2^42. A block adds less
 * than 2^44 to a limb. So a limb of h + m is below 2^45 + 2^16. It is multiplied by a limb of a
 * power of r, or by 20 times such a limb, which is below 20 (2^44 + 2^16) < 2^49. Both factors are
 * within the 52 bits that an instruction multiplies. A product is below 2^94, so its low half is
 * below 2^52, and its high half below 2^42. A step multiplies at most five numbers, h and four
 * blocks, and each of them adds three products to each limb of the sum. The sum of these 15 low
 * halves is below 2^56. The sum of the 15 high halves is below 2^46, and below 2^56 after the shift
 * by 10 bits. Five times the carry out of the top limb stays below 2^60, so it adds less than 2^16
 * to limb 1.
 */
#ifndef WGXDP_AEAD_IFMA_POLY_H
#define WGXDP_AEAD_IFMA_POLY_H

#define STEP_BLOCKS 4 /* blocks of a lane per step */
#define LIMB_MASK ((1ULL << 44) - 1)
#define TOP_MASK ((1ULL << 42) - 1)

typedef int64_t signed64 __attribute__((vector_size(8 * POLY_LANES)));

/* One number per lane. */
struct number {
	p64 limb[3];
};

/* A number to multiply with. x20 is 20 x, because 2^132 = 20 mod 2^130 - 5. */
struct factor {
	struct number x;
	p64 x20[3]; /* [0] is not used */
};

/* The blocks that the lanes read in a step: lane l reads the blocks block[l] to block[l] + 3 of the
 * packet mac[l]. Blocks with negative numbers do not exist; the block after the data holds the two
 * lengths. */
struct rows {
	const struct mac *mac[POLY_LANES];
	signed64 block;
};

struct poly {
	struct poly_scalar one;		      /* if lanes_used is false, the only member to wipe */
	struct factor power[STEP_BLOCKS + 1]; /* r^1 to r^4, then r^n */
	bool lanes_used;
};

/* Adds @a * @f to @lo + 2^52 @hi, without carrying. */
static INLINE void mul_add(p64 lo[3], p64 hi[3], const p64 a[3], const struct factor *f)
{
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			p64 b = i + j < 3 ? f->x.limb[j] : f->x20[j];
			int k = (i + j) % 3;

			lo[k] = madd_low(lo[k], a[i], b);
			hi[k] = madd_high(hi[k], a[i], b);
		}
	}
}

/* @h := @lo + 2^52 @hi */
static INLINE void carry(p64 h[3], p64 lo[3], const p64 hi[3])
{
	p64 top;

	lo[1] += (lo[0] >> 44) + (hi[0] << 8);
	lo[2] += (lo[1] >> 44) + (hi[1] << 8);
	top = (lo[2] >> 42) + (hi[2] << 10);
	h[0] = (lo[0] & LIMB_MASK) + top + (top << 2);
	h[1] = (lo[1] & LIMB_MASK) + (h[0] >> 44);
	h[0] &= LIMB_MASK;
	h[2] = lo[2] & TOP_MASK;
}

static INLINE void set_x20(struct factor *f)
{
	for (int i = 1; i < 3; i++)
		f->x20[i] = (f->x.limb[i] << 4) + (f->x.limb[i] << 2);
}

/* @f := @a * @b */
static INLINE void mul(struct factor *f, const struct number *a, const struct factor *b)
{
	p64 lo[3] = { { 0 } }, hi[3] = { { 0 } };

	mul_add(lo, hi, a->limb, b);
	carry(f->x.limb, lo, hi);
	set_x20(f);
}

/* Splits blocks, given as 64-bit halves, into limbs. @top is ORed into the top limb: it is the bit
 * 2^128 that Poly1305 adds to each block, or 0 for a block that does not exist. RFC 8439 2.5 */
static INLINE void split(p64 m[3], p64 low, p64 high, p64 top)
{
	m[0] = low & LIMB_MASK;
	m[1] = (low >> 44 | high << 20) & LIMB_MASK;
	m[2] = high >> 24 | top;
}

/* Does a step in each lane: @h := @h * @h_power + m r^4 + m' r^3 + m'' r^2 + m''' r. The blocks m,
 * m', m'' and m''' are in @word. If @h_power is NULL, @h is multiplied by r^4. */
static INLINE void absorb(p64 h[3], const struct factor *power, const struct factor *h_power,
			  const p64 word[2 * STEP_BLOCKS], const p64 top[STEP_BLOCKS])
{
	p64 lo[3] = { { 0 } }, hi[3] = { { 0 } }, m[3];

	for (int j = 1; j < STEP_BLOCKS; j++) {
		split(m, word[2 * j], word[2 * j + 1], top[j]);
		mul_add(lo, hi, m, &power[STEP_BLOCKS - 1 - j]);
	}
	split(m, word[0], word[1], top[0]);
	if (h_power) {
		mul_add(lo, hi, m, &power[STEP_BLOCKS - 1]);
		mul_add(lo, hi, h, h_power);
	} else {
		for (int i = 0; i < 3; i++)
			m[i] += h[i];
		mul_add(lo, hi, m, &power[STEP_BLOCKS - 1]);
	}
	carry(h, lo, hi);
}

static INLINE size_t blocks_of(const struct mac *mac)
{
	return (mac->len + POLY_BLOCK_LEN - 1) / POLY_BLOCK_LEN + 1;
}

/* Looks at the 64 bytes that begin at block @block of a packet. Returns one bit per byte: 1 if the
 * byte exists, 0 if it is before or after the data of the packet. */
static INLINE uint64_t existing_bytes(const struct mac *mac, int64_t block)
{
	int64_t at = block * POLY_BLOCK_LEN, end = (int64_t)mac->len - at;
	uint64_t bytes = end <= 0 ? 0 : end < 64 ? (1ULL << end) - 1 : ~0ULL;

	if (at < 0)
		bytes = at <= -64 ? 0 : bytes >> -at << -at;
	return bytes;
}

/* Does a step in which some blocks may be missing (see struct rows), one block may be incomplete,
 * and one may be the block of lengths. Missing bytes are loaded as zeros. */
static void absorb_partial(struct number *h, const struct factor *power,
			   const struct factor *h_power, const struct rows *rows)
{
	p64 word[2 * STEP_BLOCKS], top[STEP_BLOCKS], len = { 0 };
	const uint8_t *at[POLY_LANES];
	uint64_t mask[POLY_LANES];

	for (int l = 0; l < POLY_LANES; l++) {
		const struct mac *mac = rows->mac[l];

		at[l] = (const uint8_t *)((uintptr_t)mac->data +
					  (uintptr_t)(rows->block[l] * POLY_BLOCK_LEN));
		mask[l] = existing_bytes(mac, rows->block[l]);
		if (rows->block[l] + STEP_BLOCKS == (int64_t)blocks_of(mac))
			len[l] = mac->len;
	}
	load_masked_words(word, at, mask);
	word[2 * STEP_BLOCKS - 1] |= len;
	for (int j = 0; j < STEP_BLOCKS; j++)
		top[j] = (p64)(rows->block + j >= 0) & 1ULL << 40;
	if (h_power)
		absorb(h->limb, power, h_power, word, top);
	else
		absorb(h->limb, power, NULL, word, top);
}

/* Does @steps steps in which all blocks exist and are whole. After each step, each lane moves
 * forward in its packet by @step_blocks blocks. */
static INLINE void absorb_whole(struct number *number, const struct factor *power,
				const struct factor *h_power, const struct rows *rows, size_t steps,
				size_t step_blocks)
{
	const p64 one = (p64){ 0 } + (1ULL << 40), top[STEP_BLOCKS] = { one, one, one, one };
	const uint8_t *at[POLY_LANES];
	p64 h[3];

	for (int i = 0; i < 3; i++)
		h[i] = number->limb[i];
	for (int l = 0; l < POLY_LANES; l++)
		at[l] = rows->mac[l]->data + rows->block[l] * POLY_BLOCK_LEN;
	for (size_t offset = 0; steps > 0; steps--, offset += step_blocks * POLY_BLOCK_LEN) {
		p64 word[2 * STEP_BLOCKS];

		load_words(word, at, offset);
		absorb(h, power, h_power, word, top);
	}
	for (int i = 0; i < 3; i++)
		number->limb[i] = h[i];
}

static INLINE void advance(struct rows *rows, size_t steps, size_t step_blocks)
{
	rows->block += (int64_t)(steps * step_blocks);
}

/* Fully reduces @h, adds s and writes the tags. RFC 8439 2.5 */
static INLINE void finish(struct number *h, p64 s_low, p64 s_high, uint8_t *const *tag, size_t n)
{
	p64 l0 = h->limb[0], l1 = h->limb[1], l2 = h->limb[2], g0, g1, g2, low, high;
	p64 keep;

	/* Carry until each limb is within its 44 or 42 bits. */
	l2 += l1 >> 44;
	l1 &= LIMB_MASK;
	l0 += (l2 >> 42) * 5;
	l2 &= TOP_MASK;
	l1 += l0 >> 44;
	l0 &= LIMB_MASK;
	l2 += l1 >> 44;
	l1 &= LIMB_MASK;
	/* g = h + 5 - 2^130. If g is not negative, then h >= 2^130 - 5 and g is the result. */
	g0 = l0 + 5;
	g1 = l1 + (g0 >> 44);
	g2 = l2 + (g1 >> 44) - (1ULL << 42);
	keep = -(g2 >> 63);
	l0 = (g0 & LIMB_MASK & ~keep) | (l0 & keep);
	l1 = (g1 & LIMB_MASK & ~keep) | (l1 & keep);
	l2 = (g2 & ~keep) | (l2 & keep);
	low = (l0 | l1 << 44) + s_low;
	high = (l1 >> 20 | l2 << 24) + s_high;
	high -= (p64)(low < s_low);
	for (size_t l = 0; l < n; l++) {
		const uint64_t words[2] = { low[l], high[l] };

		memcpy(tag[l], words, sizeof(words));
	}
}

/* Loads the keys of all lanes: computes r^1 to r^4 in each lane, and sets the two halves of s. */
static INLINE void load_poly_keys(struct poly *poly, const struct rows *rows, p64 *s_low,
				  p64 *s_high)
{
	const uint8_t *at[POLY_LANES];
	p64 k[4];

	for (int l = 0; l < POLY_LANES; l++)
		at[l] = rows->mac[l]->key;
	load_key_words(k, at);
	*s_low = k[2];
	*s_high = k[3];
	split(poly->power[0].x.limb, k[0] & POLY_R_LOW_MASK, k[1] & POLY_R_HIGH_MASK, (p64){ 0 });
	set_x20(&poly->power[0]);
	mul(&poly->power[1], &poly->power[0].x, &poly->power[0]);
	mul(&poly->power[2], &poly->power[1].x, &poly->power[0]);
	mul(&poly->power[3], &poly->power[1].x, &poly->power[1]);
}

/* Computes the tags of @n packets, at most POLY_LANES. This function, mac_dealt() and mac_one() are
 * not inlined: their stack frames must be below those of seal_batch() and open_batch(), where
 * wipe_traces() wipes the stack. */
static __attribute__((noinline)) void mac_parallel(struct poly *poly, const struct mac *const mac[],
						   size_t n)
{
	size_t most = 0, least = SIZE_MAX, steps, whole;
	struct number h = { { { 0 } } };
	uint8_t *tag[POLY_LANES];
	p64 s_low, s_high;
	struct rows rows;

	poly->lanes_used = true;
	for (size_t l = 0; l < POLY_LANES; l++) {
		size_t blocks;

		rows.mac[l] = mac[l < n ? l : 0]; /* an idle lane repeats the first packet */
		tag[l] = rows.mac[l]->tag;
		blocks = blocks_of(rows.mac[l]);
		most = blocks > most ? blocks : most;
		least = blocks < least ? blocks : least;
	}
	steps = (most + STEP_BLOCKS - 1) / STEP_BLOCKS;
	for (int l = 0; l < POLY_LANES; l++)
		rows.block[l] = (int64_t)blocks_of(rows.mac[l]) - (int64_t)(steps * STEP_BLOCKS);
	load_poly_keys(poly, &rows, &s_low, &s_high);
	for (; steps > 1 && steps > least / STEP_BLOCKS; steps--) {
		absorb_partial(&h, poly->power, NULL, &rows);
		advance(&rows, 1, STEP_BLOCKS);
	}
	whole = steps - 1;
	absorb_whole(&h, poly->power, NULL, &rows, whole, STEP_BLOCKS);
	advance(&rows, whole, STEP_BLOCKS);
	absorb_partial(&h, poly->power, NULL, &rows);
	finish(&h, s_low, s_high, tag, n);
}

/* Sets lane l of @f to lane l of @x if l & @bit is 0, else to the number 1. */
static INLINE void select_lanes(struct factor *f, const struct number *x, int bit)
{
	p64 is_set;

	for (int l = 0; l < POLY_LANES; l++)
		is_set[l] = l & bit ? ~0ULL : 0;
	for (int i = 0; i < 3; i++)
		f->x.limb[i] = (x->limb[i] & ~is_set) | (is_set & (uint64_t)(i == 0));
	set_x20(f);
}

/* Computes r^n, and r^(n - 4 - 4 l) in each lane l. The exponent n - 4 - 4 l is the sum of 4 b over
 * all b = 1, 2, 4, ... below POLY_LANES for which l & b is 0. So the power is the product of these
 * r^(4 b). */
static INLINE void compute_lane_powers(struct poly *poly, struct number *lane_power)
{
	struct factor *square = &poly->power[STEP_BLOCKS], select;

	select_lanes(&select, &poly->power[STEP_BLOCKS - 1].x, 1);
	*lane_power = select.x;
	mul(square, &poly->power[STEP_BLOCKS - 1].x, &poly->power[STEP_BLOCKS - 1]);
	for (int bit = 2; bit < POLY_LANES; bit *= 2) {
		select_lanes(&select, &square->x, bit);
		mul(&select, lane_power, &select);
		*lane_power = select.x;
		mul(square, &square->x, square);
	}
}

/* Computes the tag of one long packet. */
static __attribute__((noinline)) void mac_dealt(struct poly *poly, const struct mac *mac)
{
	const size_t step_blocks = POLY_LANES * STEP_BLOCKS;
	size_t blocks = blocks_of(mac), steps = (blocks + step_blocks - 1) / step_blocks;
	struct number h = { { { 0 } } }, lane_power;
	struct factor sum;
	p64 s_low, s_high;
	struct rows rows;

	poly->lanes_used = true;
	for (int l = 0; l < POLY_LANES; l++) {
		rows.mac[l] = mac;
		rows.block[l] = (int64_t)blocks - (int64_t)(steps * step_blocks) + STEP_BLOCKS * l;
	}
	load_poly_keys(poly, &rows, &s_low, &s_high);
	compute_lane_powers(poly, &lane_power);
	absorb_partial(&h, poly->power, &poly->power[4], &rows);
	advance(&rows, 1, step_blocks);
	if (steps > 2) {
		absorb_whole(&h, poly->power, &poly->power[4], &rows, steps - 2, step_blocks);
		advance(&rows, steps - 2, step_blocks);
	}
	if (steps > 1)
		absorb_partial(&h, poly->power, &poly->power[4], &rows);
	sum.x = lane_power;
	set_x20(&sum);
	mul(&sum, &h, &sum);
	for (int i = 0; i < 3; i++) {
		for (int l = 1; l < POLY_LANES; l++)
			sum.x.limb[i][0] += sum.x.limb[i][l];
		h.limb[i] = (p64){ 0 } + sum.x.limb[i][0];
	}
	finish(&h, s_low, s_high, (uint8_t *const[]){ mac->tag }, 1);
}

/* Computes the tag of one packet. */
static __attribute__((noinline)) void mac_one(struct poly *poly, const struct mac *mac)
{
	if (mac->len / POLY_BLOCK_LEN >= DEAL_MIN_BLOCKS) {
		mac_dealt(poly, mac);
		return;
	}
	poly_scalar_init(&poly->one, mac->key);
	poly_scalar_complete(&poly->one, mac, 0);
}

/* Computes the tags of @n packets, at most AEAD_WINDOW. */
static void mac_many(struct poly *poly, const struct mac *macs, size_t n)
{
	const struct mac *sorted[AEAD_WINDOW];
	size_t i;

	/* Sort by length, so that packets that are processed together need about the same number of
	 * steps. */
	for (i = 0; i < n; i++) {
		size_t k = i;

		for (; k > 0 && sorted[k - 1]->len < macs[i].len; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = &macs[i];
	}
	for (i = 0; n - i >= MIN_PACKETS; i += n - i < POLY_LANES ? n - i : POLY_LANES)
		mac_parallel(poly, sorted + i, n - i < POLY_LANES ? n - i : POLY_LANES);
	for (; i < n; i++)
		mac_one(poly, sorted[i]);
}

#endif
