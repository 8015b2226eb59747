/* SPDX-License-Identifier: MIT */
/* keytext.c against libsodium's codecs on random keys, and against tables of what is no key. */
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "conf/keytext.h"

#define ROUNDS 10000

static void agrees_with_libsodium(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		char ours[128], theirs[128];
		uint8_t key[32], back[32];

		randombytes_buf(key, sizeof(key));
		keytext_to_base64(ours, key);
		sodium_bin2base64(theirs, sizeof(theirs), key, 32, sodium_base64_VARIANT_ORIGINAL);
		assert_string_equal(ours, theirs);
		assert_true(keytext_from_base64(back, ours, strlen(ours)));
		assert_memory_equal(back, key, 32);

		keytext_to_hex(ours, key);
		sodium_bin2hex(theirs, sizeof(theirs), key, 32);
		assert_string_equal(ours, theirs);
		memset(back, 0, sizeof(back));
		assert_true(keytext_from_hex(back, ours, strlen(ours)));
		assert_memory_equal(back, key, 32);
	}
}

/* Every byte value at every place: taken exactly if it is a digit. */
static void every_byte_at_every_place(void **state)
{
	static const char base64[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	/* The last digit carries two bits of nothing: every fourth one only. */
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
	assert_false(keytext_from_base64(key, text, 44)); /* 31 bytes */
}

static void known(void **state)
{

	static const char b64[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
	uint8_t key[32], ones[32];
	char text[65];

	(void)state;
	memset(ones, 1, sizeof(ones));
	assert_true(keytext_from_base64(key, b64, 44));
	assert_memory_equal(key, ones, 32);
	keytext_to_base64(text, ones);
	assert_string_equal(text, b64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_libsodium),
		cmocka_unit_test(every_byte_at_every_place),
		cmocka_unit_test(lengths),
		cmocka_unit_test(known),
	};

	return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
