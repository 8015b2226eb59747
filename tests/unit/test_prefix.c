/* SPDX-License-Identifier: MIT */
/* test_prefix.c - masks and texts of prefixes whose length is at or near a byte boundary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "wg/prefix.h"

/* Makes a prefix of @length bits from the address @text, and keeps its host bits. */
static struct prefix prefix_of(const char *text, uint8_t length)
{
	struct prefix p = { .family = strchr(text, ':') ? AF_INET6 : AF_INET, .length = length };

	assert_int_equal(inet_pton(p.family, text, p.addr), 1);
	return p;
}

static const struct {
	const char *address;
	uint8_t length;
	const char *masked;
} masks[] = {
	{ "255.255.255.255", 0, "0.0.0.0/0" },
	{ "255.255.255.255", 1, "128.0.0.0/1" },
	{ "255.255.255.255", 7, "254.0.0.0/7" },
	{ "255.255.255.255", 8, "255.0.0.0/8" },
	{ "255.255.255.255", 9, "255.128.0.0/9" },
	{ "255.255.255.255", 31, "255.255.255.254/31" },
	{ "255.255.255.255", 32, "255.255.255.255/32" },
	{ "ffff::ffff", 0, "::/0" },
	{ "2001:db8::1", 127, "2001:db8::/127" },
	{ "2001:db8::1", 128, "2001:db8::1/128" },
	{ "2001:dbf::", 29, "2001:db8::/29" },
};

static void host_bits_are_cleared(void **state)
{
	char text[PREFIX_TEXT_LEN], before[PREFIX_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct prefix p = prefix_of(masks[i].address, masks[i].length);
		bool any;

		prefix_text(&p, before);
		any = prefix_mask(&p);
		assert_string_equal(prefix_text(&p, text), masks[i].masked);
		assert_int_equal(any, strcmp(before, text) != 0);
		assert_false(prefix_mask(&p));
	}
}

static void lengths_that_do_not_fit_are_invalid(void **state)
{
	(void)state;
	assert_true(prefix_valid(&(struct prefix){ .family = AF_INET, .length = 32 }));
	assert_false(prefix_valid(&(struct prefix){ .family = AF_INET, .length = 33 }));
	assert_true(prefix_valid(&(struct prefix){ .family = AF_INET6, .length = 128 }));
	assert_false(prefix_valid(&(struct prefix){ .family = AF_INET6, .length = 129 }));
	assert_false(prefix_valid(&(struct prefix){ .family = AF_UNSPEC, .length = 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_bits_are_cleared),
		cmocka_unit_test(lengths_that_do_not_fit_are_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
