/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_batch.h - seal and open over the lanes. Included by a backend's file only.
 *
 * The blocks of all packets form one queue, and the lanes take from it as they come:
 *
 *     seal   K0 a0 a1 a2 K1 b0 K2 c0 | c1 c2 c3 ...      K: block 0, the packet's Poly1305 key
 *     open   K0 K1 K2 K3 K4 K5 K6 K7 | ... then, of the packets whose tag was right, a0 a1 a2 b0 ...
 *
 * A forged packet is thus never decrypted.
 */
#ifndef WGXDP_AEAD_LANES_BATCH_H
#define WGXDP_AEAD_LANES_BATCH_H

#include "crypto/aead_lanes_chacha.h"
#include "crypto/aead_lanes_poly.h"

#define WINDOW 32 /* packets; what they touch should stay in the first level cache */

struct output {
	const uint8_t *src;
	uint8_t *dst;
	size_t len;
};

/* What a part of the batch needs. */
struct window {
	/* Secret, to be wiped: */
	alignas(64) uint8_t stream[SLOTS][BLOCK_LEN];
	uint8_t keys[WINDOW][BLOCK_LEN]; /* the first half is used */
	uint8_t tags[WINDOW][AEAD_TAG_LEN];
	struct poly poly;
	/* Public: */
	struct mac macs[WINDOW];
	struct blocks blocks;
	struct output outputs[SLOTS];
	size_t used; /* of the slots */
};

static const uint8_t zeros[BLOCK_LEN];

static INLINE void xor_block(uint8_t *dst, const uint8_t *src, const uint8_t *stream)
{
	for (int i = 0; i < BLOCK_LEN; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(src + i));

		x = _mm256_xor_si256(x, _mm256_load_si256((const __m256i *)(stream + i)));
		_mm256_storeu_si256((__m256i *)(dst + i), x);
	}
}

static INLINE void xor_out(const struct output *o, const uint8_t *stream)
{
	uint8_t last[BLOCK_LEN] = { 0 };

	if (o->len == BLOCK_LEN) {
		xor_block(o->dst, o->src, stream);
		return;
	}
	memcpy(last, o->src, o->len);
	xor_block(last, last, stream);
	memcpy(o->dst, last, o->len);
}

/* Computes what is in the slots. */
static void fill_stream(struct window *w)
{
	/* A slot without work repeats the first one's. */
	for (size_t i = w->used; i < SLOTS; i++)
		w->blocks.key[i] = w->blocks.key[0];
	keystream(w->stream, &w->blocks, w->used);
}

/* Computes and puts out what is in the slots, and empties them. */
static void flush(struct window *w)
{
	if (w->used == 0)
		return;
	fill_stream(w);
	for (size_t i = 0; i < w->used; i++)
		xor_out(&w->outputs[i], w->stream[i]);
	w->used = 0;
}

/* Takes a slot for block @number of the packet: @dst := @src ^ keystream. */
static INLINE void push(struct window *w, const struct aead_job *job, uint32_t number,
			const uint8_t *src, uint8_t *dst, size_t len)
{
	size_t i;

	if (w->used == SLOTS)
		flush(w);
	i = w->used++;
	w->blocks.key[i] = job->key;
	w->blocks.number[i] = number;
	w->blocks.low[i] = (uint32_t)job->counter;
	w->blocks.high[i] = (uint32_t)(job->counter >> 32);
	w->outputs[i] = (struct output){ .src = src, .dst = dst, .len = len };
}

static void push_key(struct window *w, const struct aead_job *job, uint8_t *key)
{
	push(w, job, 0, zeros, key, BLOCK_LEN);
}

static void push_data(struct window *w, const struct aead_job *job)
{
	uint32_t number = 1;

	for (size_t at = 0; at < job->len; at += BLOCK_LEN) {
		size_t len = job->len - at < BLOCK_LEN ? job->len - at : BLOCK_LEN;

		push(w, job, number++, job->src + at, job->dst + at, len);
	}
}

static size_t data_blocks(const struct aead_job *job)
{
	return ((size_t)job->len + BLOCK_LEN - 1) / BLOCK_LEN;
}

static void seal_window(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		push_key(w, &jobs[i], w->keys[i]);
		push_data(w, &jobs[i]);
	}
	flush(w);
	for (size_t i = 0; i < n; i++)
		w->macs[i] = (struct mac){ w->keys[i], jobs[i].dst, jobs[i].len,
					   jobs[i].dst + jobs[i].len };
	mac_many(&w->poly, w->macs, n);
}

/* Constant time: which bit differs is not asked. */
static uint64_t tags_differ(const uint8_t *a, const uint8_t *b)
{
	return (load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8));
}

/* Sets every job's ok. The packets' Poly1305 keys are there. */
static void verify(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		w->macs[i] = (struct mac){ w->keys[i], jobs[i].src, jobs[i].len, w->tags[i] };
	mac_many(&w->poly, w->macs, n);
	for (size_t i = 0; i < n; i++) {
		uint64_t differ = tags_differ(w->tags[i], jobs[i].src + jobs[i].len);

		declassify(&differ, sizeof(differ));
		jobs[i].ok = differ == 0;
	}
}

static void open_window(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		push_key(w, &jobs[i], w->keys[i]);
	flush(w);
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].ok)
			push_data(w, &jobs[i]);
		else
			memset(jobs[i].dst, 0, jobs[i].len);
	}
	flush(w);
}

/* As above for packets all of whose blocks fit into the slots: computed once, put out later. */
static void open_few(struct window *w, struct aead_job *jobs, size_t n)
{
	size_t slot = n;

	for (size_t i = 0; i < n; i++)
		push_key(w, &jobs[i], w->keys[i]);
	for (size_t i = 0; i < n; i++)
		push_data(w, &jobs[i]);
	fill_stream(w);
	for (size_t i = 0; i < n; i++)
		xor_out(&w->outputs[i], w->stream[i]);
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		size_t end = slot + data_blocks(&jobs[i]);

		if (!jobs[i].ok)
			memset(jobs[i].dst, 0, jobs[i].len);
		for (; slot < end; slot++) {
			if (jobs[i].ok)
				xor_out(&w->outputs[slot], w->stream[slot]);
		}
	}
	w->used = 0;
}

static bool are_few(const struct aead_job *jobs, size_t n)
{
	size_t blocks = n;

	for (size_t i = 0; i < n && blocks <= SLOTS; i++)
		blocks += data_blocks(&jobs[i]);
	return blocks <= SLOTS;
}

static void seal_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	w.used = 0;
	for (size_t at = 0; at < n; at += WINDOW)
		seal_window(&w, jobs + at, n - at < WINDOW ? n - at : WINDOW);
	wipe(&w, offsetof(struct window, macs));
}

static void open_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	w.used = 0;
	for (size_t at = 0; at < n; at += WINDOW) {
		size_t count = n - at < WINDOW ? n - at : WINDOW;

		if (are_few(jobs + at, count))
			open_few(&w, jobs + at, count);
		else
			open_window(&w, jobs + at, count);
	}
	wipe(&w, offsetof(struct window, macs));
}

#endif
