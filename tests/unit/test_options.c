/* SPDX-License-Identifier: MIT */
/* test_options.c - the values of the options of attach. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "dataplane/options.h"
#include "util/fault.h"

static int parse(char *argument, struct options *o, struct fault *f)
{
	char attach[] = "attach", file[] = "wg0.conf";
	char *argv[] = { attach, argument, file, NULL };
	const char *conf;

	options_default(o);
	return options_parse(o, 3, argv, &conf, f);
}

static void test_cpus(void **state)
{
	static const struct {
		const char *list;
		unsigned count;
		int first, last;
	} rows[] = {
		{ "0", 1, 0, 0 },
		{ "3,1", 2, 3, 1 },
		{ "0,2-3", 3, 0, 3 },
		{ "0-63", 64, 0, 63 },
		{ "8-8,7", 2, 8, 7 },
		{ "1000-1023", 24, 1000, 1023 },
		{ "0-31,64-95", 64, 0, 95 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char argument[64];
		struct options o;
		struct fault f = { "" };

		snprintf(argument, sizeof(argument), "--cpus=%s", rows[i].list);
		assert_int_equal(parse(argument, &o, &f), 0);
		assert_int_equal(o.cpu_count, rows[i].count);
		assert_int_equal(o.cpus[0], rows[i].first);
		assert_int_equal(o.cpus[o.cpu_count - 1], rows[i].last);
	}
}

static void test_wrong_cpus(void **state)
{
	static const char form[] = "must be a list of CPUs such as 0,2-3";
	static const char length[] = "lists more than 64 CPUs; use a shorter list, because there "
				     "are at most 64 workers";
	static const struct {
		const char *list, *why;
	} rows[] = {
		{ "", form },	       { "x", form },	     { "0,", form },
		{ ",0", form },	       { "1-", form },	     { "3-2", form },
		{ "0-1-2", form },     { "1024", form },     { "-1", form },
		{ "0;1", form },       { "0-64", length },   { "0-63,0", length },
		{ "64,0-63", length }, { "0-1023", length },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char argument[64], expected[160];
		struct options o;
		struct fault f = { "" };

		snprintf(argument, sizeof(argument), "--cpus=%s", rows[i].list);
		snprintf(expected, sizeof(expected), "--cpus %s: %s", rows[i].list, rows[i].why);
		assert_int_equal(parse(argument, &o, &f), CLI_USAGE);
		assert_string_equal(f.text, expected);
		assert_int_equal(o.cpu_count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_wrong_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
