/* SPDX-License-Identifier: MIT */
/*
 * kdf.h - the hash functions of the handshake ([W] 5.4; Noise specification, 4.3). All
 * are built on BLAKE2s, and all wipe their secrets from the stack. Any thread may call these
 * functions.
 *
 *   BLAKE2s ─▶ kdf_hash (HASH)
 *           ─▶ kdf_mac  (MAC)
 *           ─▶ kdf_hmac (HMAC) ─▶ kdf1, kdf2, kdf3 (KDF)
 */
#ifndef WGXDP_KDF_H
#define WGXDP_KDF_H

#include <stddef.h>
#include <stdint.h>

#include "wgxdp/wire.h"

/* Computes HASH(a || b). @out may be @a or @b. */
void kdf_hash(uint8_t out[static WIRE_HASH_LEN], const void *a, size_t a_len, const void *b,
	      size_t b_len);

/* Computes MAC(key, data), which is keyed BLAKE2s with 16 bytes of output. @key_len: 1..32. */
void kdf_mac(uint8_t out[static WIRE_MAC_LEN], const void *key, size_t key_len, const void *data,
	     size_t len);

/* Computes HMAC-BLAKE2s, RFC 2104. @out may be @key. */
void kdf_hmac(uint8_t out[static WIRE_HASH_LEN], const uint8_t key[static WIRE_HASH_LEN],
	      const void *data, size_t len);

/* Compute HKDF (RFC 5869) of @input with the chaining key @ck, with one, two or three outputs. Any
 * output may be @ck. @input must not overlap an output. */
void kdf1(uint8_t t1[static WIRE_HASH_LEN], const uint8_t ck[static WIRE_HASH_LEN],
	  const void *input, size_t len);
void kdf2(uint8_t t1[static WIRE_HASH_LEN], uint8_t t2[static WIRE_HASH_LEN],
	  const uint8_t ck[static WIRE_HASH_LEN], const void *input, size_t len);
void kdf3(uint8_t t1[static WIRE_HASH_LEN], uint8_t t2[static WIRE_HASH_LEN],
	  uint8_t t3[static WIRE_HASH_LEN], const uint8_t ck[static WIRE_HASH_LEN],
	  const void *input, size_t len);

#endif
