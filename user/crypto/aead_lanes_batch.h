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

#define WINDOW 32 /* packets; what they touch should stay near */

/* What callees use of the stack at most: where lanes were used, and where they were not. */
#define BURN_BYTES (6 * 1024)
#define BURN_SHALLOW_BYTES (2 * 1024)

/* The end of a packet, which is in the slot's scratch. */
struct output {
	uint8_t *dst;
	size_t len;
};

/* What a part of the batch needs. */
struct window {
	/* Secret; clean() knows how much of it was written: */
	alignas(64) uint8_t scratch[SLOTS][BLOCK_LEN]; /* what is no whole block, or waits */
	uint8_t keys[WINDOW][BLOCK_LEN];	       /* the first half is used */
	uint8_t tags[WINDOW][AEAD_TAG_LEN];
	struct poly poly;
	/* Public: */
	struct mac macs[WINDOW];
	struct blocks blocks;
	struct output outputs[SLOTS];
	size_t used;	/* of the slots */
	size_t touched; /* of the scratch */
};

static const uint8_t zeros[BLOCK_LEN];

/* Computes what is in the slots. */
static void compute(struct window *w)
{
	size_t slots = slots_for(w->used);

	if (slots > w->touched)
		w->touched = slots;
	/* A slot without work repeats the first one's. */
	for (size_t i = w->used; i < slots; i++) {
		w->blocks.key[i] = w->blocks.key[0];
		w->blocks.src[i] = zeros;
		w->blocks.dst[i] = w->scratch[i];
	}
	keystream(&w->blocks, w->used);
}

/* Computes and puts out what is in the slots, and empties them. */
static void flush(struct window *w)
{
	if (w->used == 0)
		return;
	compute(w);
	for (size_t i = 0; i < w->used; i++) {
		if (w->blocks.dst[i] == w->scratch[i])
			memcpy(w->outputs[i].dst, w->scratch[i], w->outputs[i].len);
	}
	w->used = 0;
}

/* Takes a slot for block @number of the packet: @dst := @src ^ key stream. */
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
	if (len == BLOCK_LEN) {
		w->blocks.src[i] = src;
		w->blocks.dst[i] = dst;
		return;
	}
	memcpy(w->scratch[i], src, len);
	w->blocks.src[i] = w->blocks.dst[i] = w->scratch[i];
	w->outputs[i] = (struct output){ .dst = dst, .len = len };
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

/* The packet's key stream, to where it waits for the verdict. */
static void push_stream(struct window *w, const struct aead_job *job)
{
	for (uint32_t number = 1; number <= data_blocks(job); number++)
		push(w, job, number, zeros, w->scratch[w->used], BLOCK_LEN);
}

static INLINE void xor_block(uint8_t *dst, const uint8_t *src, const uint8_t *stream)
{
	for (int i = 0; i < BLOCK_LEN; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(src + i));

		x = _mm256_xor_si256(x, _mm256_load_si256((const __m256i *)(stream + i)));
		_mm256_storeu_si256((__m256i *)(dst + i), x);
	}
}

/* Decrypts with the key stream from @slot on. */
static void decrypt(struct window *w, const struct aead_job *job, size_t slot)
{
	uint8_t *end = w->keys[0]; /* no longer needed */
	size_t at = 0, rest = job->len % BLOCK_LEN;

	for (; at + BLOCK_LEN <= job->len; at += BLOCK_LEN)
		xor_block(job->dst + at, job->src + at, w->scratch[slot++]);
	if (!rest)
		return;
	memcpy(end, job->src + at, rest);
	xor_block(end, end, w->scratch[slot]);
	memcpy(job->dst + at, end, rest);
}

/* As above for packets all of whose blocks fit into the slots: computed once, put out later. */
static void open_few(struct window *w, struct aead_job *jobs, size_t n)
{
	size_t slot = n;

	for (size_t i = 0; i < n; i++)
		push_key(w, &jobs[i], w->keys[i]);
	for (size_t i = 0; i < n; i++)
		push_stream(w, &jobs[i]);
	compute(w);
	w->used = 0;
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].ok)
			decrypt(w, &jobs[i], slot);
		else
			memset(jobs[i].dst, 0, jobs[i].len);
		slot += data_blocks(&jobs[i]);
	}
}

static bool are_few(const struct aead_job *jobs, size_t n)
{
	size_t blocks = n;

	for (size_t i = 0; i < n && blocks <= SLOTS; i++)
		blocks += data_blocks(&jobs[i]);
	return blocks <= SLOTS;
}

/* Overwrites what callees' frames held: the state of ChaCha20 and sums, which the compiler keeps on the
 * stack where registers do not suffice. */
static __attribute__((noinline)) void burn(void)
{
	uint8_t below[BURN_BYTES];

	wipe(below, sizeof(below));
}

static __attribute__((noinline)) void burn_shallow(void)
{
	uint8_t below[BURN_SHALLOW_BYTES];

	wipe(below, sizeof(below));
}

/* Leaves no secret behind after a batch of @n: in the window, below it on the stack, in registers. */
static INLINE void clean(struct window *w, size_t n)
{
	size_t packets = n < WINDOW ? n : WINDOW;

	wipe(w->scratch, w->touched * BLOCK_LEN);
	wipe(w->keys, packets * BLOCK_LEN);
	wipe(w->tags, packets * AEAD_TAG_LEN);
	if (w->poly.lanes_used)
		wipe(&w->poly, sizeof(w->poly));
	else
		wipe(&w->poly.one, sizeof(w->poly.one));
	if (w->touched > ROW_GROUPS * ROWS || w->poly.lanes_used)
		burn();
	else
		burn_shallow();
	clear_registers();
}

static INLINE void start(struct window *w)
{
	w->used = w->touched = 0;
	w->poly.lanes_used = false;
}

static void seal_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	start(&w);
	for (size_t at = 0; at < n; at += WINDOW)
		seal_window(&w, jobs + at, n - at < WINDOW ? n - at : WINDOW);
	clean(&w, n);
}

static void open_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	start(&w);
	for (size_t at = 0; at < n; at += WINDOW) {
		size_t count = n - at < WINDOW ? n - at : WINDOW;

		if (are_few(jobs + at, count))
			open_few(&w, jobs + at, count);
		else
			open_window(&w, jobs + at, count);
	}
	clean(&w, n);
}

#endif
