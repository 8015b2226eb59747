/* SPDX-License-Identifier: MIT */
/*
 * fuzz_aead.c - compares batches of AEAD jobs with libsodium. Five bytes of input describe a job:
 * its length (two bytes), key, offset and flags. The plaintext is the input itself, repeated as
 * often as needed. In some jobs the plaintext has three parts: a head that is already at dst, the
 * bytes at src, and zeros that are read from no buffer.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead.h"

#define JOBS_MAX 64
#define LEN_MAX 2100
#define STRIDE (LEN_MAX + AEAD_TAG_LEN + 64)
#define JOB_BYTES 5
#define FILLER 0xa5

enum { IN_PLACE = 1, ALTER_TAG = 2, ALTER_TEXT = 4, ALTER_COUNTER = 8, HEAD = 64, PAD = 128 };

struct packet {
	uint32_t len;
	uint8_t key[AEAD_KEY_LEN], flags, offset;
	uint32_t head_len, pad_len;
	uint8_t src[STRIDE], dst[STRIDE], expected[STRIDE];
};

static struct packet packets[JOBS_MAX];
static struct aead_job jobs[JOBS_MAX];

static void require(bool what)
{
	if (!what)
		abort();
}

static size_t parse(const uint8_t *data, size_t size)
{
	size_t n = 0;

	for (; n < JOBS_MAX && size >= (n + 1) * JOB_BYTES; n++) {
		const uint8_t *d = data + n * JOB_BYTES;
		struct packet *p = &packets[n];

		p->len = ((uint32_t)d[0] | (uint32_t)d[1] << 8) % (LEN_MAX + 1);
		memset(p->key, d[2], sizeof(p->key));
		p->offset = d[3] % 32;
		p->flags = d[4];
		memset(p->src, FILLER, STRIDE);
		memset(p->dst, FILLER, STRIDE);
		memset(p->expected, FILLER, STRIDE);
		for (uint32_t i = 0; i < p->len; i++)
			p->src[p->offset + i] = data[(n * JOB_BYTES + i) % size];
		p->pad_len = p->flags & PAD ? d[2] % (p->len + 1) : 0;
		p->head_len = p->flags & HEAD ? d[3] % (p->len - p->pad_len + 1) : 0;
		memset(p->src + p->offset + p->len - p->pad_len, 0, p->pad_len);
	}
	return n;
}

/* Fills in jobs that read src and write dst. For a job in place, src is first copied to dst, and
 * the job reads and writes dst. */
static void make_jobs(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];
		bool in_place = p->flags & IN_PLACE;

		if (in_place)
			memcpy(p->dst, p->src, STRIDE);
		jobs[i] = (struct aead_job){
			.key = p->key,
			.counter = (uint64_t)p->key[0] << (p->flags & 0x38) ^ i,
			.src = (in_place ? p->dst : p->src) + p->offset,
			.dst = p->dst + p->offset,
			.len = p->len,
		};
	}
}

/* Splits the plaintext of each job into a head that is already at dst, the bytes at src, and zeros
 * that are not read from src. A job in place has no head. */
static void make_pieces(size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];

		jobs[i].pad_len = p->pad_len;
		if (p->flags & IN_PLACE)
			continue;
		jobs[i].head_len = p->head_len;
		memcpy(jobs[i].dst, jobs[i].src, p->head_len);
		jobs[i].src += p->head_len;
	}
}

static void reference_seal(const struct packet *p, uint64_t counter, uint8_t *out)
{
	uint8_t nonce[12] = { 0 };

	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> 8 * i);
	crypto_aead_chacha20poly1305_ietf_encrypt_detached(
		out, out + p->len, NULL, p->src + p->offset, p->len, NULL, 0, NULL, nonce, p->key);
}

static void fuzz_seal(const struct aead_backend *backend, size_t n)
{
	make_jobs(n);
	make_pieces(n);
	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];

		memcpy(p->expected, p->dst, STRIDE);
		reference_seal(p, jobs[i].counter, p->expected + p->offset);
	}
	backend->seal_batch(jobs, n);
	for (size_t i = 0; i < n; i++)
		require(memcmp(packets[i].dst, packets[i].expected, STRIDE) == 0);
}

/* Opens the packets that fuzz_seal() left in dst. */
static void fuzz_open(const struct aead_backend *backend, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(packets[i].expected, packets[i].src, STRIDE);
		memcpy(packets[i].src, packets[i].dst, STRIDE);
		memset(packets[i].dst, FILLER, STRIDE);
	}
	make_jobs(n);
	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];
		uint8_t *src = (p->flags & IN_PLACE ? p->dst : p->src) + p->offset;

		if (p->flags & ALTER_TAG)
			src[p->len + p->flags % AEAD_TAG_LEN] ^= 0x80;
		if (p->flags & ALTER_TEXT)
			src[p->flags % (p->len + 1)] ^= 1;
		if (p->flags & ALTER_COUNTER)
			jobs[i].counter ^= 1ULL << 40;
	}
	backend->open_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		struct packet *p = &packets[i];
		bool altered = p->flags & (ALTER_TAG | ALTER_TEXT | ALTER_COUNTER);

		require(jobs[i].ok == !altered);
		if (altered)
			require(sodium_is_zero(jobs[i].dst, p->len));
		else
			require(memcmp(jobs[i].dst, p->expected + p->offset, p->len) == 0);
		if (!(p->flags & IN_PLACE))
			require(jobs[i].dst[p->len] == FILLER);
		memcpy(p->src, p->expected, STRIDE);
		memset(p->dst, FILLER, STRIDE);
	}
}

#include "fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct aead_backend *backend;
	size_t n = parse(data, size);

	for (size_t i = 0; (backend = aead_backend(i)) != NULL; i++) {
		if (!backend->usable())
			continue;
		fuzz_seal(backend, n);
		fuzz_open(backend, n);
	}
	return 0;
}
