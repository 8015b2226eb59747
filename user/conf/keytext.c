/* SPDX-License-Identifier: MIT */
#include "conf/keytext.h"

#include <string.h>

#include "crypto/wipe.h"

/* No table and no branch may depend on a digit: both would show in the cache or the clock. Values
 * here are below 2^31, so the sign bit of a difference tells which is greater. */

/* All ones if @low <= @x <= @high, else zero. */
static uint32_t within(uint32_t x, uint32_t low, uint32_t high)
{
	return (((x - low) | (high - x)) >> 31) - 1;
}

static char base64_digit(uint32_t v)
{
	return (char)((within(v, 0, 25) & ('A' + v)) | (within(v, 26, 51) & ('a' + v - 26)) |
		      (within(v, 52, 61) & ('0' + v - 52)) | (within(v, 62, 62) & '+') |
		      (within(v, 63, 63) & '/'));
}

/* The value of a digit; *@bad gets all ones when it is none. */
static uint32_t base64_value(unsigned char c, uint32_t *bad)
{
	uint32_t upper = within(c, 'A', 'Z'), lower = within(c, 'a', 'z');
	uint32_t number = within(c, '0', '9'), plus = within(c, '+', '+');
	uint32_t slash = within(c, '/', '/');

	*bad |= ~(upper | lower | number | plus | slash);
	return (upper & (c - 'A')) | (lower & (c - 'a' + 26U)) | (number & (c - '0' + 52U)) |
	       (plus & 62) | (slash & 63);
}

static char hex_digit(uint32_t v)
{
	return (char)((within(v, 0, 9) & ('0' + v)) | (within(v, 10, 15) & ('a' + v - 10)));
}

static uint32_t hex_value(unsigned char c, uint32_t *bad)
{
	uint32_t number = within(c, '0', '9'), lower = within(c, 'a', 'f');
	uint32_t upper = within(c, 'A', 'F');

	*bad |= ~(number | lower | upper);
	return (number & (c - '0')) | (lower & (c - 'a' + 10U)) | (upper & (c - 'A' + 10U));
}

void keytext_to_base64(char text[static KEYTEXT_BASE64_LEN + 1],
		       const uint8_t key[static WIRE_KEY_LEN])
{
	uint32_t bits = 0;
	unsigned have = 0, n = 0;

	for (unsigned i = 0; i < WIRE_KEY_LEN; i++) {
		bits = bits << 8 | key[i];
		for (have += 8; have >= 6; have -= 6)
			text[n++] = base64_digit(bits >> (have - 6) & 63);
	}
	/* 256 = 42 * 6 + 4 */
	text[n++] = base64_digit(bits << (6 - have) & 63);
	text[n++] = '=';
	text[n] = '\0';
	wipe(&bits, sizeof(bits));
}

bool keytext_from_base64(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[WIRE_KEY_LEN];
	uint32_t bits = 0, bad = 0;
	unsigned have = 0, n = 0;

	if (len != KEYTEXT_BASE64_LEN || text[KEYTEXT_BASE64_LEN - 1] != '=')
		return false;
	for (unsigned i = 0; i < KEYTEXT_BASE64_LEN - 1; i++) {
		bits = bits << 6 | base64_value((unsigned char)text[i], &bad);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (uint8_t)(bits >> have);
		}
	}
	bad |= bits & ((1U << have) - 1); /* two bits are left over and must be zero */
	if (!bad)
		memcpy(key, out, sizeof(out));
	wipe(out, sizeof(out));
	wipe(&bits, sizeof(bits));
	return !bad;
}

void keytext_to_hex(char text[static KEYTEXT_HEX_LEN + 1], const uint8_t key[static WIRE_KEY_LEN])
{
	for (unsigned i = 0; i < WIRE_KEY_LEN; i++) {
		text[2 * i] = hex_digit(key[i] >> 4);
		text[2 * i + 1] = hex_digit(key[i] & 15);
	}
	text[KEYTEXT_HEX_LEN] = '\0';
}

bool keytext_from_hex(uint8_t key[static WIRE_KEY_LEN], const char *text, size_t len)
{
	uint8_t out[WIRE_KEY_LEN];
	uint32_t bad = 0;

	if (len != KEYTEXT_HEX_LEN)
		return false;
	for (unsigned i = 0; i < WIRE_KEY_LEN; i++)
		out[i] = (uint8_t)(hex_value((unsigned char)text[2 * i], &bad) << 4 |
				   hex_value((unsigned char)text[2 * i + 1], &bad));
	if (!bad)
		memcpy(key, out, sizeof(out));
	wipe(out, sizeof(out));
	return !bad;
}
