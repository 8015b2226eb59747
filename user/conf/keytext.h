/* SPDX-License-Identifier: MIT */
/*
 * keytext.h - 32-byte keys as text: base64 (config files, wg) and hex (the configuration socket).
 * The time to write or to read a valid key depends on its length only, never on its digits.
 */
#ifndef WGXDP_KEYTEXT_H
#define WGXDP_KEYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wgxdp/wire.h"

#define KEYTEXT_BASE64_LEN 44 /* RFC 4648 section 4: 43 digits and one '=' */
#define KEYTEXT_HEX_LEN 64

/* Writes the text and its NUL. */
void keytext_to_base64(char text[static KEYTEXT_BASE64_LEN + 1],
		       const uint8_t key[static WIRE_KEY_LEN]);
void keytext_to_hex(char text[static KEYTEXT_HEX_LEN + 1], const uint8_t key[static WIRE_KEY_LEN]);

/* Reads a key from @text of @len bytes. Returns false and leaves @key untouched if the length or a
 * character is wrong, or if the last digit carries bits beyond the 256. Hex may be of either case.
 * */
bool keytext_from_base64(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
	__attribute__((warn_unused_result));
bool keytext_from_hex(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
	__attribute__((warn_unused_result));

#endif
