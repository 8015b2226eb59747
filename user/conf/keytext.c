/* SPDX-License-Identifier: MIT */
/*
 * keytext.c - uses libsodium's codecs, which convert each digit without a table lookup and without
 * a branch on its value. A decoder stops at the first invalid character, so for an invalid text the
 * time depends on the position of that character. For a valid text the time depends only on the
 * length.
 */
#include "conf/keytext.h"

#include <sodium.h>
#include <string.h>

#include "crypto/wipe.h"

void keytext_to_base64(char text[static KEYTEXT_BASE64_LEN + 1],
		       const uint8_t key[static WIRE_KEY_LEN])
{
	sodium_bin2base64(text, KEYTEXT_BASE64_LEN + 1, key, WIRE_KEY_LEN,
			  sodium_base64_VARIANT_ORIGINAL);
}

void keytext_to_hex(char text[static KEYTEXT_HEX_LEN + 1], const uint8_t key[static WIRE_KEY_LEN])
{
	sodium_bin2hex(text, KEYTEXT_HEX_LEN + 1, key, WIRE_KEY_LEN);
}

/* Copies @out to @key if the decoder succeeded (@err is 0) and @len is the length of a key. Wipes
 * @out. */
static bool accept(uint8_t key[static WIRE_KEY_LEN], uint8_t out[static WIRE_KEY_LEN], size_t len,
		   int err)
{
	bool good = !err && len == WIRE_KEY_LEN;

	if (good)
		memcpy(key, out, WIRE_KEY_LEN);
	wipe(out, WIRE_KEY_LEN);
	return good;
}

bool keytext_from_base64(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[WIRE_KEY_LEN], all = 0;
	size_t out_len = 0;
	int err;

	if (len != KEYTEXT_BASE64_LEN)
		return false;
	/* libsodium 1.0.18 accepts bytes above 127 as digits, so refuse them here. */
	for (size_t i = 0; i < len; i++)
		all |= (uint8_t)text[i];
	if (all > 127)
		return false;
	err = sodium_base642bin(out, sizeof(out), text, len, NULL, &out_len, NULL,
				sodium_base64_VARIANT_ORIGINAL);
	return accept(key, out, out_len, err);
}

bool keytext_from_hex(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[WIRE_KEY_LEN];
	size_t out_len = 0;
	int err;

	if (len != KEYTEXT_HEX_LEN)
		return false;
	err = sodium_hex2bin(out, sizeof(out), text, len, NULL, &out_len, NULL);
	return accept(key, out, out_len, err);
}
