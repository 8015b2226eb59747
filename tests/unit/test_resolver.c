/* SPDX-License-Identifier: MIT */
/* test_resolver.c - which of the addresses that c-ares found are kept. */
#include <ares.h>

#include "names_pair.h"

/* The resolver keeps the addresses that are valid in an endpoint, and the least TTL. */
static void collected(void **state)
{
	static const struct {
		const char *address;
		bool kept;
	} rows[] = {
		/* 0 */ { "192.0.2.1", true },	      /* 1 */ { "0.0.0.0", false },
		/* 2 */ { "0.1.2.3", false },	      /* 3 */ { "224.0.0.1", false },
		/* 4 */ { "255.255.255.255", false }, /* 5 */ { "127.0.0.1", true },
		/* 6 */ { "2001:db8::1", true },      /* 7 */ { "::", false },
		/* 8 */ { "ff02::1", false },	      /* 9 */ { "::ffff:192.0.2.1", false },
		/* 10 */ { "fe80::1", false },	      /* 11 */ { "::1", true },
	};
	struct ares_addrinfo_node nodes[40] = { 0 };
	struct ares_addrinfo_cname alias = { .ttl = 7 };
	struct ares_addrinfo found = { .nodes = nodes };
	struct resolver_answer a;
	struct endpoint e;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e = at(rows[i].address, 9);
		nodes[0] = (struct ares_addrinfo_node){ .ai_family = e.remote.sa.sa_family,
							.ai_addr = &e.remote.sa,
							.ai_addrlen = endpoint_len(&e),
							.ai_ttl = 60 };
		a = (struct resolver_answer){ .ttl_s = UINT32_MAX };
		resolver_collect(&a, &found, e.remote.sa.sa_family);
		assert_int_equal(a.count, rows[i].kept);
		if (a.count)
			assert_int_equal(a.addresses[0].remote.v4.sin_port, 0);
		a.count = 0;
		resolver_collect(&a, &found, e.remote.sa.sa_family == AF_INET ? AF_INET6 : AF_INET);
		assert_int_equal(a.count, 0);
	}
	/* Many addresses: the first 16 of a family are kept. */
	e = at("192.0.2.1", 9);
	for (unsigned i = 0; i < 40; i++)
		nodes[i] = (struct ares_addrinfo_node){ .ai_family = AF_INET,
							.ai_addr = &e.remote.sa,
							.ai_addrlen = endpoint_len(&e),
							.ai_ttl = 60,
							.ai_next = i < 39 ? &nodes[i + 1] : NULL };
	a = (struct resolver_answer){ .ttl_s = UINT32_MAX };
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_FAMILY_MAX);
	assert_int_equal(a.ttl_s, 60);
	found.cnames = &alias;
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_MAX);
	assert_int_equal(a.ttl_s, 7);
	nodes[0].ai_ttl = -1;
	resolver_collect(&a, &found, AF_INET);
	assert_int_equal(a.count, RESOLVER_MAX);
	resolver_collect(&a, NULL, AF_INET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(collected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
