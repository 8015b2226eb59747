/* SPDX-License-Identifier: MIT */
/* test_inetsum.c - the Internet checksum, compared with the definition in RFC 1071. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/inetsum.h"

#define ROOM 66000

static uint8_t bytes[ROOM];

/* Adds 16-bit words in network order, and adds each carry at once. Returns the sum in host
 * order. */
static uint16_t sum_by_definition(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void compare(size_t at, size_t n)
{
	uint16_t sum = ntohs(inetsum_fold(inetsum_add(bytes + at, n, 0)));

	if (sum != sum_by_definition(bytes + at, n))
		fail_msg("%zu bytes at %zu: 0x%04x instead of 0x%04x", n, at, sum,
			 sum_by_definition(bytes + at, n));
}

/* The example in section 3 of RFC 1071. */
static void example(void **state)
{
	static const uint8_t words[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(ntohs(inetsum_fold(inetsum_add(words, sizeof(words), 0))), 0xddf2);
}

/* The first round uses only bytes of 0xff, which cause the most carries. */
static void lengths_and_alignments(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < 3; seed++) {
		for (size_t i = 0; i < ROOM; i++)
			bytes[i] = seed ? (uint8_t)(i * i * 31 + i / 7 * seed) : 0xff;
		for (size_t at = 0; at < 32; at++)
			for (size_t n = 0; n < 200; n++)
				compare(at, n);
		for (size_t n = 1200; n < ROOM - 64; n += 997)
			compare(n % 64, n);
		compare(1, UINT16_MAX);
	}
}

/* inetsum_add() continues the sum of earlier pieces, even if this sum is already large. */
static void pieces(void **state)
{
	uint64_t sum = 0;

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	bytes[0] = 0x12;
	for (unsigned i = 0; i < 512; i++)
		sum = inetsum_add(bytes + 2, 65534, sum);
	sum = inetsum_add(bytes, 2, sum);
	assert_int_equal(ntohs(inetsum_fold(sum)), 0x12ff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(example),
		cmocka_unit_test(lengths_and_alignments),
		cmocka_unit_test(pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
