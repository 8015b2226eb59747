/* SPDX-License-Identifier: MIT */
/*
 * keytext.h - 32-byte keys as text: base64 (config files, wg) and hex (the configuration socket).
 * The time to write or read a valid key does not depend on its digits.
 */
#ifndef WGXDP_KEYTEXT_H
#define WGXDP_KEYTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wgxdp/wire.h"

#define KEYTEXT_BASE64_LEN 44 /* RFC 4648 section 4: 43 digits and one '=' */
#define KEYTEXT_HEX_LEN 64

/* Write the key as text, with a NUL at the end. */
void keytext_to_base64(char text[static KEYTEXT_BASE64_LEN + 1],
		       const uint8_t key[static WIRE_KEY_LEN]);
void keytext_to_hex(char text[static KEYTEXT_HEX_LEN + 1], const uint8_t key[static WIRE_KEY_LEN]);

/* Read a key from the @len bytes at @text. Return false with @key unchanged if the length or a
 * character is wrong, or if the last digit has bits beyond the 256 of the key. Hex digits may be
 * upper or lower case. */
bool keytext_from_base64(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
	__attribute__((warn_unused_result));
bool keytext_from_hex(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
	__attribute__((warn_unused_result));

#endif
