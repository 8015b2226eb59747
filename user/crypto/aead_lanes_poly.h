/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_poly.h - Poly1305, LANES / 2 packets at a time. Only backends include this file.
 *
 *                  lane 0      lane 1      lane 2   ...
 *         h[0]     limb 0      limb 0      limb 0       Each lane evaluates one strip of 16-byte
 *         ...                                           blocks with the r of its own packet:
 *         h[4]     limb 4      limb 4      limb 4       h := (h + block) r  mod 2^130 - 5
 *
 * A number is five limbs of 26 bits. Each limb has 64 bits of room, so that sums of products need
 * no carry. A step adds two blocks, h := (h + m1) r^2 + m2 r, and carries once.
 *
 * Bounds: the limbs of r are below 2^26. A carried limb is below 2^26 + 2^12. The top limb of a
 * power that aead_poly_scalar.c has computed may be larger, but is below 2^26.33. So five times a
 * limb of a factor is below 2^28.7, and a sum of ten products stays below
 * 5 (2^27.1 2^28.7 + 2^26 2^28.7) < 2^59.
 *
 * When the strip of a lane ends, the lane continues with the next packet, so that packets of
 * different lengths keep all lanes busy. The blocks of a single long packet are dealt to all lanes,
 * two blocks to each lane per turn:
 *
 *                  lane 0      lane 1      lane 2      lane 3
 *      turn 0      m0  m1      m2  m3      m4  m5      m6  m7       h := (h + m) r^8 + m' r^7
 *      turn 1      m8  m9      m10 m11     m12 m13     m14 m15      the same
 *      last        m16 m17     m18 m19     m20 m21     m22 m23      lane 0 as before, lane 1 with
 *                                                                   r^6 and r^5, and so on; then
 *                                                                   the lanes are added up
 */
#ifndef WGXDP_AEAD_LANES_POLY_H
#define WGXDP_AEAD_LANES_POLY_H

#define POLY_LANES (LANES / 2)
#define LIMB_BITS 26
#define LIMB_MASK ((1U << LIMB_BITS) - 1)
#define TURN (2 * POLY_LANES) /* blocks per turn of a packet that is dealt to all lanes */
#define DEAL_MIN_BLOCKS                                                                            \
	(12 * POLY_LANES) /* with fewer blocks, scalar code is faster than dealing to all lanes */

/* One number per lane, in five limbs. */
union number {
	v64 limb[5];
	uint64_t lane[5][POLY_LANES];
};

/* A number to multiply with. x5 is 5 x, which replaces 2^130 x in a product. */
struct factor {
	union number x, x5;
};

/* The part of a packet that a lane still has to process. */
struct strip {
	const struct mac *mac; /* NULL: the lane is idle */
	const uint8_t *at;
	size_t blocks;
	bool is_tail; /* @at points into @tail */
	uint8_t tail[2 * POLY_BLOCK_LEN];
};

struct poly {
	union number h;
	struct factor r, r2;
	struct strip strips[POLY_LANES];
	/* The members from @one to @powers are for a packet that is processed alone. */
	struct poly_scalar one; /* if lanes_used is false, only this member was written */
	struct factor last_r, last_r2;
	uint64_t powers[TURN][3]; /* r, r^2, ... */
	bool lanes_used;
};

/* Adds @a * @f to @d, without carrying. */
static INLINE void mul_add(v64 d[5], const v64 a[5], const struct factor *f)
{
	for (int i = 0; i < 5; i++) {
		for (int j = 0; j < 5; j++)
			d[(i + j) % 5] += mul32(a[i], (i + j < 5 ? f->x : f->x5).limb[j]);
	}
}

static INLINE void carry_to(v64 *to, v64 *from)
{
	*to += *from >> LIMB_BITS;
	*from &= (v64){ 0 } + LIMB_MASK;
}

