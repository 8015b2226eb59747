/* SPDX-License-Identifier: MIT */
/*
 * ct_aead.c - the AEAD with undefined secrets. Built and run under memcheck by aead.sh.
 *
 * Keys and plaintexts are marked undefined: memcheck then reports every branch and every address that
 * depends on them. What goes over the wire is public once it is made; so is the verdict.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "crypto/aead.h"

#define N 37 /* more than one window of the lanes code, and no multiple of anything */
#define ROOM 2048

static const uint32_t lengths[] = { 0, 1, 16, 63, 64, 65, 100, 256, 576, 1023, 1424, 2000 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct {
	uint8_t key[AEAD_KEY_LEN], plain[ROOM], sealed[ROOM], out[ROOM];
} packets[N];
static struct aead_job jobs[N];

static void expect(bool what, const char *text)
{
	if (what)
		return;
	fprintf(stderr, "ct_aead: %s\n", text);
	exit(1);
}

/* Is any of the @n bytes undefined? */
static bool is_secret(const void *p, size_t n)
{
	static uint8_t bits[ROOM];

	return VALGRIND_GET_VBITS(p, bits, n) == 1 && !sodium_is_zero(bits, n);
}

static void make_secret(void *p, size_t n)
{
	randombytes_buf_deterministic(p, n, (const uint8_t[32]){ 7 });
	(void)VALGRIND_MAKE_MEM_UNDEFINED(p, n);
}

static void make_public(void *p, size_t n)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(p, n);
}

/* @n packets of the @n_lens lengths in turn. */
static void seal(const struct aead_backend *backend, size_t n, const uint32_t *lens, size_t n_lens)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t len = lens[i % n_lens];

		make_secret(packets[i].key, AEAD_KEY_LEN);
		make_secret(packets[i].plain, len);
		jobs[i] = (struct aead_job){ .key = packets[i].key,
					     .counter = i,
					     .src = packets[i].plain,
					     .dst = packets[i].sealed,
					     .len = len };
	}
	backend->seal_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		/* Else the marks got lost and nothing was tested. */
		expect(is_secret(packets[i].sealed + jobs[i].len, AEAD_TAG_LEN), "defined tag");
		make_public(packets[i].sealed, jobs[i].len + AEAD_TAG_LEN);
	}
}

/* Every fifth packet is altered. */
static void open_some(const struct aead_backend *backend, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		jobs[i].src = packets[i].sealed;
		jobs[i].dst = packets[i].out;
		if (i % 5 == 1)
			packets[i].sealed[i % (jobs[i].len + AEAD_TAG_LEN)] ^= 1;
	}
	backend->open_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		expect(jobs[i].ok == (i % 5 != 1), "wrong verdict");
		expect(!jobs[i].ok || jobs[i].len == 0 || is_secret(packets[i].out, jobs[i].len),
		       "defined plaintext");
		expect(jobs[i].ok || !is_secret(packets[i].out, jobs[i].len), "left-over secret");
	}
}

static void test_batch(const struct aead_backend *backend, size_t n, const uint32_t *lens,
		       size_t n_lens)
{
	seal(backend, n, lens, n_lens);
	open_some(backend, n);
}

static void test_handshake(void)
{
	uint8_t key[AEAD_KEY_LEN], plain[32], sealed[48], out[32], ad[32], nonce[24] = { 1 };

	make_secret(key, sizeof(key));
	make_secret(plain, sizeof(plain));
	make_secret(ad, sizeof(ad));
	aead_seal_ad(sealed, plain, sizeof(plain), ad, sizeof(ad), 5, key);
	expect(is_secret(sealed, sizeof(sealed)), "defined message");
	make_public(sealed, sizeof(sealed));
	expect(aead_open_ad(out, sealed, sizeof(sealed), ad, sizeof(ad), 5, key), "own message");
	sealed[3] ^= 1;
	expect(!aead_open_ad(out, sealed, sizeof(sealed), ad, sizeof(ad), 5, key),
	       "forged message");
	aead_xseal(sealed, plain, sizeof(plain), ad, sizeof(ad), nonce, key);
	make_public(sealed, sizeof(sealed));
	expect(aead_xopen(out, sealed, sizeof(sealed), ad, sizeof(ad), nonce, key), "own cookie");
	sealed[3] ^= 1;
	expect(!aead_xopen(out, sealed, sizeof(sealed), ad, sizeof(ad), nonce, key),
	       "forged cookie");
}

int main(void)
{
	const struct aead_backend *backend;

	expect(RUNNING_ON_VALGRIND, "run me under valgrind");
	for (size_t i = 0; (backend = aead_backend(i)) != NULL; i++) {
		if (!backend->usable()) {
			printf("# %s does not run under this valgrind\n", backend->name);
			continue;
		}
		for (size_t l = 0; l < COUNT(lengths); l++) {
			for (size_t n = 1; n <= 4; n++)
				test_batch(backend, n, lengths + l, 1);
			test_batch(backend, N, lengths + l, 1);
		}
		test_batch(backend, N, lengths, COUNT(lengths));
		printf("# %s was run\n", backend->name);
	}
	test_handshake();
	return 0;
}
