/* SPDX-License-Identifier: MIT */
/* fuzz_keytext.c - a text is either refused or parsed as a key. The parsed key must be encoded to
 * the same text again. Only the case of hex digits may differ. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/keytext.h"
#include "fuzz_main.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char base64[KEYTEXT_BASE64_LEN + 1], hex[KEYTEXT_HEX_LEN + 1];
	const char *text = (const char *)data;
	uint8_t key[WIRE_KEY_LEN];

	if (keytext_from_base64(key, text, size)) {
		keytext_to_base64(base64, key);
		if (size != KEYTEXT_BASE64_LEN || memcmp(base64, text, size) != 0)
			abort();
	}
	if (keytext_from_hex(key, text, size)) {
		keytext_to_hex(hex, key);
		if (size != KEYTEXT_HEX_LEN || strncasecmp(hex, text, size) != 0)
			abort();
	}
	if (size >= WIRE_KEY_LEN) {
		keytext_to_base64(base64, data);
		keytext_to_hex(hex, data);
		if (!keytext_from_base64(key, base64, KEYTEXT_BASE64_LEN) ||
		    memcmp(key, data, sizeof(key)) != 0 ||
		    !keytext_from_hex(key, hex, KEYTEXT_HEX_LEN) ||
		    memcmp(key, data, sizeof(key)) != 0)
			abort();
	}
	return 0;
}
