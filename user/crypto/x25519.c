/* SPDX-License-Identifier: MIT */
#include "crypto/x25519.h"

#include <sodium.h>

#include "crypto/wipe.h"

void x25519_clamp(uint8_t secret[static X25519_LEN])
{
	secret[0] &= 248;
	secret[31] = (secret[31] & 127) | 64;
}

void x25519_public(uint8_t public[static X25519_LEN], const uint8_t secret[static X25519_LEN])
{
	/* This cannot fail, because the base point has prime order. */
	(void)crypto_scalarmult_curve25519_base(public, secret);
}

bool x25519(uint8_t shared[static X25519_LEN], const uint8_t secret[static X25519_LEN],
	    const uint8_t public[static X25519_LEN])
{
	/* libsodium refuses points of low order, and does not write @shared for some of these
	 * points. */
	bool ok = crypto_scalarmult_curve25519(shared, secret, public) == 0;

	if (!ok)
		wipe(shared, X25519_LEN);
	return ok;
}
