/* SPDX-License-Identifier: MIT */
/* test_aead.c - every backend: published vectors, altered packets, and accesses out of bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "vectors.h"

#define ROOM 1024 /* bytes; no vector is longer */
#define VECTORS_MAX 512

#define FOR_EACH_BACKEND(b)                                                                        \
	for (size_t i_ = 0; ((b) = aead_backend(i_)) != NULL; i_++)                                \
		if ((b)->usable())

static uint64_t from_little_endian(const uint8_t *p)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

/* --- with associated data ------------------------------------------------------------------ */

struct message {
	uint8_t key[AEAD_KEY_LEN], ad[64], plain[ROOM], sealed[ROOM];
	size_t ad_len, len;
	uint64_t counter;
};

static void read_message(struct message *m)
{
	static struct vectors v;
	uint8_t nonce[8] = { 0 };

	vectors_open(&v, "rfc8439.txt");
	assert_true(vectors_next(&v));
	vectors_get(&v, "key", m->key, sizeof(m->key));
	vectors_get(&v, "nonce", nonce, sizeof(nonce));
	m->counter = from_little_endian(nonce);
	m->ad_len = vectors_get_any(&v, "ad", m->ad, sizeof(m->ad));
	m->len = vectors_get_any(&v, "plain", m->plain, sizeof(m->plain));
	vectors_get(&v, "sealed", m->sealed, m->len + AEAD_TAG_LEN);
	assert_false(vectors_next(&v));
}

/* The vector of RFC 8439 A.5 opens. If any single bit is altered, it does not open. */
static void test_ad(void **state)
{
	struct message m;
	uint8_t out[ROOM];

	(void)state;
	read_message(&m);
	aead_seal_ad(out, m.plain, m.len, m.ad, m.ad_len, m.counter, m.key);
	assert_memory_equal(out, m.sealed, m.len + AEAD_TAG_LEN);
	memset(out, 0x55, sizeof(out));
	assert_true(aead_open_ad(out, m.sealed, m.len + AEAD_TAG_LEN, m.ad, m.ad_len, m.counter,
				 m.key));
	assert_memory_equal(out, m.plain, m.len);

	for (size_t bit = 0; bit < 8 * (m.len + AEAD_TAG_LEN); bit++) {
		m.sealed[bit / 8] ^= 1U << bit % 8;
		memset(out, 0x55, sizeof(out));
		assert_false(aead_open_ad(out, m.sealed, m.len + AEAD_TAG_LEN, m.ad, m.ad_len,
					  m.counter, m.key));
		assert_true(sodium_is_zero(out, m.len));
		assert_int_equal(out[m.len], 0x55);
		m.sealed[bit / 8] ^= 1U << bit % 8;
	}
	for (size_t bit = 0; bit < 8 * m.ad_len; bit++) {
		m.ad[bit / 8] ^= 1U << bit % 8;
		assert_false(aead_open_ad(out, m.sealed, m.len + AEAD_TAG_LEN, m.ad, m.ad_len,
					  m.counter, m.key));
		m.ad[bit / 8] ^= 1U << bit % 8;
	}
	assert_false(aead_open_ad(out, m.sealed, m.len + AEAD_TAG_LEN, m.ad, m.ad_len - 1,
				  m.counter, m.key));
	assert_false(aead_open_ad(out, m.sealed, m.len + AEAD_TAG_LEN, m.ad, m.ad_len,
				  m.counter ^ 1, m.key));
}

/* A message shorter than a tag is refused and nothing is written. An empty plaintext and sealing in
 * place work. */
