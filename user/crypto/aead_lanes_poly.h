/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_poly.h - Poly1305, LANES / 2 packets side by side. Included by a backend's file only.
 *
 *                  lane 0      lane 1      lane 2   ...
 *         h[0]     limb 0      limb 0      limb 0       Each lane evaluates one strip of 16-byte
 *         ...                                           blocks with the r of its own packet:
 *         h[4]     limb 4      limb 4      limb 4       h := (h + block) r  mod 2^130 - 5
 *
 * A number is five limbs of 26 bits, each in 64, so that sums of products fit without a carry.
 * Two blocks are taken at once, h := (h + m1) r^2 + m2 r, and carried once.
 *
 * Bounds: r's limbs are below 2^26; a carried limb is below 2^26 + 2^12; 5 r < 2^28.4. A sum of ten
 * products stays below 5 (2^27.1 2^28.4 + 2^26 2^28.4) < 2^59.
 *
 * A lane runs until its strip ends and then takes the next one, so that packets of different
 * lengths keep the lanes full. A long packet alone is cut into equal strips, one a lane, which
 * are put together with powers of r.
 */
#ifndef WGXDP_AEAD_LANES_POLY_H
#define WGXDP_AEAD_LANES_POLY_H

#define STRIPS (LANES / 2)
#define POLY_BLOCK_LEN 16
#define LIMB_BITS 26
#define LIMB_MASK ((1U << LIMB_BITS) - 1)
#define SPLIT_MIN_BLOCKS (6 * STRIPS) /* of a packet that is worth cutting into strips */

/* Five limbs in each lane. */
union number {
	v64 limb[5];
	uint64_t lane[5][STRIPS];
};

/* To multiply by: what goes past 2^130 comes back in as 5 times itself. */
struct factor {
	union number x, x5;
};

/* A packet to be authenticated: Poly1305 over data, padding and lengths, without AAD. RFC 8439 2.8 */
struct mac {
	const uint8_t *key; /* 32 bytes: r, s */
	const uint8_t *data;
	size_t len;
	uint8_t *tag; /* out */
};

struct strip {
	const struct mac *mac; /* NULL: the lane is idle */
	const uint8_t *at;
	size_t blocks;
	bool is_tail; /* at points into tail */
	uint8_t tail[2 * POLY_BLOCK_LEN];
};

struct poly {
	union number h;
	struct factor r, r2;
	struct strip strips[STRIPS];
};

static INLINE uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

/* @d := @a * @f, or added to what is there; not carried. */
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

/* Two chains that run side by side: 0 1 2 3, and 3 4 0 1. */
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

/* @f := @a * @b, ready to multiply by. */
static void mul(struct factor *f, const union number *a, const struct factor *b)
{
	v64 d[5] = { { 0 } };

	mul_add(d, a->limb, b);
	carry(d);
	for (int i = 0; i < 5; i++) {
		f->x.limb[i] = d[i];
		f->x5.limb[i] = d[i] + (d[i] << 2);
	}
}

/* @m := the blocks with @low and @high as halves, each with a one above. RFC 8439 2.5 */
static INLINE void split(v64 m[5], v64 low, v64 high)
{
	const v64 mask = (v64){ 0 } + LIMB_MASK;

	m[0] = low & mask;
	m[1] = low >> 26 & mask;
	m[2] = (low >> 52 | high << 12) & mask;
	m[3] = high >> 14 & mask;
	m[4] = high >> 40 | ((v64){ 0 } + (1U << 24));
}

/* Two blocks from each of the @at: rows of low, high, low, high become columns. */
static INLINE void load2(v64 m1[5], v64 m2[5], const uint8_t *const at[STRIPS], size_t offset)
{
	__m256i low1[LANES / 8], high1[LANES / 8], low2[LANES / 8], high2[LANES / 8];

	for (int p = 0; p < LANES / 8; p++) {
		__m256i a[4], t[4];

		for (int i = 0; i < 4; i++)
			a[i] = _mm256_loadu_si256((const __m256i *)(at[4 * p + i] + offset));
		t[0] = _mm256_unpacklo_epi64(a[0], a[1]);
		t[1] = _mm256_unpackhi_epi64(a[0], a[1]);
		t[2] = _mm256_unpacklo_epi64(a[2], a[3]);
		t[3] = _mm256_unpackhi_epi64(a[2], a[3]);
		low1[p] = _mm256_permute2x128_si256(t[0], t[2], 0x20);
		high1[p] = _mm256_permute2x128_si256(t[1], t[3], 0x20);
		low2[p] = _mm256_permute2x128_si256(t[0], t[2], 0x31);
		high2[p] = _mm256_permute2x128_si256(t[1], t[3], 0x31);
	}
	split(m1, (v64)join(low1), (v64)join(high1));
	split(m2, (v64)join(low2), (v64)join(high2));
}

