/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "wg/endpoint.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static struct endpoint make(const char *address, uint16_t port, uint32_t scope)
{
	struct endpoint e;

	memset(&e, 0, sizeof(e));
	if (inet_pton(AF_INET, address, &e.remote.v4.sin_addr) == 1) {
		e.remote.v4.sin_family = AF_INET;
		e.remote.v4.sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, address, &e.remote.v6.sin6_addr), 1);
		e.remote.v6.sin6_family = AF_INET6;
		e.remote.v6.sin6_port = htons(port);
		e.remote.v6.sin6_scope_id = scope;
	}
	return e;
}

static void test_text_and_martian(void **state)
{
	static const struct {
		const char *address;
		uint16_t port;
		uint32_t scope;
		const char *text;
		bool martian;
	} table[] = {
		/* 1 */ { "192.0.2.1", 51820, 0, "192.0.2.1:51820", false },
		/* 2 */ { "127.0.0.1", 111, 0, "127.0.0.1:111", false },
		/* 3 */ { "255.255.255.254", 65535, 0, "255.255.255.254:65535", false },
		/* 4 */ { "192.0.2.1", 0, 0, "192.0.2.1:0", true },
		/* 5 */ { "0.0.0.0", 1, 0, "0.0.0.0:1", true },
		/* 6 */ { "255.255.255.255", 1, 0, "255.255.255.255:1", true },
		/* 7 */ { "224.0.0.1", 1, 0, "224.0.0.1:1", true },
		/* 8 */ { "239.255.255.255", 1, 0, "239.255.255.255:1", true },
		/* 9 */ { "223.255.255.255", 1, 0, "223.255.255.255:1", false },
		/* 10 */ { "2001:db8::1", 51820, 0, "[2001:db8::1]:51820", false },
		/* 11 */ { "fe80::1", 5, 7, "[fe80::1%7]:5", false },
		/* 12 */ { "::1", 222, 0, "[::1]:222", false },
		/* 13 */ { "2001:db8::1", 0, 0, "[2001:db8::1]:0", true },
		/* 14 */ { "::", 1, 0, "[::]:1", true },
		/* 15 */ { "ff02::1", 1, 0, "[ff02::1]:1", true },
		/* 16 */ { "0.1.2.3", 1, 0, "0.1.2.3:1", true },
		/* 17 */ { "240.0.0.1", 1, 0, "240.0.0.1:1", false }, /* Linux routes 240/4 */
		/* 18 */ { "::ffff:192.0.2.1", 1, 0, "[::ffff:192.0.2.1]:1", true },
		/* 19: the longest text */
		{ "2001:db8:1111:2222:3333:4444:5555:6666", 65535, UINT32_MAX,
		  "[2001:db8:1111:2222:3333:4444:5555:6666%4294967295]:65535", false },
	};
	char text[ENDPOINT_TEXT_LEN];
	struct endpoint none;

	(void)state;
	for (size_t n = 0; n < COUNT(table); n++) {
		struct endpoint e = make(table[n].address, table[n].port, table[n].scope);

		assert_ptr_equal(endpoint_text(&e, text), text);
		assert_string_equal(text, table[n].text);
		assert_int_equal(endpoint_martian(&e), table[n].martian);
	}
	memset(&none, 0, sizeof(none));
	assert_string_equal(endpoint_text(&none, text), "");
	assert_true(endpoint_martian(&none));
}

/* Checks endpoint_same_remote() and endpoint_same() for each way in which two endpoints can
 * differ. */
static void test_same(void **state)
{
	const struct endpoint v4 = make("192.0.2.1", 1, 0), v6 = make("2001:db8::1", 1, 2);
	struct endpoint none, e;

	(void)state;
	memset(&none, 0, sizeof(none));
	assert_true(endpoint_same(&v4, &v4) && endpoint_same(&v6, &v6));
	assert_true(endpoint_same(&none, &none));
	assert_false(endpoint_same_remote(&v4, &v6));
	assert_false(endpoint_same_remote(&v4, &none));

	e = make("192.0.2.2", 1, 0);
	assert_false(endpoint_same_remote(&v4, &e) || endpoint_same(&v4, &e));
	e = make("192.0.2.1", 2, 0);
	assert_false(endpoint_same_remote(&v4, &e));
	e = make("2001:db8::2", 1, 2);
	assert_false(endpoint_same_remote(&v6, &e));
	e = make("2001:db8::1", 2, 2);
	assert_false(endpoint_same_remote(&v6, &e));
	e = make("2001:db8::1", 1, 3);
	assert_false(endpoint_same_remote(&v6, &e));

	/* the padding and the flow label are not compared */
	e = v4;
	e.remote.v4.sin_zero[0] = 1;
	assert_true(endpoint_same(&v4, &e));
	e = v6;
	e.remote.v6.sin6_flowinfo = 1;
	assert_true(endpoint_same(&v6, &e));

	/* endpoint_same() also compares the local address and the interface */
	e = v4;
	e.local.v4.s_addr = 1;
	assert_true(endpoint_same_remote(&v4, &e));
	assert_false(endpoint_same(&v4, &e));
	e = v6;
	e.local.v6.s6_addr[15] = 1;
	assert_true(endpoint_same_remote(&v6, &e));
	assert_false(endpoint_same(&v6, &e));
	e.ifindex = 9;
	endpoint_forget_local(&e);
	assert_true(endpoint_same(&v6, &e));
	e.ifindex = 9;
	assert_false(endpoint_same(&v6, &e));
}

static void test_from_sockaddr(void **state)
{
	struct sockaddr_storage sa;
	struct endpoint source, e, before;

	(void)state;
	memset(&sa, 0, sizeof(sa));
	source = make("192.0.2.1", 51820, 0);
	memcpy(&sa, &source.remote.v4, sizeof(source.remote.v4));
	memset(&e, 0xa5, sizeof(e));
	assert_true(endpoint_from_sockaddr(&e, (struct sockaddr *)&sa));
	assert_memory_equal(&e, &source, sizeof(e));
	assert_int_equal(endpoint_len(&e), sizeof(struct sockaddr_in));

	source = make("fe80::1", 51820, 3);
	memcpy(&sa, &source.remote.v6, sizeof(source.remote.v6));
	((struct sockaddr_in6 *)&sa)->sin6_flowinfo = 5;
	memset(&e, 0xa5, sizeof(e));
	assert_true(endpoint_from_sockaddr(&e, (struct sockaddr *)&sa));
	assert_memory_equal(&e, &source, sizeof(e));
	assert_int_equal(endpoint_len(&e), sizeof(struct sockaddr_in6));

	memcpy(&before, &e, sizeof(e));
	sa.ss_family = AF_UNIX;
	assert_false(endpoint_from_sockaddr(&e, (struct sockaddr *)&sa));
	assert_memory_equal(&e, &before, sizeof(e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_and_martian),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_from_sockaddr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
