/* SPDX-License-Identifier: MIT */
/* test_mtu.c - the MTU that a tunnel gets if its config gives none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/mtu.h"

static void mtu(void **state)
{
	static const struct {
		uint32_t path, mtu;
	} rows[] = {
		{ 0, 1420 },			       /* path MTU unknown: as for Ethernet */
		{ 1500, 1420 },	       { 1492, 1412 }, /* PPPoE */
		{ 9000, 8920 },	       { 1361, 1281 },
		{ 1360, 1280 },	       { 1359, 1280 }, /* the least MTU of IPv6, RFC 8200 5 */
		{ 1280, 1280 },	       { 576, 1280 },
		{ 80, 1280 },	       { 79, 1280 }, /* no underflow */
		{ 1, 1280 },	       { 65535, 65455 },
		{ 65536, 65455 }, /* 65535, the longest IP packet, minus 80 */
		{ UINT32_MAX, 65455 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(mtu_for_path(rows[i].path), rows[i].mtu);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mtu),
	};

	return cmocka_run_group_tests_name("mtu", tests, NULL, NULL);
}
