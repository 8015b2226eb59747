/* SPDX-License-Identifier: MIT */
/*
 * ct_aead.c - runs the AEAD with undefined secrets. aead.sh builds it and runs it under memcheck.
 *
 * Keys, plaintexts and associated data are marked undefined, so memcheck reports every branch and
 * every address that depends on them. Sealed packets and the result of the tag check are public.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "crypto/aead.h"

#define N 37 /* packets; more than AEAD_WINDOW, and not a multiple of any backend's lane count */
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

/* True if any of the @n bytes is undefined. */
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

/* Seals @n packets, whose lengths cycle through the @n_lens lengths at @lens. */
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
		if (i % 3 == 1) { /* the plaintext: a head at dst, the rest at src, and zeros */
			jobs[i].head_len = len / 3;
			memcpy(jobs[i].dst, packets[i].plain, jobs[i].head_len);
			jobs[i].src += jobs[i].head_len;
			jobs[i].pad_len = len / 5;
		}
	}
	backend->seal_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		/* memcheck must regard the tag as undefined. Otherwise it has lost track of the
		 * secrets, and the test proves nothing. */
		expect(is_secret(packets[i].sealed + jobs[i].len, AEAD_TAG_LEN),
		       "a tag is defined, so the secrets were not tracked");
		make_public(packets[i].sealed, jobs[i].len + AEAD_TAG_LEN);
	}
}

/* Alters every fifth packet, and then opens all packets. */
static void open_some(const struct aead_backend *backend, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		jobs[i].src = packets[i].sealed;
		jobs[i].dst = packets[i].out;
		jobs[i].head_len = jobs[i].pad_len = 0;
		if (i % 5 == 1)
			packets[i].sealed[i % (jobs[i].len + AEAD_TAG_LEN)] ^= 1;
	}
	backend->open_batch(jobs, n);
	for (size_t i = 0; i < n; i++) {
		expect(jobs[i].ok == (i % 5 != 1), "a packet was wrongly accepted or refused");
		expect(!jobs[i].ok || jobs[i].len == 0 || is_secret(packets[i].out, jobs[i].len),
		       "a plaintext is defined, so the secrets were not tracked");
		expect(jobs[i].ok || !is_secret(packets[i].out, jobs[i].len),
		       "the output of a refused packet still holds secrets");
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
	expect(is_secret(sealed, sizeof(sealed)),
	       "a handshake message is defined, so the secrets were not tracked");
	make_public(sealed, sizeof(sealed));
	expect(aead_open_ad(out, sealed, sizeof(sealed), ad, sizeof(ad), 5, key),
	       "a handshake message did not open");
	sealed[3] ^= 1;
	expect(!aead_open_ad(out, sealed, sizeof(sealed), ad, sizeof(ad), 5, key),
	       "an altered handshake message opened");
	aead_xseal(sealed, plain, sizeof(plain), ad, sizeof(ad), nonce, key);
	make_public(sealed, sizeof(sealed));
	expect(aead_xopen(out, sealed, sizeof(sealed), ad, sizeof(ad), nonce, key),
	       "a cookie did not open");
	sealed[3] ^= 1;
	expect(!aead_xopen(out, sealed, sizeof(sealed), ad, sizeof(ad), nonce, key),
	       "an altered cookie opened");
}

int main(void)
{
	const struct aead_backend *backend;

	expect(RUNNING_ON_VALGRIND, "not running under valgrind; run tests/ct/aead.sh");
	for (size_t i = 0; (backend = aead_backend(i)) != NULL; i++) {
		if (!backend->usable()) {
			printf("# %s was not tested: it does not run on this CPU under valgrind\n",
			       backend->name);
			continue;
		}
		for (size_t l = 0; l < COUNT(lengths); l++) {
			for (size_t n = 1; n <= 4; n++)
				test_batch(backend, n, lengths + l, 1);
			test_batch(backend, N, lengths + l, 1);
		}
		test_batch(backend, N, lengths, COUNT(lengths));
		printf("# %s was tested\n", backend->name);
	}
	test_handshake();
	return 0;
}
