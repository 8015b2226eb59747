/* SPDX-License-Identifier: MIT */
/* test_closest.c - finds the closest correct word for a mistyped word, if there is one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/closest.h"

static const struct entry {
	const char *name;
	int other;
} entries[] = { { "attach", 1 },
		{ "detach", 2 },
		{ "show", 3 },
		{ "set", 4 },
		{ "check", 5 },
		{ "genkey", 6 },
		{ "PersistentKeepalive", 7 },
		{ "Address", 8 } };

static void words(void **state)
{
	static const struct {
		const char *word, *meant;
	} rows[] = {
		{ "dettach", "detach" },
		{ "atach", "attach" },
		{ "attahc", "attach" },
		{ "tatach", "attach" },
		{ "shwo", "show" },
		{ "SHOWS", "show" },
		{ "Show", "show" },
		{ "cheque", "check" },
		{ "gnekey", "genkey" },
		{ "ste", "set" },
		{ "persistent-keep-alive", "PersistentKeepalive" },
		{ "Adresses", "Address" },
		{ "PersistantKeepalive", "PersistentKeepalive" },
		/* typical interface names, which must not be taken for a mistyped word */
		{ "test", NULL },
		{ "site", NULL },
		{ "home", NULL },
		{ "apache", NULL },
		{ "china", NULL },
		{ "office", NULL },
		{ "tunnel", NULL },
		{ "", NULL },
		{ "a-word-that-is-longer-than-any-name-there-is", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *found = closest(rows[i].word, entries, sizeof(entries[0]),
					    sizeof(entries) / sizeof(entries[0]));

		if (!found != !rows[i].meant || (found && strcmp(found, rows[i].meant) != 0))
			fail_msg("%s: %s", rows[i].word, found ? found : "(none)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
	};

	return cmocka_run_group_tests_name("closest", tests, NULL, NULL);
}