static void test_ad_limits(void **state)
{
	struct message m;
	uint8_t out[ROOM];

	(void)state;
	read_message(&m);
	memset(out, 0x55, sizeof(out));
	for (size_t len = 0; len < AEAD_TAG_LEN; len++) {
		assert_false(aead_open_ad(out, m.sealed, len, m.ad, m.ad_len, 0, m.key));
		assert_false(aead_xopen(out, m.sealed, len, m.ad, m.ad_len, m.plain, m.key));
	}
	assert_int_equal(out[0], 0x55);
	aead_seal_ad(out, NULL, 0, m.ad, m.ad_len, 7, m.key);
	assert_true(aead_open_ad(NULL, out, AEAD_TAG_LEN, m.ad, m.ad_len, 7, m.key));
	memcpy(out, m.plain, m.len);
	aead_seal_ad(out, out, m.len, m.ad, m.ad_len, m.counter, m.key);
	assert_memory_equal(out, m.sealed, m.len + AEAD_TAG_LEN);
	assert_true(aead_open_ad(out, out, m.len + AEAD_TAG_LEN, m.ad, m.ad_len, m.counter, m.key));
	assert_memory_equal(out, m.plain, m.len);
}

/* The vector of draft-irtf-cfrg-xchacha A.3.1 */
static void test_xchacha(void **state)
{
	static const char plain[] =
		"Ladies and Gentlemen of the class of '99: If I could offer you "
		"only one tip for the future, sunscreen would be it.";
	static const uint8_t begins[] = { 0xbd, 0x6d, 0x17, 0x9d, 0x3e, 0x83, 0xd4, 0x3b };
	static const uint8_t tag[] = { 0xc0, 0x87, 0x59, 0x24, 0xc1, 0xc7, 0x98, 0x79,
				       0x47, 0xde, 0xaf, 0xd8, 0x78, 0x0a, 0xcf, 0x49 };
	static const uint8_t ad[] = { 0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
				      0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7 };
	const size_t len = sizeof(plain) - 1;
	uint8_t key[32], nonce[24], sealed[sizeof(plain) + AEAD_TAG_LEN], out[sizeof(plain)];

	(void)state;
	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(0x80 + i);
	for (unsigned int i = 0; i < sizeof(nonce); i++)
		nonce[i] = (uint8_t)(0x40 + i);
	aead_xseal(sealed, (const uint8_t *)plain, len, ad, sizeof(ad), nonce, key);
	assert_memory_equal(sealed, begins, sizeof(begins));
	assert_memory_equal(sealed + len, tag, sizeof(tag));
	assert_true(aead_xopen(out, sealed, len + AEAD_TAG_LEN, ad, sizeof(ad), nonce, key));
	assert_memory_equal(out, plain, len);
	for (size_t bit = 0; bit < 8 * (len + AEAD_TAG_LEN); bit++) {
		sealed[bit / 8] ^= 1U << bit % 8;
		memset(out, 0x55, sizeof(out));
		assert_false(
			aead_xopen(out, sealed, len + AEAD_TAG_LEN, ad, sizeof(ad), nonce, key));
		assert_true(sodium_is_zero(out, len));
		sealed[bit / 8] ^= 1U << bit % 8;
	}
}

/* --- batches ------------------------------------------------------------------------------- */

struct packet {
	uint8_t key[AEAD_KEY_LEN], plain[ROOM], sealed[ROOM], out[ROOM];
	uint64_t counter;
	uint32_t len;
};

static struct packet packets[VECTORS_MAX];
static struct aead_job jobs[VECTORS_MAX];
static size_t n_packets;

static int read_packets(void **state)
{
	static struct vectors v;
	uint8_t nonce[8] = { 0 };

	(void)state;
	for (vectors_open(&v, "wycheproof.txt"); vectors_next(&v); n_packets++) {
		struct packet *p = &packets[n_packets];

		assert_in_range(n_packets, 0, VECTORS_MAX - 1);
		vectors_get(&v, "key", p->key, sizeof(p->key));
		vectors_get(&v, "nonce", nonce, sizeof(nonce));
		p->counter = from_little_endian(nonce);
		p->len = (uint32_t)vectors_get_any(&v, "plain", p->plain, sizeof(p->plain));
		vectors_get(&v, "sealed", p->sealed, p->len + AEAD_TAG_LEN);
	}
	assert_true(n_packets > 200);
	return 0;
}

