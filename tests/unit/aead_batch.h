/* SPDX-License-Identifier: MIT */
/*
 * aead_batch.h - runs random batches of AEAD jobs, and compares the results with those of
 * libsodium's functions for single packets.
 *
 *      actual:    ~~~~ [ packet 0 ] ~~~~~~~ [ packet 1 ] ~~~~   written by the backend
 *      expected:  ~~~~ [ packet 0 ] ~~~~~~~ [ packet 1 ] ~~~~   written by libsodium
 *
 * The filler between packets has random lengths, so that every alignment occurs. The two buffers
 * above (arenas) are compared as a whole, so that a byte written outside a packet is found, too.
 *
 * Include after cmocka.h.
 */
#ifndef WGXDP_TESTS_AEAD_BATCH_H
#define WGXDP_TESTS_AEAD_BATCH_H

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"

#define BATCH_MAX 64
#define BATCH_LEN_MAX 9216
#define BATCH_KEYS 8
#define BATCH_GAP 48
#define BATCH_HEAD_MAX 200
#define BATCH_PAD_MAX 80
#define BATCH_ARENA (BATCH_MAX * (BATCH_LEN_MAX + AEAD_TAG_LEN + BATCH_GAP))
#define BATCH_FILLER 0xa5

struct batch {
	size_t n;
	bool in_place;
	struct aead_job jobs[BATCH_MAX];
	bool altered[BATCH_MAX];
	size_t used; /* bytes of the arenas that are in use */
	uint8_t keys[BATCH_KEYS][AEAD_KEY_LEN];
	uint8_t pool[2 * BATCH_LEN_MAX]; /* random bytes that plaintexts are taken from */
	uint8_t plain[BATCH_MAX][BATCH_LEN_MAX];
	uint8_t source[BATCH_ARENA], source_before[BATCH_ARENA];
	uint8_t actual[BATCH_ARENA], expected[BATCH_ARENA];
};

static uint64_t batch_seed = 1;

/* xorshift64*, with a fixed seed so that every run tests the same packets. */
static inline uint32_t batch_random(uint32_t below)
{
	batch_seed ^= batch_seed >> 12;
	batch_seed ^= batch_seed << 25;
	batch_seed ^= batch_seed >> 27;
	return (uint32_t)((batch_seed * 0x2545f4914f6cdd1d >> 32) * below >> 32);
}

static inline void batch_fill(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)batch_random(256);
}

static inline struct batch *batch_new(void)
{
	struct batch *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_true(sodium_init() >= 0);
	batch_fill(b->keys[0], sizeof(b->keys));
	batch_fill(b->pool, sizeof(b->pool));
	return b;
}

static inline void batch_nonce(uint8_t nonce[static 12], uint64_t counter)
{
	memset(nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> 8 * i);
}

/* Places @n packets of the given @lengths in the arenas. The caller then writes their contents. */
static inline void batch_lay_out(struct batch *b, const uint32_t *lengths, size_t n, bool in_place)
{
	size_t at = 0;

	b->n = n;
	b->in_place = in_place;
	for (size_t i = 0; i < n; i++) {
		at += 8 + batch_random(BATCH_GAP - 16);
		b->altered[i] = false;
		b->jobs[i] = (struct aead_job){
			.key = b->keys[batch_random(BATCH_KEYS)],
			.counter =
				(uint64_t)batch_random(UINT32_MAX) << 32 | batch_random(UINT32_MAX),
			.src = (in_place ? b->actual : b->source) + at,
			.dst = b->actual + at,
			.len = lengths[i],
		};
		at += lengths[i] + AEAD_TAG_LEN;
	}
	b->used = at + 8;
	memset(b->actual, BATCH_FILLER, b->used);
	memset(b->expected, BATCH_FILLER, b->used);
	memset(b->source, BATCH_FILLER, b->used);
}

static inline size_t batch_at(const struct batch *b, size_t i)
{
	return (size_t)(b->jobs[i].dst - b->actual);
}

/* Chooses the plaintext of packet @i. With @pieces, the plaintext ends with a random number of
 * padding zeros and, unless the packet is in place, its first bytes (the head) lie at dst, not at
 * src. */
static inline void batch_make_plain(struct batch *b, size_t i, bool pieces)
{
	struct aead_job *j = &b->jobs[i];
	uint32_t room = j->len < BATCH_PAD_MAX ? j->len : BATCH_PAD_MAX;

	memcpy(b->plain[i], b->pool + (j->counter % BATCH_LEN_MAX), j->len);
	j->head_len = j->pad_len = 0;
	if (!pieces)
		return;
	j->pad_len = batch_random(room + 1);
	memset(b->plain[i] + j->len - j->pad_len, 0, j->pad_len);
	if (b->in_place)
		return;
	room = j->len - j->pad_len;
	j->head_len = batch_random((room < BATCH_HEAD_MAX ? room : BATCH_HEAD_MAX) + 1);
	memcpy(j->dst, b->plain[i], j->head_len);
}

static inline void batch_reference_seal(const struct batch *b, size_t i, uint8_t *out)
{
	const struct aead_job *j = &b->jobs[i];
	uint8_t nonce[12];

	batch_nonce(nonce, j->counter);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(out, out + j->len, NULL, b->plain[i],
							   j->len, NULL, 0, NULL, nonce, j->key);
}

/* Checks that the arenas are equal and that the sources did not change. */
static inline void batch_compare(const struct batch *b)
{
	assert_memory_equal(b->actual, b->expected, b->used);
	if (!b->in_place)
		assert_memory_equal(b->source, b->source_before, b->used);
}

static inline void batch_seal(struct batch *b, const struct aead_backend *backend)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct aead_job *j = &b->jobs[i];
		size_t at = batch_at(b, i);

		batch_make_plain(b, i, batch_random(3) == 0);
		memcpy((b->in_place ? b->actual : b->source) + at, b->plain[i] + j->head_len,
		       j->len - j->head_len - j->pad_len);
		batch_reference_seal(b, i, b->expected + at);
	}
	memcpy(b->source_before, b->source, b->used);
	backend->seal_batch(b->jobs, b->n);
	batch_compare(b);
}

/* Seals packets with libsodium, alters each with probability 1/@one_in, and opens all of them with
 * @backend. Checks that exactly the altered packets are refused. */
static inline void batch_open(struct batch *b, const struct aead_backend *backend, uint32_t one_in)
{
	memset(b->actual, BATCH_FILLER, b->used);
	memset(b->expected, BATCH_FILLER, b->used);
	for (size_t i = 0; i < b->n; i++) {
		size_t at = batch_at(b, i), len = b->jobs[i].len;
		uint8_t *sealed = (b->in_place ? b->actual : b->source) + at;

		batch_make_plain(b, i, false);
		b->jobs[i].ok = batch_random(2); /* must be overwritten */
		batch_reference_seal(b, i, sealed);
		b->altered[i] = batch_random(one_in) == 0;
		if (b->altered[i])
			sealed[batch_random((uint32_t)len + AEAD_TAG_LEN)] ^= 1U << batch_random(8);
		if (b->in_place)
			memcpy(b->expected + at + len, sealed + len, AEAD_TAG_LEN);
		if (b->altered[i])
			memset(b->expected + at, 0, len);
		else
			memcpy(b->expected + at, b->plain[i], len);
	}
	memcpy(b->source_before, b->source, b->used);
	backend->open_batch(b->jobs, b->n);
	for (size_t i = 0; i < b->n; i++)
		assert_int_equal(b->jobs[i].ok, !b->altered[i]);
	batch_compare(b);
}

#endif
