/* SPDX-License-Identifier: MIT */
/*
 * aead_libsodium.c - the reference backend, which calls libsodium once per packet, and the AEAD for
 * handshakes and cookies.
 *
 * libsodium checks the tag before it decrypts, so a forged packet is never decrypted.
 */
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/aead_backends.h"
#include "crypto/ct.h"
#include "crypto/wipe.h"

#define NONCE_LEN crypto_aead_chacha20poly1305_ietf_NPUBBYTES

static void init_once(void)
{
	/* If sodium_init() fails, libsodium must not be used. The functions of the AEAD cannot
	 * return an error, so end the process. */
	if (sodium_init() < 0)
		abort();
}

/* Lets libsodium choose its code for this CPU. Every entry point of this file calls init(), because
 * tests and tools may use the AEAD without aead_select(). */
static void init(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, init_once);
}

/* Writes four zero bytes, then the counter in little endian. [W] 5.4.6 */
static void make_nonce(uint8_t nonce[static NONCE_LEN], uint64_t counter)
{
	memset(nonce, 0, 4);
	for (int i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(counter >> (8 * i));
}

static bool usable(void)
{
	init();
	return true;
}

/* If the plaintext has a head or padding besides its data at src, joins all pieces at dst, where
 * the head already is. Returns the address of the contiguous plaintext. */
static const uint8_t *join_pieces(const struct aead_job *j)
{
	size_t data_len = j->len - j->head_len - j->pad_len;

	if (j->head_len == 0 && j->pad_len == 0)
		return j->src;
	if (data_len > 0)
		memmove(j->dst + j->head_len, j->src, data_len);
	memset(j->dst + j->head_len + data_len, 0, j->pad_len);
	return j->dst;
}

static void seal_batch(struct aead_job *jobs, size_t n)
{
	uint8_t nonce[NONCE_LEN];

	init();
	for (struct aead_job *j = jobs; j < jobs + n; j++) {
		const uint8_t *src = join_pieces(j);

		make_nonce(nonce, j->counter);
		crypto_aead_chacha20poly1305_ietf_encrypt_detached(
			j->dst, j->dst + j->len, NULL, src, j->len, NULL, 0, NULL, nonce, j->key);
	}
}

static void open_batch(struct aead_job *jobs, size_t n)
{
	uint8_t nonce[NONCE_LEN];

	init();
	for (struct aead_job *j = jobs; j < jobs + n; j++) {
		int wrong;

		make_nonce(nonce, j->counter);
		wrong = crypto_aead_chacha20poly1305_ietf_decrypt_detached(
			j->dst, NULL, j->src, j->len, j->src + j->len, NULL, 0, nonce, j->key);
		declassify(&wrong, sizeof(wrong));
		j->ok = wrong == 0;
		if (wrong)
			memset(j->dst, 0, j->len);
	}
}

const struct aead_backend aead_libsodium = {
	.name = "libsodium",
	.usable = usable,
	.seal_batch = seal_batch,
	.open_batch = open_batch,
};

void aead_seal_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN])
{
	uint8_t nonce[NONCE_LEN];

	init();
	make_nonce(nonce, counter);
	crypto_aead_chacha20poly1305_ietf_encrypt(dst, NULL, src, len, ad, ad_len, NULL, nonce,
						  key);
}

bool aead_open_ad(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		  uint64_t counter, const uint8_t key[static AEAD_KEY_LEN])
{
	uint8_t nonce[NONCE_LEN];
	int wrong;

	init();
	if (len < AEAD_TAG_LEN)
		return false;
	make_nonce(nonce, counter);
	wrong = crypto_aead_chacha20poly1305_ietf_decrypt(dst, NULL, NULL, src, len, ad, ad_len,
							  nonce, key);
	declassify(&wrong, sizeof(wrong));
	if (wrong)
		wipe(dst, len - AEAD_TAG_LEN);
	return wrong == 0;
}

void aead_xseal(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN])
{
	init();
	crypto_aead_xchacha20poly1305_ietf_encrypt(dst, NULL, src, len, ad, ad_len, NULL, nonce,
						   key);
}

bool aead_xopen(uint8_t *dst, const uint8_t *src, size_t len, const uint8_t *ad, size_t ad_len,
		const uint8_t nonce[static 24], const uint8_t key[static AEAD_KEY_LEN])
{
	int wrong;

	init();
	if (len < AEAD_TAG_LEN)
		return false;
	wrong = crypto_aead_xchacha20poly1305_ietf_decrypt(dst, NULL, NULL, src, len, ad, ad_len,
							   nonce, key);
	declassify(&wrong, sizeof(wrong));
	if (wrong)
		wipe(dst, len - AEAD_TAG_LEN);
	return wrong == 0;
}