/* One block from each. */
static INLINE void load1(v64 m[5], const uint8_t *const at[STRIPS], size_t offset)
{
	__m256i low[LANES / 8], high[LANES / 8];

	for (int p = 0; p < LANES / 8; p++) {
		__m128i a[4];
		__m256i even, odd;

		for (int i = 0; i < 4; i++)
			a[i] = _mm_loadu_si128((const __m128i *)(at[4 * p + i] + offset));
		even = _mm256_inserti128_si256(_mm256_castsi128_si256(a[0]), a[2], 1);
		odd = _mm256_inserti128_si256(_mm256_castsi128_si256(a[1]), a[3], 1);
		low[p] = _mm256_unpacklo_epi64(even, odd);
		high[p] = _mm256_unpackhi_epi64(even, odd);
	}
	split(m, (v64)join(low), (v64)join(high));
}

/* Takes @blocks blocks from each of the @at into h. */
static void absorb(struct poly *poly, const uint8_t *const at[STRIPS], size_t blocks)
{
	v64 h[5], m1[5], m2[5];
	size_t i = 0;

	for (int k = 0; k < 5; k++)
		h[k] = poly->h.limb[k];
	for (; i + 2 <= blocks; i += 2) {
		load2(m1, m2, at, i * POLY_BLOCK_LEN);
		for (int k = 0; k < 5; k++) {
			m1[k] += h[k];
			h[k] = (v64){ 0 };
		}
		mul_add(h, m2, &poly->r);
		mul_add(h, m1, &poly->r2);
		carry(h);
	}
	if (i < blocks) {
		load1(m1, at, i * POLY_BLOCK_LEN);
		for (int k = 0; k < 5; k++) {
			m1[k] += h[k];
			h[k] = (v64){ 0 };
		}
		mul_add(h, m1, &poly->r);
		carry(h);
	}
	for (int k = 0; k < 5; k++)
		poly->h.limb[k] = h[k];
}

/* Lane @lane of @r := the clamped r of @key. RFC 8439 2.5 */
static void set_r(union number *r, int lane, const uint8_t *key)
{
	uint64_t low = load64(key) & 0x0ffffffc0fffffff;
	uint64_t high = load64(key + 8) & 0x0ffffffc0ffffffc;

	r->lane[0][lane] = low & LIMB_MASK;
	r->lane[1][lane] = low >> 26 & LIMB_MASK;
	r->lane[2][lane] = (low >> 52 | high << 12) & LIMB_MASK;
	r->lane[3][lane] = high >> 14 & LIMB_MASK;
	r->lane[4][lane] = high >> 40;
}

/* Writes the tag: lane @lane of @h in full, plus s. RFC 8439 2.5 */
static void finish(const struct mac *mac, const union number *h, int lane)
{
	uint64_t a[5], g[5], c = 0, keep, low, high, s;

	for (int i = 0; i < 5; i++)
		a[i] = h->lane[i][lane];
	/* Twice round: what leaves the top comes in as 5 times itself and may run up once more. */
	for (int i = 0; i < 10; i++) {
		a[i % 5] += c;
		c = a[i % 5] >> LIMB_BITS;
		a[i % 5] &= LIMB_MASK;
		if (i == 4)
			c *= 5;
	}
	a[0] += 5 * c;
	/* g = a + 5 - 2^130 is what is left of an a that is not below p. */
	c = 5;
	for (int i = 0; i < 5; i++) {
		g[i] = a[i] + c;
		c = g[i] >> LIMB_BITS;
		g[i] &= LIMB_MASK;
	}
	keep = c - 1; /* all ones: a is below p */
	for (int i = 0; i < 5; i++)
		a[i] = (a[i] & keep) | (g[i] & ~keep);
	low = a[0] | a[1] << 26 | a[2] << 52;
	high = a[2] >> 12 | a[3] << 14 | a[4] << 40;
	s = load64(mac->key + 16);
	low += s;
	high += load64(mac->key + 24) + (low < s);
	memcpy(mac->tag, &low, 8);
	memcpy(mac->tag + 8, &high, 8);
}

/* The rest of the packet from its last whole block on, then the lengths: AAD none, data. */
static void enter_tail(struct strip *s)
{
	size_t rest = s->mac->len % POLY_BLOCK_LEN;
	uint64_t len = s->mac->len;

	memset(s->tail, 0, sizeof(s->tail));
	memcpy(s->tail, s->at, rest);
	s->blocks = rest ? 2 : 1;
	memcpy(s->tail + (s->blocks - 1) * POLY_BLOCK_LEN + 8, &len, 8);
	s->at = s->tail;
	s->is_tail = true;
}