static void make_jobs(bool open)
{
	for (size_t i = 0; i < n_packets; i++) {
		struct packet *p = &packets[i];

		memset(p->out, 0x55, sizeof(p->out));
		jobs[i] = (struct aead_job){
			.key = p->key,
			.counter = p->counter,
			.src = open ? p->sealed : p->plain,
			.dst = p->out,
			.len = p->len,
		};
	}
}

/* Runs all jobs in batches of @size. */
static void run(void (*batch)(struct aead_job *, size_t), size_t size)
{
	for (size_t i = 0; i < n_packets; i += size)
		batch(jobs + i, n_packets - i < size ? n_packets - i : size);
}

/* 1. Wycheproof's vectors: one by one, in batches that fill all SIMD lanes (32) or do not
 * (3, 37), and all in one batch. */
static void test_vectors(void **state)
{
	static const size_t sizes[] = { 1, 3, 32, 37, VECTORS_MAX };
	const struct aead_backend *backend;

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			make_jobs(false);
			run(backend->seal_batch, sizes[s]);
			for (size_t i = 0; i < n_packets; i++) {
				struct packet *p = &packets[i];

				assert_memory_equal(p->out, p->sealed, p->len + AEAD_TAG_LEN);
				assert_int_equal(p->out[p->len + AEAD_TAG_LEN], 0x55);
			}
			make_jobs(true);
			run(backend->open_batch, sizes[s]);
			for (size_t i = 0; i < n_packets; i++) {
				struct packet *p = &packets[i];

				assert_true(jobs[i].ok);
				assert_memory_equal(p->out, p->plain, p->len);
				assert_int_equal(p->out[p->len], 0x55);
			}
		}
	}
}

enum alteration { KEY, COUNTER, FIRST, LAST, TAG_FIRST, TAG_LAST, LENGTH, N_ALTERATIONS };

static void alter(size_t i, enum alteration how, uint8_t bit)
{
	struct packet *p = &packets[i];

	switch (how) {
	case KEY:
		p->key[i % AEAD_KEY_LEN] ^= bit;
		break;
	case COUNTER:
		jobs[i].counter ^= 1ULL << i % 64;
		break;
	case FIRST:
		p->sealed[0] ^= bit;
		break;
	case LAST:
		p->sealed[p->len ? p->len - 1 : 0] ^= bit;
		break;
	case TAG_FIRST:
		p->sealed[p->len] ^= bit;
		break;
	case TAG_LAST:
		p->sealed[p->len + AEAD_TAG_LEN - 1] ^= bit;
		break;
	default:
		jobs[i].len += jobs[i].len ? -1 : 1;
	}
}

/* 2. For each kind of alteration: exactly the altered packets of a batch are refused. */
static void test_altered(void **state)
{
	const struct aead_backend *backend;

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (unsigned int how = 0; how < N_ALTERATIONS; how++) {
			uint8_t bit = (uint8_t)(1U << how % 8);

			make_jobs(true);
			for (size_t i = 0; i < n_packets; i += 3)
				alter(i, how, bit);
			run(backend->open_batch, 32);
			for (size_t i = 0; i < n_packets; i++) {
				struct packet *p = &packets[i];

				if (i % 3 == 0)
					assert_true(!jobs[i].ok &&
						    sodium_is_zero(p->out, jobs[i].len));
				else
					assert_true(jobs[i].ok &&
						    memcmp(p->out, p->plain, p->len) == 0);
				assert_int_equal(p->out[jobs[i].len], 0x55);
			}
			for (size_t i = 0; how != LENGTH && i < n_packets; i += 3)
				alter(i, how, bit);
		}
	}
}

