/* SPDX-License-Identifier: MIT */
/* test_ecn.c - compares every traffic class with the two tables of RFC 6040. One cell of each table
 * differs from the RFC, as in the kernel's WireGuard. The bytes around the class must not
 * change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "path/ecn.h"

static const uint8_t header4[20] = { 0x45, 0, 0,  60, 0x12, 0x34, 0x40, 0,  64, 17,
				     0,	   0, 10, 99, 0,    1,	  10,	99, 0,	2 };
static const uint8_t header6[40] = { 0x60, 0x0f, 0xed, 0xcb, 0, 20, 17, 64, 0xfd };

/* Sums the words of an IPv4 header. The sum is 0xffff if the header checksum is correct. */
static uint32_t ones(const uint8_t *p)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Writes an IP header with the traffic class @tclass. An IPv4 header gets a correct checksum. */
static void make(uint8_t ip[static 40], int version, uint8_t tclass)
{
	uint32_t sum;

	memset(ip, 0, 40);
	if (version == 6) {
		memcpy(ip, header6, sizeof(header6));
		ip[0] |= tclass >> 4;
		ip[1] |= (uint8_t)(tclass << 4);
		return;
	}
	memcpy(ip, header4, sizeof(header4));
	ip[1] = tclass;
	sum = ones(ip) ^ 0xffff;
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void test_encapsulate(void **state)
{
	/* The outer marks for the inner marks Not-ECT, ECT(1), ECT(0) and CE. The RFC copies CE to
	 * the outer header. The kernel's WireGuard sets ECT(0) instead. */
	static const uint8_t want[] = { 0, 1, 2, 2 };
	uint8_t ip[40];

	(void)state;
	for (int version = 4; version <= 6; version += 2)
		for (unsigned tclass = 0; tclass < 256; tclass++) {
			make(ip, version, (uint8_t)tclass);
			assert_int_equal(ecn_class(ip), tclass);
			assert_int_equal(ecn_encapsulate(ip), want[tclass & 3]);
		}
}

static void test_decapsulate(void **state)
{
	/* RFC 6040 figure 4, with the columns Not-ECT, ECT(1), ECT(0), CE of the outer header. One
	 * cell differs, as in the kernel: a Not-ECT packet whose outer header has CE is kept, where
	 * the RFC drops it. */
	static const uint8_t want[4][4] = {
		/* Not-ECT */ { 0, 0, 0, 0 },
		/* ECT(1) */ { 1, 1, 1, 3 },
		/* ECT(0) */ { 2, 1, 2, 3 },
		/* CE */ { 3, 3, 3, 3 },
	};
	uint8_t ip[40], expected[40];

	(void)state;
	for (int version = 4; version <= 6; version += 2)
		for (unsigned inner = 0; inner < 256; inner++)
			for (unsigned outer = 0; outer < 256; outer++) {
				uint8_t mark = want[inner & 3][outer & 3];

				make(ip, version, (uint8_t)inner);
				make(expected, version, (uint8_t)((inner & ~3u) | mark));
				ecn_decapsulate(ip, (uint8_t)outer);
				if (version == 4)
					assert_int_equal(ones(ip), 0xffff);
				assert_memory_equal(ip, expected, sizeof(ip));
			}
}

/* The checksum is updated and not recomputed, so that a wrong checksum stays wrong. */
static void test_wrong_checksum_stays_wrong(void **state)
{
	uint8_t ip[40];

	(void)state;
	make(ip, 4, ECN_ECT0);
	ip[11] ^= 0x10;
	ecn_decapsulate(ip, ECN_CE);
	ip[11] ^= 0x10;
	assert_int_equal(ones(ip), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encapsulate),
		cmocka_unit_test(test_decapsulate),
		cmocka_unit_test(test_wrong_checksum_stays_wrong),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
