/* SPDX-License-Identifier: MIT */
/*
 * aead_ifma_poly.h - Poly1305 with AVX-512 IFMA, which multiplies 52 bits at a time. Only the
 * backend avx512ifma includes this file; the other backends use aead_lanes_poly.h.
 *
 * A number is three limbs of 44, 44 and 42 bits. Up to eight packets are processed at once, one
 * packet per lane. In each step each lane adds the next four blocks of its packet. The packets
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
 * A single long packet is spread over all lanes: each step takes 32 of its blocks, four per lane.
 * Each lane computes h := h r^32 + m r^4 + m' r^3 + m'' r^2 + m''' r. In the end the h of each lane
 * l is multiplied by r^(28 - 4 l), and the products are added up.
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

#define POLY_LANES 8	   /* packets at a time */
#define MIN_PACKETS 4	   /* with fewer packets, mac_one() is faster than mac_parallel() */
#define STEP_BLOCKS 4	   /* blocks of a lane per step */
#define DEAL_MIN_BLOCKS 56 /* with fewer blocks, scalar code is faster than mac_dealt() */
#define LIMB_MASK ((1ULL << 44) - 1)
#define TOP_MASK ((1ULL << 42) - 1)

/* One number per lane. */
struct number {
	v64 limb[3];
};

/* A number to multiply with. x20 is 20 x, because 2^132 = 20 mod 2^130 - 5. */
struct factor {
	struct number x;
	v64 x20[3]; /* [0] is not used */
};

/* The blocks that the lanes read in a step: lane l reads the blocks block[l] to block[l] + 3 of the
 * packet mac[l]. Blocks with negative numbers do not exist; the block after the data holds the two
 * lengths. */
struct rows {
	const struct mac *mac[POLY_LANES];
	int64_t block[POLY_LANES];
};

struct poly {
	struct poly_scalar one; /* if lanes_used is false, only this member was written */
	struct factor power[STEP_BLOCKS + 1]; /* r^1 to r^4, then r^32 */
	bool lanes_used;
};

/* Adds @a * @f to @lo + 2^52 @hi, without carrying. */
static INLINE void mul_add(v64 lo[3], v64 hi[3], const v64 a[3], const struct factor *f)
{
	for (int i = 0; i < 3; i++) {
		for (int j = 0; j < 3; j++) {
			__m512i b = (__m512i)(i + j < 3 ? f->x.limb[j] : f->x20[j]);
			int k = (i + j) % 3;

			lo[k] = (v64)_mm512_madd52lo_epu64((__m512i)lo[k], (__m512i)a[i], b);
			hi[k] = (v64)_mm512_madd52hi_epu64((__m512i)hi[k], (__m512i)a[i], b);
		}
	}
}

/* @h := @lo + 2^52 @hi */
static INLINE void carry(v64 h[3], v64 lo[3], const v64 hi[3])
{
	v64 top;

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
	v64 lo[3] = { { 0 } }, hi[3] = { { 0 } };

	mul_add(lo, hi, a->limb, b);
	carry(f->x.limb, lo, hi);
	set_x20(f);
}

/* Splits blocks, given as 64-bit halves, into limbs. @top is ORed into the top limb: it is the bit
 * 2^128 that Poly1305 adds to each block, or 0 for a block that does not exist. RFC 8439 2.5 */
static INLINE void split(v64 m[3], v64 low, v64 high, v64 top)
{
	m[0] = low & LIMB_MASK;
	m[1] = (low >> 44 | high << 20) & LIMB_MASK;
	m[2] = high >> 24 | top;
}

