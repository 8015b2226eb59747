/* SPDX-License-Identifier: MIT */
/* test_route_mtu.c - the MTU that the routes give for a destination: compares the lookup table,
 * which has ranges of addresses, with a plain walk over all routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "path/route_mtu.h"

static bool holds(const struct prefix *p, const uint8_t *addr)
{
	for (unsigned bit = 0; bit < p->length; bit++)
		if ((p->addr[bit / 8] ^ addr[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

/* Finds the longest matching prefix in each routing table. Returns the least MTU of these
 * routes. */
static uint32_t plain(const struct netlink_device_route *routes, size_t count, uint8_t family,
		      const uint8_t *addr)
{
	uint32_t least = ROUTE_MTU_NONE;

	for (size_t i = 0; i < count; i++) {
		const struct netlink_device_route *r = &routes[i];
		bool longest = r->to.family == family && holds(&r->to, addr);

		for (size_t j = 0; j < count && longest; j++)
			longest = routes[j].to.family != family || routes[j].table != r->table ||
				  routes[j].to.length <= r->to.length ||
				  !holds(&routes[j].to, addr);
		if (longest && r->mtu && r->mtu < least)
			least = r->mtu;
	}
	return least;
}

static uint32_t look_up(const struct route_mtu *t, uint8_t family, const uint8_t *addr)
{
	uint8_t ip[40] = { family == AF_INET ? 0x45 : 0x60 };

	memcpy(ip + (family == AF_INET ? 16 : 24), addr, family == AF_INET ? 4 : 16);
	return t ? route_mtu_of(t, ip) : ROUTE_MTU_NONE;
}

static struct netlink_device_route route(const char *to, uint8_t length, uint32_t table,
					 uint32_t mtu)
{
	struct netlink_device_route r = { .table = table, .mtu = mtu };

	r.to.family = strchr(to, ':') ? AF_INET6 : AF_INET;
	r.to.length = length;
	assert_int_equal(inet_pton(r.to.family, to, r.to.addr), 1);
	return r;
}

static void test_table(void **state)
{
	struct netlink_device_route routes[] = {
		route("0.0.0.0", 0, 254, 0),
		route("10.0.0.0", 8, 254, 1400),
		route("10.1.0.0", 16, 254, 1299),
		route("10.1.2.0", 24, 254, 0),
		route("10.1.2.3", 32, 254, 1280),
		route("192.0.2.7", 32, 254, 1300),
		/* Two routes to one prefix, as with different metrics: the smaller MTU counts. */
		route("198.51.100.9", 32, 254, 1320),
		route("198.51.100.9", 32, 254, 1310),
		route("192.0.2.0", 24, 100, 1290),
		route("255.255.255.255", 32, 254, 576),
		route("fd99::", 64, 254, 1350),
		route("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128, 254, 1281),
	};
	static const struct {
		const char *addr;
		uint32_t want;
	} cases[] = {
		{ "9.255.255.255", ROUTE_MTU_NONE },
		{ "10.0.0.0", 1400 },
		{ "10.0.255.255", 1400 },
		{ "10.1.0.0", 1299 },
		{ "10.1.1.255", 1299 },
		{ "10.1.2.2", ROUTE_MTU_NONE },
		{ "10.1.2.3", 1280 },
		{ "10.1.2.4", ROUTE_MTU_NONE },
		{ "10.1.3.0", 1299 },
		{ "10.2.0.0", 1400 },
		{ "11.0.0.0", ROUTE_MTU_NONE },
		{ "192.0.2.6", 1290 },
		{ "192.0.2.7", 1290 },
		{ "192.0.3.0", ROUTE_MTU_NONE },
		{ "198.51.100.9", 1310 },
		{ "255.255.255.254", ROUTE_MTU_NONE },
		{ "255.255.255.255", 576 },
		{ "fd98:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ROUTE_MTU_NONE },
		{ "fd99::", 1350 },
		{ "fd99::ffff:ffff:ffff:ffff", 1350 },
		{ "fd99:0:0:1::", ROUTE_MTU_NONE },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", ROUTE_MTU_NONE },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1281 },
	};
	struct route_mtu *t = NULL;
	uint8_t addr[16];

	(void)state;
	assert_int_equal(route_mtu_new(&t, routes, sizeof(routes) / sizeof(*routes)), 0);
	assert_non_null(t);
	assert_int_equal(route_mtu_largest(t), 1400);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint8_t family = strchr(cases[i].addr, ':') ? AF_INET6 : AF_INET;

		inet_pton(family, cases[i].addr, addr);
		if (look_up(t, family, addr) != cases[i].want)
			fail_msg("%s: %u", cases[i].addr, look_up(t, family, addr));
	}
	route_mtu_free(t);
}

static void test_nothing_to_say(void **state)
{
	struct netlink_device_route routes[] = { route("0.0.0.0", 0, 254, 0),
						 route("::", 0, 254, 0) };
	struct route_mtu *t = NULL;

	(void)state;
	assert_int_equal(route_mtu_new(&t, NULL, 0), 0);
	assert_null(t);
	assert_int_equal(route_mtu_new(&t, routes, 2), 0);
	assert_null(t);
	route_mtu_free(NULL);
}

/* Most bytes are 0 or 0xff, so that prefixes nest, are adjacent and repeat. */
static void random_addr(uint8_t addr[static 16], uint8_t family)
{
	memset(addr, 0, 16);
	for (int i = 0; i < (family == AF_INET ? 4 : 16); i++)
		addr[i] = (uint8_t)(rand() % 4 == 0 ? 0xff : rand() % 3 ? 0 : rand());
}

static void test_random(void **state)
{
	struct netlink_device_route routes[64];

	(void)state;
	srand(7);
	for (int round = 0; round < 3000; round++) {
		size_t count = (size_t)rand() % 64;
		struct route_mtu *t = NULL;

		for (size_t i = 0; i < count; i++) {
			struct netlink_device_route *r = &routes[i];
			uint8_t bits;

			memset(r, 0, sizeof(*r));
			r->to.family = rand() % 2 ? AF_INET : AF_INET6;
			bits = r->to.family == AF_INET ? 32 : 128;
			r->to.length = (uint8_t)(rand() % (bits + 1));
			random_addr(r->to.addr, r->to.family);
			prefix_mask(&r->to);
			r->table = (uint32_t)rand() % 3;
			r->mtu = rand() % 3 ? 0 : 1280 + (uint32_t)rand() % 4;
		}
		assert_int_equal(route_mtu_new(&t, routes, count), 0);
		for (int i = 0; i < 100; i++) {
			uint8_t family = rand() % 2 ? AF_INET : AF_INET6, addr[16];

			random_addr(addr, family);
			if (count && rand() % 2)
				memcpy(addr, routes[(size_t)rand() % count].to.addr, 16);
			assert_int_equal(look_up(t, family, addr),
					 plain(routes, count, family, addr));
		}
		route_mtu_free(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nothing_to_say),
		cmocka_unit_test(test_random),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
