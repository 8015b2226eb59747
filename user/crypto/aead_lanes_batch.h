/* SPDX-License-Identifier: MIT */
/*
 * aead_lanes_batch.h - sealing and opening of batches with lanes. Only backends include this file.
 *
 * The ChaCha20 blocks of all packets form one queue, and the lanes take blocks from it in order.
 * Below, K is block 0 of a packet, which is its Poly1305 key; a0, a1 are blocks of packet a:
 *
 *     seal   Ka a0 a1 a2 Kb b0 Kc c0 | c1 c2 c3 ...
 *     open   Ka Kb Kc Kd Ke Kf Kg Kh | ... then the tags are checked, then a0 a1 a2 b0 ...
 *
 * Opening queues the data blocks only of packets whose tag was right, so a forged packet is never
 * decrypted.
 */
#ifndef WGXDP_AEAD_LANES_BATCH_H
#define WGXDP_AEAD_LANES_BATCH_H

#include "crypto/aead_lanes_chacha.h"
#include "crypto/aead_lanes_poly.h"

#define WINDOW 32 /* packets at a time, so that their bytes stay in the cache between two passes */

/* Upper bounds of the stack that callees use: with lanes, and with rows and scalar code only. */
#define DEEP_STACK_BYTES (6 * 1024)
#define SHALLOW_STACK_BYTES (2 * 1024)

/* Where the bytes of a partial block go, which is computed in the slot's scratch. */
struct output {
	uint8_t *dst;
	size_t len;
};

/* The working memory for up to WINDOW packets of a batch. */
struct window {
	/* Secret. wipe_traces() knows which parts of it were written. */
	alignas(64) uint8_t scratch[SLOTS][BLOCK_LEN]; /* partial blocks; unused key stream */
	uint8_t keys[WINDOW][BLOCK_LEN];	       /* Poly1305 keys, in the first half */
	uint8_t tags[WINDOW][AEAD_TAG_LEN];
	struct poly poly;
	/* Public. */
	struct mac macs[WINDOW];
	struct blocks blocks;
	struct output outputs[SLOTS];
	size_t used;	/* slots that hold a block */
	size_t touched; /* slots of the scratch that were written */
};

static const uint8_t zeros[BLOCK_LEN];

/* Computes the blocks in the slots. */
static void compute(struct window *w)
{
	size_t slots = slots_for(w->used);

	if (slots > w->touched)
		w->touched = slots;
	/* Slots without a block compute the first packet's key stream, and nobody reads the
	 * result. */
	for (size_t i = w->used; i < slots; i++) {
		w->blocks.key[i] = w->blocks.key[0];
		w->blocks.src[i] = zeros;
		w->blocks.dst[i] = w->scratch[i];
	}
	keystream(&w->blocks, w->used);
}

/* Computes the blocks in the slots, writes out the partial ones and empties the slots. */
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

/* Queues block @number of the packet's key stream: @dst := @src ^ block. */
static INLINE void queue_block(struct window *w, const struct aead_job *job, uint32_t number,
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

static void queue_key(struct window *w, const struct aead_job *job, uint8_t *key)
{
	queue_block(w, job, 0, zeros, key, BLOCK_LEN);
}

static void queue_data(struct window *w, const struct aead_job *job)
{
	uint32_t number = 1;

	for (size_t at = 0; at < job->len; at += BLOCK_LEN) {
		size_t len = job->len - at < BLOCK_LEN ? job->len - at : BLOCK_LEN;

		queue_block(w, job, number++, job->src + at, job->dst + at, len);
	}
}

static size_t data_blocks(const struct aead_job *job)
{
	return ((size_t)job->len + BLOCK_LEN - 1) / BLOCK_LEN;
}

static void seal_window(struct window *w, struct aead_job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		queue_key(w, &jobs[i], w->keys[i]);
		queue_data(w, &jobs[i]);
	}
	flush(w);
	for (size_t i = 0; i < n; i++)
		w->macs[i] = (struct mac){ w->keys[i], jobs[i].dst, jobs[i].len,
					   jobs[i].dst + jobs[i].len };
	mac_many(&w->poly, w->macs, n);
}

/* Returns zero if the tags are equal. Constant time, because no bit is looked at alone. */
static uint64_t tags_differ(const uint8_t *a, const uint8_t *b)
{
	return (load64(a) ^ load64(b)) | (load64(a + 8) ^ load64(b + 8));
}

