/* SPDX-License-Identifier: MIT */
/* test_path_usage.c - which path (AF_XDP or UDP) `wgxdp show` must report, for given message counts
 * of both paths in consecutive time windows. */
#include "dataplane/path_usage.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct row {
	const char *what;
	unsigned xsk, udp; /* messages by each path in this window */
	bool by_udp;	   /* whether UDP is the reported path after this window */
} rows[] = {
	{ "nothing", 0, 0, false },
	{ "too few to decide", 0, 63, false },
	{ "... but they count for the next window", 0, 1, true },
	{ "silence changes nothing", 0, 0, true },
	{ "half by each", 80, 80, false },
	{ "all by UDP", 0, 64, true },
	{ "one more by XDP", 65, 64, false },
	{ "one more by UDP", 64, 65, true },
};

static void test_windows(void **state)
{
	struct path_usage u = { 0 };
	uint64_t xsk = 100, udp = 200;
	bool was;

	(void)state;
	u.xsk = xsk;
	u.udp = udp;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		was = u.by_udp;
		xsk += rows[i].xsk;
		udp += rows[i].udp;
		if (path_usage_update(&u, xsk, udp) != (was != u.by_udp) ||
		    u.by_udp != rows[i].by_udp)
			fail_msg("%s", rows[i].what);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("path_usage", tests, NULL, NULL);
}
