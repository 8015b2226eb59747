/* SPDX-License-Identifier: MIT */
/* test_check.c - the warnings of `wgxdp check` about the clock. tests/net/check.sh tests the
 * warnings about the rest of the host, and tests/net/files.sh the warnings about the file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/check.c" /* NOLINT(bugprone-suspicious-include) */

static void clock_is_behind(void **state)
{
	struct findings n = { 0 };

	(void)state;
	check_clock(BUILT_AFTER, &n);
	assert_int_equal(n.warnings, 0);
	check_clock(BUILT_AFTER - 1, &n);
	assert_int_equal(n.warnings, 1);
	check_clock(0, &n);
	assert_int_equal(n.warnings, 2);
	assert_int_equal(n.faults, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clock_is_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
