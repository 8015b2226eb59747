/* SPDX-License-Identifier: MIT */
/* test_keytext.c - encodes and decodes random keys, every byte value at every place, and texts of
 * every length. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conf/keytext.h"

#define ROUNDS 10000

static void there_and_back(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		uint8_t key[32], back[32] = { 0 };
		char text[128];

		randombytes_buf(key, sizeof(key));
		keytext_to_base64(text, key);
		assert_true(keytext_from_base64(back, text, strlen(text)));
		assert_memory_equal(back, key, 32);

		keytext_to_hex(text, key);
		memset(back, 0, sizeof(back));
		assert_true(keytext_from_hex(back, text, strlen(text)));
		assert_memory_equal(back, key, 32);
	}
}

/* Tries every byte value at every place: the text is accepted only if the byte is valid there. */
static void every_byte_at_every_place(void **state)
{
	static const char base64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	/* The last digit carries two unused bits, so only every fourth digit is valid there. */
	static const char last[] = "AEIMQUYcgkosw048";
	static const char hex[] = "0123456789abcdefABCDEF";
	char text[65];
	uint8_t key[32];

	(void)state;
	for (unsigned at = 0; at < 44; at++) {
		for (unsigned c = 0; c < 256; c++) {
			const char *good = at < 42 ? base64 : at == 42 ? last : "=";
			bool expected = c && strchr(good, (int)c);

			memset(text, 'A', 43);
			text[43] = '=';
			text[at] = (char)c;
			memset(key, 0x55, sizeof(key));
			assert_int_equal(keytext_from_base64(key, text, 44), expected);
			if (!expected)
				for (unsigned i = 0; i < 32; i++)
					assert_int_equal(key[i], 0x55);
		}
	}
	for (unsigned at = 0; at < 64; at++) {
		for (unsigned c = 0; c < 256; c++) {
			memset(text, '0', 64);
			text[at] = (char)c;
			assert_int_equal(keytext_from_hex(key, text, 64), c && strchr(hex, (int)c));
		}
	}
}

static void lengths(void **state)
{
	char text[100];
	uint8_t key[32];

	(void)state;
	memset(text, 'A', sizeof(text));
	for (size_t len = 0; len < sizeof(text); len++) {
		assert_false(keytext_from_base64(key, text, len)); /* no '=' */
		assert_int_equal(keytext_from_hex(key, text, len), len == 64);
	}
	for (size_t len = 1; len < sizeof(text); len++) {
		memset(text, 'A', sizeof(text));
		text[len - 1] = '=';
		assert_int_equal(keytext_from_base64(key, text, len), len == 44);
	}
	memset(text, 'A', 42);
	text[42] = text[43] = '=';
	assert_false(keytext_from_base64(key, text, 44)); /* encodes only 31 bytes */
}

/* The texts were made by base64(1) and xxd(1). The base64 text has digits of every kind. */
static void known(void **state)
{
	static const uint8_t bytes[32] = { 0x00, 0x10, 0x83, 0x10, 0x51, 0x87, 0x20, 0x92,
					   0x8b, 0x30, 0xd3, 0x8f, 0x41, 0x14, 0x93, 0x51,
					   0x55, 0x97, 0x61, 0x96, 0x9b, 0x71, 0xd7, 0x9f,
					   0x82, 0x18, 0xa3, 0xd3, 0xdb, 0xff, 0xfb, 0xf0 };
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij09v/+/A=";
	static const char hex[] = "00108310518720928b30d38f411493515597619"
				  "69b71d79f8218a3d3dbfffbf0";
	uint8_t key[32];
	char text[65];

	(void)state;
	assert_true(keytext_from_base64(key, base64, 44));
	assert_memory_equal(key, bytes, 32);
	keytext_to_base64(text, bytes);
	assert_string_equal(text, base64);
	keytext_to_hex(text, bytes);
	assert_string_equal(text, hex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(lengths),
		cmocka_unit_test(known),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