/* Transposes an 8 x 8 matrix of 64-bit words. */
static INLINE void transpose64(__m512i r[8])
{
	__m512i t[8], u[8];

	for (int i = 0; i < 8; i += 2) {
		t[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
	}
	/* t[2i + j] now holds the words j, 2 + j, 4 + j and 6 + j of row 2i, and after each of them
	 * the same word of row 2i + 1. */
	for (int j = 0; j < 2; j++) {
		for (int i = 0; i < 2; i++) {
			u[4 * j + i] = _mm512_shuffle_i64x2(t[4 * i + j], t[4 * i + 2 + j], 0x88);
			u[4 * j + 2 + i] =
				_mm512_shuffle_i64x2(t[4 * i + j], t[4 * i + 2 + j], 0xdd);
		}
		r[j] = _mm512_shuffle_i64x2(u[4 * j], u[4 * j + 1], 0x88);
		r[4 + j] = _mm512_shuffle_i64x2(u[4 * j], u[4 * j + 1], 0xdd);
		r[2 + j] = _mm512_shuffle_i64x2(u[4 * j + 2], u[4 * j + 3], 0x88);
		r[6 + j] = _mm512_shuffle_i64x2(u[4 * j + 2], u[4 * j + 3], 0xdd);
	}
}

/* Does a step in each lane l: @h := @h * @h_power + m r^4 + m' r^3 + m'' r^2 + m''' r. The blocks
 * m, m', m'' and m''' are in @row[l]. If @h_power is NULL, @h is multiplied by r^4. */
static INLINE void absorb(v64 h[3], const struct factor *power, const struct factor *h_power,
			  __m512i row[8], const v64 top[STEP_BLOCKS])
{
	v64 lo[3] = { { 0 } }, hi[3] = { { 0 } }, m[3];

	transpose64(row);
	for (int j = 1; j < STEP_BLOCKS; j++) {
		split(m, (v64)row[2 * j], (v64)row[2 * j + 1], top[j]);
		mul_add(lo, hi, m, &power[STEP_BLOCKS - 1 - j]);
	}
	split(m, (v64)row[0], (v64)row[1], top[0]);
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

/* Loads four blocks of a packet, beginning with block number @block. Blocks that do not exist, and
 * the missing bytes of an incomplete block, are loaded as zeros. */
static INLINE __m512i load_packet_row(const struct mac *mac, int64_t block)
{
	int64_t at = block * POLY_BLOCK_LEN, end = (int64_t)mac->len - at;
	__mmask64 bytes = end < 0 ? 0 : end < 64 ? (1ULL << end) - 1 : ~0ULL;
	__m512i row;

	if (at < 0)
		bytes = at <= -64 ? 0 : bytes >> -at << -at;
	row = _mm512_maskz_loadu_epi8(bytes, (const void *)((uintptr_t)mac->data + (uintptr_t)at));
	if (block + STEP_BLOCKS == (int64_t)blocks_of(mac))
		row = _mm512_mask_set1_epi64(row, 0x80, (long long)mac->len);
	return row;
}

/* Does a step in which some blocks may be missing (see struct rows), one block may be incomplete,
 * and one may be the block of lengths. */
static void absorb_partial(struct number *h, const struct factor *power,
			   const struct factor *h_power, const struct rows *rows)
{
	__m512i row[8], block = _mm512_loadu_si512(rows->block);
	v64 top[STEP_BLOCKS];

	for (int l = 0; l < POLY_LANES; l++)
		row[l] = load_packet_row(rows->mac[l], rows->block[l]);
	for (int j = 0; j < STEP_BLOCKS; j++)
		top[j] = (v64)_mm512_maskz_set1_epi64(
			_mm512_cmpge_epi64_mask(block, _mm512_set1_epi64(-j)), 1LL << 40);
	if (h_power)
		absorb(h->limb, power, h_power, row, top);
	else
		absorb(h->limb, power, NULL, row, top);
}

/* Does @steps steps in which all blocks exist and are whole. After each step, each lane moves
 * forward in its packet by @step_blocks blocks. */
static INLINE void absorb_whole(struct number *number, const struct factor *power,
				const struct factor *h_power, const struct rows *rows, size_t steps,
				size_t step_blocks)
{
	const v64 one = (v64){ 0 } + (1ULL << 40), top[STEP_BLOCKS] = { one, one, one, one };
	const uint8_t *at[POLY_LANES];
	v64 h[3];

	for (int i = 0; i < 3; i++)
		h[i] = number->limb[i];
	for (int l = 0; l < POLY_LANES; l++)
		at[l] = rows->mac[l]->data + rows->block[l] * POLY_BLOCK_LEN;
	for (size_t offset = 0; steps > 0; steps--, offset += step_blocks * POLY_BLOCK_LEN) {
		__m512i row[8];

		for (int l = 0; l < POLY_LANES; l++)
			row[l] = _mm512_loadu_si512(at[l] + offset);
		absorb(h, power, h_power, row, top);
	}
	for (int i = 0; i < 3; i++)
		number->limb[i] = h[i];
}

static INLINE void advance(struct rows *rows, size_t steps, size_t step_blocks)
{
	for (int l = 0; l < POLY_LANES; l++)
		rows->block[l] += (int64_t)(steps * step_blocks);
}

/* Fully reduces @h, adds s and writes the tags. RFC 8439 2.5 */
static INLINE void finish(struct number *h, v64 s_low, v64 s_high, uint8_t *const *tag, size_t n)
{
	v64 l0 = h->limb[0], l1 = h->limb[1], l2 = h->limb[2], g0, g1, g2, low, high;
	__m512i even, odd;
	__mmask8 keep, over;

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
	keep = _mm512_movepi64_mask((__m512i)g2);
	l0 = (v64)_mm512_mask_mov_epi64((__m512i)(g0 & LIMB_MASK), keep, (__m512i)l0);
	l1 = (v64)_mm512_mask_mov_epi64((__m512i)(g1 & LIMB_MASK), keep, (__m512i)l1);
	l2 = (v64)_mm512_mask_mov_epi64((__m512i)g2, keep, (__m512i)l2);
	low = (l0 | l1 << 44) + s_low;
	high = (l1 >> 20 | l2 << 24) + s_high;
	over = _mm512_cmplt_epu64_mask((__m512i)low, (__m512i)s_low);
	high = (v64)_mm512_mask_add_epi64((__m512i)high, over, (__m512i)high, _mm512_set1_epi64(1));
	even = _mm512_unpacklo_epi64((__m512i)low, (__m512i)high);
	odd = _mm512_unpackhi_epi64((__m512i)low, (__m512i)high);
	for (size_t l = 0; l < n; l += 2) {
		_mm_storeu_si128((__m128i *)tag[l], _mm512_castsi512_si128(even));
		if (l + 1 < n)
			_mm_storeu_si128((__m128i *)tag[l + 1], _mm512_castsi512_si128(odd));
		even = _mm512_shuffle_i64x2(even, even, 0x39);
		odd = _mm512_shuffle_i64x2(odd, odd, 0x39);
	}
}

/* Loads the keys of all lanes: computes r^1 to r^4 in each lane, and sets the two halves of s. */
static INLINE void load_poly_keys(struct poly *poly, const struct rows *rows, v64 *s_low,
				  v64 *s_high)
{
	__m512i k[8];

	for (int l = 0; l < POLY_LANES; l++)
		k[l] = _mm512_castsi256_si512(
			_mm256_loadu_si256((const __m256i *)rows->mac[l]->key));
	transpose64(k);
	*s_low = (v64)k[2];
	*s_high = (v64)k[3];
	split(poly->power[0].x.limb, (v64)k[0] & POLY_R_LOW_MASK, (v64)k[1] & POLY_R_HIGH_MASK,
	      (v64){ 0 });
	set_x20(&poly->power[0]);
	mul(&poly->power[1], &poly->power[0].x, &poly->power[0]);
	mul(&poly->power[2], &poly->power[1].x, &poly->power[0]);
	mul(&poly->power[3], &poly->power[1].x, &poly->power[1]);
}

/* Computes the tags of @n packets, at most POLY_LANES. */
static void mac_parallel(struct poly *poly, const struct mac *const mac[], size_t n)
{
	size_t most = 0, least = SIZE_MAX, steps, whole;
	struct number h = { { { 0 } } };
	uint8_t *tag[POLY_LANES];
	v64 s_low, s_high;
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

/* Computes r^32, and r^(28 - 4 l) in each lane l. Each exponent 28 - 4 l is a sum of some of 4, 8
 * and 16, so the power is a product of some of r^4, r^8 and r^16. */
static INLINE void compute_lane_powers(struct poly *poly, struct number *lane_power)
{
	struct factor *p32 = &poly->power[STEP_BLOCKS], p8, p16, select;
	struct number *p4 = &poly->power[3].x, x = { { (v64){ 0 } + 1 } };

	mul(&p8, p4, &poly->power[3]);
	mul(&p16, &p8.x, &p8);
	mul(p32, &p16.x, &p16);
	for (int i = 0; i < 3; i++) {
		x.limb[i] =
			(v64)_mm512_mask_mov_epi64((__m512i)x.limb[i], 0x55, (__m512i)p4->limb[i]);
		select.x.limb[i] = (v64)_mm512_mask_mov_epi64(_mm512_set1_epi64(i == 0), 0x33,
							      (__m512i)p8.x.limb[i]);
	}
	set_x20(&select);
	mul(&select, &x, &select);
	x = select.x;
	for (int i = 0; i < 3; i++)
		select.x.limb[i] = (v64)_mm512_mask_mov_epi64(_mm512_set1_epi64(i == 0), 0x0f,
							      (__m512i)p16.x.limb[i]);
	set_x20(&select);
	mul(&select, &x, &select);
	*lane_power = select.x;
}

/* Computes the tag of one long packet. */
static void mac_dealt(struct poly *poly, const struct mac *mac)
{
	const size_t step_blocks = POLY_LANES * STEP_BLOCKS;
	size_t blocks = blocks_of(mac), steps = (blocks + step_blocks - 1) / step_blocks;
	struct number h = { { { 0 } } }, lane_power;
	struct factor sum;
	v64 s_low, s_high;
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
	for (int i = 0; i < 3; i++)
		h.limb[i] = (v64){ 0 } + (uint64_t)_mm512_reduce_add_epi64((__m512i)sum.x.limb[i]);
	finish(&h, s_low, s_high, (uint8_t *const[]){ mac->tag }, 1);
}

/* Computes the tag of one packet. */
static void mac_one(struct poly *poly, const struct mac *mac)
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