/* 3. Packets with any single bit altered are refused, and their output is filled with zeros. */
static void test_each_bit(void **state)
{
	static const uint32_t lengths[] = { 0, 1, 16, 17, 64, 129 };
	const struct aead_backend *backend;
	uint8_t plain[256] = { 1, 2, 3 }, key[AEAD_KEY_LEN] = { 4 }, sealed[8][256], out[8][256];
	struct aead_job batch[8];

	(void)state;
	FOR_EACH_BACKEND(backend)
	{
		for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
			uint32_t len = lengths[l];

			for (size_t byte = 0; byte < len + AEAD_TAG_LEN; byte++) {
				for (size_t i = 0; i < 8; i++) {
					batch[i] = (struct aead_job){ .key = key,
								      .src = plain,
								      .dst = sealed[i],
								      .len = len };
				}
				backend->seal_batch(batch, 8);
				for (size_t i = 0; i < 8; i++) {
					sealed[i][byte] ^= 1U << i;
					memset(out[i], 0x55, sizeof(out[i]));
					batch[i].src = sealed[i];
					batch[i].dst = out[i];
				}
				backend->open_batch(batch, 8);
				for (size_t i = 0; i < 8; i++) {
					assert_false(batch[i].ok);
					assert_true(sodium_is_zero(out[i], len));
					assert_int_equal(out[i][len], 0x55);
				}
			}
		}
	}
}

/* --- bounds -------------------------------------------------------------------------------- */

#define FENCED 8
#define FENCE_ROOM 8192

/* Allocates FENCE_ROOM bytes between two pages that fault on access. */
static uint8_t *fenced_new(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *p =
		mmap(NULL, FENCE_ROOM + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(p, MAP_FAILED);
	assert_int_equal(mprotect(p + page, FENCE_ROOM, PROT_READ | PROT_WRITE), 0);
	return p + page;
}

static void fenced_free(uint8_t *p)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	munmap(p - page, FENCE_ROOM + 2 * page);
}

/* Returns @len bytes that end (or begin) at a page that faults on access. */
static uint8_t *against(uint8_t *room, size_t len, bool at_end)
{
	return at_end ? room + FENCE_ROOM - len : room;
}

static void run_fenced(const struct aead_backend *backend, uint8_t *rooms[3 * FENCED], uint32_t len,
		       size_t n, bool at_end)
{
	struct aead_job batch[FENCED];

	for (size_t i = 0; i < n; i++) {
		batch[i] = (struct aead_job){
			.key = against(rooms[3 * i], AEAD_KEY_LEN, at_end),
			.src = against(rooms[3 * i + 1], len, at_end),
			.dst = against(rooms[3 * i + 2], len + AEAD_TAG_LEN, at_end),
			.len = len,
		};
	}
	backend->seal_batch(batch, n);
	for (size_t i = 0; i < n; i++) {
		batch[i].src = batch[i].dst;
		batch[i].dst = against(rooms[3 * i + 1], len, at_end);
	}
	backend->open_batch(batch, n);
	for (size_t i = 0; i < n; i++)
		assert_true(batch[i].ok);
}

/* 4. No byte outside of key, source and destination is read or written. */
static void test_fences(void **state)
{
	const struct aead_backend *backend;
	uint8_t *rooms[3 * FENCED];

	(void)state;
	for (size_t i = 0; i < 3 * FENCED; i++)
		rooms[i] = fenced_new();
	FOR_EACH_BACKEND(backend)
	{
		for (uint32_t len = 0; len <= 2048; len += len < 320 ? 1 : 61) {
			run_fenced(backend, rooms, len, 1, true);
			run_fenced(backend, rooms, len, 1, false);
			run_fenced(backend, rooms, len, FENCED, true);
			run_fenced(backend, rooms, len, FENCED, false);
		}
	}
	for (size_t i = 0; i < 3 * FENCED; i++)
		fenced_free(rooms[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ad),	cmocka_unit_test(test_ad_limits),
		cmocka_unit_test(test_xchacha), cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_altered), cmocka_unit_test(test_each_bit),
		cmocka_unit_test(test_fences),
	};

	return cmocka_run_group_tests(tests, read_packets, NULL);
}
