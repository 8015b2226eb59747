/* SPDX-License-Identifier: MIT */
/* x25519.h - Curve25519 as WireGuard uses it (RFC 7748 section 5), computed by libsodium. */
#ifndef WGXDP_X25519_H
#define WGXDP_X25519_H

#include <stdbool.h>
#include <stdint.h>

#define X25519_LEN 32

/* Clamps @secret in place, which turns any 32 random bytes into a private key (RFC 7748 5). */
void x25519_clamp(uint8_t secret[static X25519_LEN]);

/* Computes @public := @secret * 9, in constant time. Any thread may call this. */
void x25519_public(uint8_t public[static X25519_LEN], const uint8_t secret[static X25519_LEN]);

/* Computes @shared := @secret * @public. Returns false, with @shared zeroed, if the result is zero:
 * @public is then a point of low order (RFC 7748 6.1), and the caller must refuse the peer.
 * Runs in constant time. Any thread may call this. */
bool x25519(uint8_t shared[static X25519_LEN], const uint8_t secret[static X25519_LEN],
	    const uint8_t public[static X25519_LEN]) __attribute__((warn_unused_result));

#endif