/* Moves the excess bits of each limb into the next one, in two sequences: from limb 0 to 1, 2, 3
 * and 4, and from limb 3 to 4, 0 and 1. Both sequences are interleaved, so that their latencies
 * overlap. */
static INLINE void carry(v64 d[5])
{
	v64 top;

	carry_to(&d[4], &d[3]);
	carry_to(&d[1], &d[0]);
	top = d[4] >> LIMB_BITS;
	d[4] &= (v64){ 0 } + LIMB_MASK;
	d[0] += top + (top << 2);
	carry_to(&d[2], &d[1]);
	carry_to(&d[3], &d[2]);
	carry_to(&d[1], &d[0]);
	carry_to(&d[4], &d[3]);
}

static INLINE void set_x5(struct factor *f)
{
	for (int i = 0; i < 5; i++)
		f->x5.limb[i] = f->x.limb[i] + (f->x.limb[i] << 2);
}

/* @f := @a * @b */
static void mul(struct factor *f, const union number *a, const struct factor *b)
{
	v64 d[5] = { { 0 } };

	mul_add(d, a->limb, b);
	carry(d);
	for (int i = 0; i < 5; i++)
		f->x.limb[i] = d[i];
	set_x5(f);
}

/* Splits blocks, given as 64-bit halves, into limbs, and sets the bit that is appended to each
 * block (2^128). RFC 8439 2.5 */
static INLINE void split(v64 m[5], v64 low, v64 high)
{
	const v64 mask = (v64){ 0 } + LIMB_MASK;

	m[0] = low & mask;
	m[1] = low >> 26 & mask;
	m[2] = (low >> 52 | high << 12) & mask;
	m[3] = high >> 14 & mask;
	m[4] = high >> 40 | ((v64){ 0 } + (1U << 24));
}

/* @h := (@h + m1) * @r2 + m2 * @r, where m1 and m2 are the two blocks at @offset from each address
 * in @at. */
static INLINE void absorb2(v64 h[5], const struct factor *r2, const struct factor *r,
			   const uint8_t *const at[POLY_LANES], size_t offset)
{
	v64 m1[5], m2[5], low[2], high[2];

	load2(low, high, at, offset);
	split(m1, low[0], high[0]);
	split(m2, low[1], high[1]);
	for (int k = 0; k < 5; k++) {
		m1[k] += h[k];
		h[k] = (v64){ 0 };
	}
	mul_add(h, m2, r);
	mul_add(h, m1, r2);
	carry(h);
}

/* @h := (@h + m) * @r, where m is the block at @offset from each address in @at. */
static INLINE void absorb1(v64 h[5], const struct factor *r, const uint8_t *const at[POLY_LANES],
			   size_t offset)
{
	v64 m[5], low, high;

	load1(&low, &high, at, offset);
	split(m, low, high);
	for (int k = 0; k < 5; k++) {
		m[k] += h[k];
		h[k] = (v64){ 0 };
	}
	mul_add(h, m, r);
	carry(h);
}

/* Adds @blocks blocks from each address in @at to h. */
static void absorb(struct poly *poly, const uint8_t *const at[POLY_LANES], size_t blocks)
{
	v64 h[5];
	size_t i = 0;

	for (int k = 0; k < 5; k++)
		h[k] = poly->h.limb[k];
	for (; i + 2 <= blocks; i += 2)
		absorb2(h, &poly->r2, &poly->r, at, i * POLY_BLOCK_LEN);
	if (i < blocks)
		absorb1(h, &poly->r, at, i * POLY_BLOCK_LEN);
	for (int k = 0; k < 5; k++)
		poly->h.limb[k] = h[k];
}

/* Sets lane @lane of @r to @x. */
static INLINE void set_lane(union number *r, int lane, const uint64_t x[3])
{
	r->lane[0][lane] = x[0] & LIMB_MASK;
	r->lane[1][lane] = x[0] >> 26 & LIMB_MASK;
	r->lane[2][lane] = (x[0] >> 52 | x[1] << 12) & LIMB_MASK;
	r->lane[3][lane] = x[1] >> 14 & LIMB_MASK;
	r->lane[4][lane] = x[1] >> 40 | x[2] << 24;
}