/* Puts @mac, or none for NULL, into lane @lane. */
static void enter(struct poly *poly, int lane, const struct mac *mac)
{
	struct strip *s = &poly->strips[lane];

	s->mac = mac;
	if (!mac)
		return;
	set_r(&poly->r.x, lane, mac->key);
	for (int i = 0; i < 5; i++)
		poly->h.lane[i][lane] = 0;
	s->at = mac->data;
	s->blocks = mac->len / POLY_BLOCK_LEN;
	s->is_tail = false;
	if (s->blocks == 0)
		enter_tail(s);
}

/* Runs all lanes to the end of the shortest strip. Idle lanes read along with that one; what they
 * make of it is never looked at. Returns false when all are idle. */
static bool run(struct poly *poly)
{
	const struct strip *shortest = NULL;
	const uint8_t *at[STRIPS];
	size_t blocks;

	for (int l = 0; l < STRIPS; l++) {
		const struct strip *s = &poly->strips[l];

		if (s->mac && (!shortest || s->blocks < shortest->blocks))
			shortest = s;
	}
	if (!shortest)
		return false;
	blocks = shortest->blocks;
	for (int l = 0; l < STRIPS; l++)
		at[l] = poly->strips[l].mac ? poly->strips[l].at : shortest->at;
	absorb(poly, at, blocks);
	for (int l = 0; l < STRIPS; l++) {
		if (!poly->strips[l].mac)
			continue;
		poly->strips[l].at += blocks * POLY_BLOCK_LEN;
		poly->strips[l].blocks -= blocks;
	}
	return true;
}

/* After r has been set in any lane: what is multiplied by. */
static void prepare(struct poly *poly)
{
	for (int i = 0; i < 5; i++)
		poly->r.x5.limb[i] = poly->r.x.limb[i] * 5;
	mul(&poly->r2, &poly->r.x, &poly->r);
}

/* Runs until every lane is idle, entering those of the @n packets that have no lane yet. */
static void drain(struct poly *poly, const struct mac *macs, size_t n)
{
	size_t next = 0;

	while (run(poly)) {
		bool entered = false;

		for (int l = 0; l < STRIPS; l++) {
			struct strip *s = &poly->strips[l];

			if (!s->mac || s->blocks)
				continue;
			if (!s->is_tail) {
				enter_tail(s);
				continue;
			}
			finish(s->mac, &poly->h, l);
			entered |= next < n;
			enter(poly, l, next < n ? &macs[next++] : NULL);
		}
		if (entered)
			prepare(poly);
	}
}

/* h in lane 0 := the value of all strips, each @blocks long:
 * ((h0 p + h1) p + h2) p + h3 = (h0 p + h1) p^2 + (h2 p + h3) with p = r^blocks, pair by pair. */
static void fold(struct poly *poly, size_t blocks)
{
	struct factor p = poly->r, shifted;
	size_t bit = 1;

	while (bit <= blocks / 2)
		bit *= 2;
	while (bit /= 2) {
		mul(&p, &p.x, &p);
		if (blocks & bit)
			mul(&p, &p.x, &poly->r);
	}
	for (int left = STRIPS / 2; left > 0; left /= 2) {
		mul(&shifted, &poly->h, &p);
		for (int i = 0; i < 5; i++) {
			for (int l = 0; l < left; l++)
				poly->h.lane[i][l] =
					shifted.x.lane[i][2 * l] + poly->h.lane[i][2 * l + 1];
		}
		mul(&p, &p.x, &p);
	}
	wipe(&p, sizeof(p));
	wipe(&shifted, sizeof(shifted));
}

/* Authenticates one long packet with all lanes. */
static void mac_one(struct poly *poly, const struct mac *mac)
{
	size_t each = mac->len / POLY_BLOCK_LEN / STRIPS;
	const uint8_t *at[STRIPS];

	for (int l = 0; l < STRIPS; l++) {
		enter(poly, l, mac);
		at[l] = mac->data + (size_t)l * each * POLY_BLOCK_LEN;
	}
	prepare(poly);
	absorb(poly, at, each);
	fold(poly, each);
	for (int l = 1; l < STRIPS; l++)
		enter(poly, l, NULL);
	poly->strips[0].at += each * STRIPS * POLY_BLOCK_LEN;
	poly->strips[0].blocks -= each * STRIPS;
	if (poly->strips[0].blocks == 0)
		enter_tail(&poly->strips[0]);
	drain(poly, NULL, 0);
}

/* Authenticates the @n packets, side by side where there are enough. */
static void mac_many(struct poly *poly, const struct mac *macs, size_t n)
{
	size_t next = 0;

	while (n <= STRIPS / 2 && next < n && macs[next].len / POLY_BLOCK_LEN >= SPLIT_MIN_BLOCKS)
		mac_one(poly, &macs[next++]);
	for (int l = 0; l < STRIPS; l++)
		enter(poly, l, next < n ? &macs[next++] : NULL);
	prepare(poly);
	drain(poly, macs + next, n - next);
}

#endif