/* Checks the tags and sets the ok of every job. w->keys holds the Poly1305 keys. */
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
		queue_key(w, &jobs[i], w->keys[i]);
	flush(w);
	verify(w, jobs, n);
	for (size_t i = 0; i < n; i++) {
		if (jobs[i].ok)
			queue_data(w, &jobs[i]);
		else
			memset(jobs[i].dst, 0, jobs[i].len);
	}
	flush(w);
}

/* Queues the packet's key stream to scratch, where it stays until the tag has been checked. */
static void queue_stream(struct window *w, const struct aead_job *job)
{
	for (uint32_t number = 1; number <= data_blocks(job); number++)
		queue_block(w, job, number, zeros, w->scratch[w->used], BLOCK_LEN);
}

static INLINE void xor_block(uint8_t *dst, const uint8_t *src, const uint8_t *stream)
{
	for (int i = 0; i < BLOCK_LEN; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(src + i));

		x = _mm256_xor_si256(x, _mm256_load_si256((const __m256i *)(stream + i)));
		_mm256_storeu_si256((__m256i *)(dst + i), x);
	}
}

/* Decrypts the packet with the key stream in scratch, which begins at @slot. */
static void decrypt(struct window *w, const struct aead_job *job, size_t slot)
{
	uint8_t *end = w->keys[0]; /* free: the keys are not needed after the tags were checked */
	size_t at = 0, rest = job->len % BLOCK_LEN;

	for (; at + BLOCK_LEN <= job->len; at += BLOCK_LEN)
		xor_block(job->dst + at, job->src + at, w->scratch[slot++]);
	if (!rest)
		return;
	memcpy(end, job->src + at, rest);
	xor_block(end, end, w->scratch[slot]);
	memcpy(job->dst + at, end, rest);
}

/* Opens packets whose blocks all fit into the slots. The key stream is computed together with the
 * Poly1305 keys, because running the lanes twice would cost more than the key stream that is
 * computed in vain for a forgery. */
static void open_in_one_pass(struct window *w, struct aead_job *jobs, size_t n)
{
	size_t slot = n;

	for (size_t i = 0; i < n; i++)
		queue_key(w, &jobs[i], w->keys[i]);
	for (size_t i = 0; i < n; i++)
		queue_stream(w, &jobs[i]);
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

static bool fit_into_slots(const struct aead_job *jobs, size_t n)
{
	size_t blocks = n;

	for (size_t i = 0; i < n && blocks <= SLOTS; i++)
		blocks += data_blocks(&jobs[i]);
	return blocks <= SLOTS;
}

/* Overwrites the stack frames of returned callees. Where registers do not suffice, the compiler
 * keeps parts of the ChaCha20 state and of Poly1305 sums on the stack. */
static __attribute__((noinline)) void wipe_deep_stack(void)
{
	uint8_t below[DEEP_STACK_BYTES];

	wipe(below, sizeof(below));
}

static __attribute__((noinline)) void wipe_shallow_stack(void)
{
	uint8_t below[SHALLOW_STACK_BYTES];

	wipe(below, sizeof(below));
}

/* Wipes the secrets of a batch of @n: in the window, on the stack below it and in the registers. */
static INLINE void wipe_traces(struct window *w, size_t n)
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
		wipe_deep_stack();
	else
		wipe_shallow_stack();
	clear_registers();
}

static INLINE void window_init(struct window *w)
{
	w->used = w->touched = 0;
	w->poly.lanes_used = false;
}

static void seal_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	window_init(&w);
	for (size_t at = 0; at < n; at += WINDOW)
		seal_window(&w, jobs + at, n - at < WINDOW ? n - at : WINDOW);
	wipe_traces(&w, n);
}

static void open_batch(struct aead_job *jobs, size_t n)
{
	struct window w;

	window_init(&w);
	for (size_t at = 0; at < n; at += WINDOW) {
		size_t count = n - at < WINDOW ? n - at : WINDOW;

		if (fit_into_slots(jobs + at, count))
			open_in_one_pass(&w, jobs + at, count);
		else
			open_window(&w, jobs + at, count);
	}
	wipe_traces(&w, n);
}

#endif