/* Converts the limbs @a, which may exceed 26 bits, to @h, which is below 2^130. Changes @a. */
static INLINE void from_limbs(uint64_t h[3], uint64_t a[5])
{
	uint64_t c = 0;

	/* Carries through the limbs twice, because the carry out of the top limb, times 5, is added
	 * to the lowest limb and may carry again. */
	for (int i = 0; i < 10; i++) {
		a[i % 5] += c;
		c = a[i % 5] >> LIMB_BITS;
		a[i % 5] &= LIMB_MASK;
		if (i == 4)
			c *= 5;
	}
	a[0] += 5 * c;
	h[0] = a[0] | a[1] << 26 | a[2] << 52;
	h[1] = a[2] >> 12 | a[3] << 14 | a[4] << 40;
	h[2] = a[4] >> 24;
}

/* Writes the tag of the packet in lane @lane. */
static void finish(const struct mac *mac, const union number *h, int lane)
{
	uint64_t a[5];
	uint64_t words[3];

	for (int i = 0; i < 5; i++)
		a[i] = h->lane[i][lane];
	from_limbs(words, a);
	poly_scalar_finish(mac->tag, words, mac->key);
}

/* Continues a strip, whose whole blocks have been processed, with the last blocks that poly_tail()
 * makes: a partial block, if there is one, and the block of lengths. */
static void strip_start_tail(struct strip *s)
{
	s->blocks = poly_tail(s->tail, s->at, s->mac->len);
	s->at = s->tail;
	s->is_tail = true;
}

/* Starts the strip of @mac in lane @lane; NULL makes the lane idle. */
static void strip_start(struct poly *poly, int lane, const struct mac *mac)
{
	struct strip *s = &poly->strips[lane];

	s->mac = mac;
	if (!mac)
		return;
	set_lane(&poly->r.x, lane,
		 (const uint64_t[]){ poly_scalar_r_low(mac->key), poly_scalar_r_high(mac->key),
				     0 });
	for (int i = 0; i < 5; i++)
		poly->h.lane[i][lane] = 0;
	s->at = mac->data;
	s->blocks = mac->len / POLY_BLOCK_LEN;
	s->is_tail = false;
	if (s->blocks == 0)
		strip_start_tail(s);
}

/* Advances all lanes by as many blocks as the shortest strip still has. Idle lanes process a copy
 * of that strip; their result is not used. Returns false if all lanes are idle. */
static bool advance_lanes(struct poly *poly)
{
	const struct strip *shortest = NULL;
	const uint8_t *at[POLY_LANES];
	size_t blocks;

	for (int l = 0; l < POLY_LANES; l++) {
		const struct strip *s = &poly->strips[l];

		if (s->mac && (!shortest || s->blocks < shortest->blocks))
			shortest = s;
	}
	if (!shortest)
		return false;
	blocks = shortest->blocks;
	for (int l = 0; l < POLY_LANES; l++)
		at[l] = poly->strips[l].mac ? poly->strips[l].at : shortest->at;
	absorb(poly, at, blocks);
	for (int l = 0; l < POLY_LANES; l++) {
		if (!poly->strips[l].mac)
			continue;
		poly->strips[l].at += blocks * POLY_BLOCK_LEN;
		poly->strips[l].blocks -= blocks;
	}
	return true;
}

/* Computes 5 r, r^2 and 5 r^2 of all lanes. Call this after setting r in one or more lanes. */
static void compute_factors(struct poly *poly)
{
	set_x5(&poly->r);
	mul(&poly->r2, &poly->r.x, &poly->r);
}

