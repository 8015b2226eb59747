/* SPDX-License-Identifier: MIT */
/*
 * aead_selftest.c - the known-answer test that a backend must pass before it is used.
 *
 * The test seals packets of many lengths under three keys, first in one batch and then in batches
 * of one to seven packets, so that every code path of a backend runs. The BLAKE2b of the output
 * must equal the value that tests/vectors/mkaead.py computes with another implementation. Then
 * the test opens all packets, and opens them again after it has altered every second one.
 */
#include <sodium.h>
#include <string.h>

#include "crypto/aead.h"

#define N_KEYS 3
#define DIGEST_LEN 32
#define ARENA_BYTES 16384

/* Lengths around one block of Poly1305 (16 bytes), and around 1, 4, 8 and 16 blocks of ChaCha20
 * (64 bytes). */
static const uint16_t lengths[] = {
	0,   1,	  15,  16,  17,	 32,  48,  63,	64,  64,  64,  65,   96,   127,	 128,  129,
	191, 192, 193, 255, 256, 257, 320, 511, 512, 513, 576, 1023, 1024, 1025, 1424, 1440,
};

#define N_JOBS (sizeof(lengths) / sizeof(lengths[0]))

/* BLAKE2b-256 of all sealed packets, tags included, in order. */
static const uint8_t answer[DIGEST_LEN] = {
	0xc2, 0x81, 0xfb, 0x5a, 0x39, 0x65, 0x38, 0x11, 0xb4, 0x5f, 0xae,
	0x68, 0x3a, 0xbd, 0x56, 0x8a, 0x74, 0x08, 0xc6, 0xe7, 0x18, 0xa3,
	0x2f, 0xfe, 0x80, 0xc1, 0x8d, 0xab, 0x04, 0x34, 0x56, 0xf5,
};

struct scratch {
	uint8_t keys[N_KEYS][AEAD_KEY_LEN];
	uint8_t plain[ARENA_BYTES];
	uint8_t sealed[ARENA_BYTES];
	uint8_t opened[ARENA_BYTES];
	struct aead_job jobs[N_JOBS];
	size_t bytes; /* how many bytes of plain, sealed and opened are used */
};

/* Fills the @n bytes at @p with a pseudo-random sequence whose seed is @x. */
static void fill(uint8_t *p, size_t n, uint32_t x)
{
	for (size_t i = 0; i < n; i++) {
		x = x * 1103515245 + 12345;
		p[i] = (uint8_t)(x >> 16);
	}
}

/* Makes the jobs. The packets follow each other in memory, both at @src and at @dst. */
static void lay_out(struct scratch *s, const uint8_t *src, uint8_t *dst)
{
	size_t at = 0;

	for (size_t i = 0; i < N_JOBS; i++) {
		s->jobs[i] = (struct aead_job){
			.key = s->keys[i % N_KEYS],
			.counter = (i << 32) + i,
			.src = src + at,
			.dst = dst + at,
			.len = lengths[i],
		};
		at += lengths[i] + AEAD_TAG_LEN;
	}
	s->bytes = at;
}

/* Runs all jobs in batches. The first batch has @first jobs, each later batch has one job more than
 * the batch before it, and the last batch has the jobs that are left. */
static void run(void (*batch)(struct aead_job *, size_t), struct scratch *s, size_t first)
{
	for (size_t at = 0, n = first; at < N_JOBS; at += n++) {
		if (n > N_JOBS - at)
			n = N_JOBS - at;
		batch(s->jobs + at, n);
	}
}

/* Moves the first bytes of each plaintext to dst: one or two whole blocks of ChaCha20, as the
 * worker does with a segment, or a length that is not a multiple of 64. */
static void split(struct scratch *s)
{
	for (size_t i = 0; i < N_JOBS; i++) {
		struct aead_job *j = &s->jobs[i];

		j->head_len = i % 3 ? 20 + (uint32_t)i : 64 + 64 * (uint32_t)(i % 2);
		if (j->head_len > j->len)
			j->head_len = j->len / 2;
		memcpy(j->dst, j->src, j->head_len);
		j->src += j->head_len;
	}
}

/* Returns true if the sealed packets are right. With @pieces, each plaintext is in two pieces. */
static bool seals(const struct aead_backend *b, struct scratch *s, size_t first, bool pieces)
{
	uint8_t digest[DIGEST_LEN];

	memset(s->sealed, 0, sizeof(s->sealed));
	lay_out(s, s->plain, s->sealed);
	if (pieces)
		split(s);
	run(b->seal_batch, s, first);
	crypto_generichash(digest, sizeof(digest), s->sealed, s->bytes, NULL, 0);
	return memcmp(digest, answer, sizeof(answer)) == 0;
}

/* Returns true if all packets can be opened. With @alter, alters every second packet, and returns
 * true if the altered packets are refused, with zeroed outputs, and the others are opened. */
static bool opens(const struct aead_backend *b, struct scratch *s, size_t first, bool alter)
{
	bool good = true;

	memset(s->opened, 0x55, sizeof(s->opened));
	lay_out(s, s->sealed, s->opened);
	for (size_t i = 0; alter && i < N_JOBS; i += 2) {
		size_t at = i * (lengths[i] + AEAD_TAG_LEN) / N_JOBS;

		s->sealed[(size_t)(s->jobs[i].src - s->sealed) + at] ^= 1U << (i % 8);
	}
	run(b->open_batch, s, first);
	for (size_t i = 0; i < N_JOBS; i++) {
		const struct aead_job *j = &s->jobs[i];
		bool altered = alter && i % 2 == 0;

		if (altered)
			good &= !j->ok && (j->len == 0 || sodium_is_zero(j->dst, j->len));
		else
			good &= j->ok &&
				memcmp(j->dst, s->plain + (j->src - s->sealed), j->len) == 0;
	}
	return good;
}

bool aead_selftest(const struct aead_backend *b)
{
	struct scratch s = { 0 };

	fill(s.keys[0], sizeof(s.keys), 1);
	fill(s.plain, sizeof(s.plain), 2);
	return seals(b, &s, N_JOBS, false) && opens(b, &s, N_JOBS, false) &&
	       seals(b, &s, N_JOBS, true) && seals(b, &s, 1, false) && opens(b, &s, 1, false) &&
	       opens(b, &s, N_JOBS, true);
}
