/* SPDX-License-Identifier: MIT */
/* test_path_usage.c - counts of both paths, window by window, and the path that they prove. */
#include "dataplane/path_usage.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct row {
	const char *what;
	unsigned xsk, udp, expected_udp; /* in this window */
	bool by_udp;			 /* after it */
} rows[] = {
	{ "nothing", 0, 0, 0, false },
	{ "too few to decide", 0, 7, 0, false },
	{ "... but they count for the next window", 0, 1, 0, true },
	{ "silence changes nothing", 0, 0, 0, true },
	{ "half by each", 10, 10, 0, false },
	{ "all by UDP", 0, 8, 0, true },
	{ "one more by XDP", 9, 8, 0, false },
	{ "one more by UDP", 9, 10, 0, true },
	{ "as many as expected", 0, 10, 10, false },
	{ "more than expected", 0, 11, 10, true },
};

static void test_windows(void **state)
{
	struct path_usage u = { 0 };
	uint64_t xsk = 100, udp = 200;
	bool was;

	(void)state;
	path_usage_restart(&u, xsk, udp);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		was = u.by_udp;
		xsk += rows[i].xsk;
		udp += rows[i].udp;
		if (path_usage_update(&u, xsk, udp, rows[i].expected_udp) != (was != u.by_udp) ||
		    u.by_udp != rows[i].by_udp)
			fail_msg("%s", rows[i].what);
	}
}

/* A restart forgets what has come so far, but not the last decision. */
static void test_restart(void **state)
{
	struct path_usage u = { 0 };

	(void)state;
	assert_true(path_usage_update(&u, 0, 8, 0));
	assert_int_equal(u.last_udp, 8);
	path_usage_update(&u, 7, 8, 0);
	path_usage_restart(&u, 7, 8);
	assert_false(path_usage_update(&u, 8, 8, 0));
	assert_true(u.by_udp);
	assert_true(path_usage_update(&u, 15, 8, 0));
	assert_false(u.by_udp);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_restart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("path_usage", tests, NULL, NULL);
}
