/* SPDX-License-Identifier: MIT */
#include "wg/kdf.h"

#include <string.h>

#include "crypto/wipe.h"
#include "wgxdp/blake2s.h"

void kdf_hash(uint8_t out[static WIRE_HASH_LEN], const void *a, size_t a_len, const void *b,
	      size_t b_len)
{
	struct blake2s s;

	blake2s_init(&s, WIRE_HASH_LEN);
	blake2s_update(&s, a, a_len);
	blake2s_update(&s, b, b_len);
	blake2s_final(&s, out);
	wipe(&s, sizeof(s));
}

void kdf_mac(uint8_t out[static WIRE_MAC_LEN], const void *key, size_t key_len, const void *data,
	     size_t len)
{
	struct blake2s s;

	blake2s_init_key(&s, WIRE_MAC_LEN, key, key_len);
	blake2s_update(&s, data, len);
	blake2s_final(&s, out);
	wipe(&s, sizeof(s));
}

void kdf_hmac(uint8_t out[static WIRE_HASH_LEN], const uint8_t key[static WIRE_HASH_LEN],
	      const void *data, size_t len)
{
	uint8_t pad[BLAKE2S_BLOCK_LEN], inner[WIRE_HASH_LEN];
	struct blake2s s;

	memset(pad, 0x36, sizeof(pad));
	for (int i = 0; i < WIRE_HASH_LEN; i++)
		pad[i] ^= key[i];
	blake2s_init(&s, WIRE_HASH_LEN);
	blake2s_update(&s, pad, sizeof(pad));
	blake2s_update(&s, data, len);
	blake2s_final(&s, inner);

	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	kdf_hash(out, pad, sizeof(pad), inner, sizeof(inner));
	wipe(&s, sizeof(s));
	wipe(pad, sizeof(pad));
	wipe(inner, sizeof(inner));
}

/* Computes the outputs T(1) to T(@n) of HKDF: T(i) = HMAC(PRK, T(i-1) || i), where T(0) is
 * empty. */
static void hkdf(uint8_t *const out[], int n, const uint8_t ck[static WIRE_HASH_LEN],
		 const void *input, size_t len)
{
	uint8_t prk[WIRE_HASH_LEN], t[WIRE_HASH_LEN + 1];
	size_t t_len = 0;

	kdf_hmac(prk, ck, input, len);
	for (int i = 0; i < n; i++) {
		t[t_len] = (uint8_t)(i + 1);
		kdf_hmac(t, prk, t, t_len + 1);
		memcpy(out[i], t, WIRE_HASH_LEN);
		t_len = WIRE_HASH_LEN;
	}
	wipe(prk, sizeof(prk));
	wipe(t, sizeof(t));
}

void kdf1(uint8_t t1[static WIRE_HASH_LEN], const uint8_t ck[static WIRE_HASH_LEN],
	  const void *input, size_t len)
{
	hkdf((uint8_t *const[]){ t1 }, 1, ck, input, len);
}

void kdf2(uint8_t t1[static WIRE_HASH_LEN], uint8_t t2[static WIRE_HASH_LEN],
	  const uint8_t ck[static WIRE_HASH_LEN], const void *input, size_t len)
{
	hkdf((uint8_t *const[]){ t1, t2 }, 2, ck, input, len);
}

void kdf3(uint8_t t1[static WIRE_HASH_LEN], uint8_t t2[static WIRE_HASH_LEN],
	  uint8_t t3[static WIRE_HASH_LEN], const uint8_t ck[static WIRE_HASH_LEN],
	  const void *input, size_t len)
{
	hkdf((uint8_t *const[]){ t1, t2, t3 }, 3, ck, input, len);
}