/* Runs the lanes until all are idle. A lane that has finished its packet gets the next of the @n
 * packets in @macs, or becomes idle if there is none. */
static void run_lanes(struct poly *poly, const struct mac *macs, size_t n)
{
	size_t next = 0;

	while (advance_lanes(poly)) {
		bool started = false;

		for (int l = 0; l < POLY_LANES; l++) {
			struct strip *s = &poly->strips[l];

			if (!s->mac || s->blocks)
				continue;
			if (!s->is_tail) {
				strip_start_tail(s);
				continue;
			}
			finish(s->mac, &poly->h, l);
			started |= next < n;
			strip_start(poly, l, next < n ? &macs[next++] : NULL);
		}
		if (started)
			compute_factors(poly);
	}
}

/* Computes the factors for deal(), which are powers of poly->one.r. In each turn of TURN blocks
 * except the last, all lanes multiply by the same two factors. In the last turn, each lane has two
 * factors of its own. */
static void set_powers(struct poly *poly)
{
	poly_scalar_powers(poly->powers, TURN, &poly->one);
	for (int l = 0; l < POLY_LANES; l++) {
		set_lane(&poly->last_r2.x, l, poly->powers[TURN - 2 * l - 1]);
		set_lane(&poly->last_r.x, l, poly->powers[TURN - 2 * l - 2]);
	}
	for (int i = 0; i < 5; i++) {
		poly->r2.x.limb[i] = (v64){ 0 } + poly->last_r2.x.lane[i][0];
		poly->r.x.limb[i] = (v64){ 0 } + poly->last_r.x.lane[i][0];
	}
	set_x5(&poly->r);
	set_x5(&poly->r2);
	set_x5(&poly->last_r);
	set_x5(&poly->last_r2);
}

/* Deals the first @turns * TURN blocks of a packet, which begin at @data, to all lanes, and sets
 * poly->one.h to the result. @turns is at least 1. */
static void deal(struct poly *poly, const uint8_t *data, size_t turns)
{
	const uint8_t *at[POLY_LANES];
	uint64_t sum[5] = { 0 };
	v64 h[5] = { { 0 } };
	size_t offset = 0;

	for (int l = 0; l < POLY_LANES; l++)
		at[l] = data + (size_t)l * 2 * POLY_BLOCK_LEN;
	poly->lanes_used = true;
	set_powers(poly);
	for (; turns > 1; turns--, offset += TURN * POLY_BLOCK_LEN)
		absorb2(h, &poly->r2, &poly->r, at, offset);
	absorb2(h, &poly->last_r2, &poly->last_r, at, offset);
	for (int i = 0; i < 5; i++) {
		poly->h.limb[i] = h[i];
		for (int l = 0; l < POLY_LANES; l++)
			sum[i] += poly->h.lane[i][l];
	}
	from_limbs(poly->one.h, sum);
}

/* Computes the tag of one packet. */
static void mac_one(struct poly *poly, const struct mac *mac)
{
	size_t blocks = mac->len / POLY_BLOCK_LEN, dealt = 0;

	poly_scalar_init(&poly->one, mac->key);
	if (blocks >= DEAL_MIN_BLOCKS) {
		dealt = blocks - blocks % TURN;
		deal(poly, mac->data, dealt / TURN);
	}
	poly_scalar_complete(&poly->one, mac, dealt);
}

/* Computes the tags of @n packets: one packet per lane, or one by one if at least half of the lanes
 * would be idle. */
static void mac_many(struct poly *poly, const struct mac *macs, size_t n)
{
	size_t next = 0;

	if (n <= POLY_LANES / 2) {
		while (next < n)
			mac_one(poly, &macs[next++]);
		return;
	}
	poly->lanes_used = true;
	for (int l = 0; l < POLY_LANES; l++)
		strip_start(poly, l, next < n ? &macs[next++] : NULL);
	compute_factors(poly);
	run_lanes(poly, macs + next, n - next);
}

#endif
