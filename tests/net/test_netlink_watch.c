/* SPDX-License-Identifier: MIT */
/* test_netlink_watch.c - events about links, addresses, routes and neighbours. */
#include "netns.h"

#include <poll.h>

struct links {
	char changed[16], gone[16];
};

static void note_link(void *ctx, const struct netlink_link *l, bool gone)
{
	struct links *s = ctx;

	memcpy(gone ? s->gone : s->changed, l->name, sizeof(l->name));
}

static void test_watch(void **state)
{
	static const struct {
		const char *command;
		unsigned want; /* flags that must be reported */
		unsigned also; /* flags that may be reported as well */
	} cases[] = {
		/*  0 */ { "ip link set d1 mtu 1400", NETLINK_CHANGED_LINK, NETLINK_CHANGED_ROUTE },
		/*  1 */
		{ "ip addr add 10.3.3.3/32 dev d1", NETLINK_CHANGED_ADDRESS,
		  NETLINK_CHANGED_ROUTE },
		/*  2 */
		{ "ip addr del 10.3.3.3/32 dev d1", NETLINK_CHANGED_ADDRESS,
		  NETLINK_CHANGED_ROUTE },
		/*  3 */
		{ "ip addr add 2001:db8:3::3/128 dev d1 nodad", NETLINK_CHANGED_ADDRESS,
		  NETLINK_CHANGED_ROUTE },
		/* 4: the kernel may report the address of case 3 only now, from a work queue */
		{ "ip route add 10.4.0.0/16 dev d1", NETLINK_CHANGED_ROUTE,
		  NETLINK_CHANGED_ADDRESS },
		/*  5 */ { "ip route del 10.4.0.0/16", NETLINK_CHANGED_ROUTE, 0 },
		/*  6 */ { "ip route add 2001:db8:4::/48 dev d1", NETLINK_CHANGED_ROUTE, 0 },
		/*  7 */
		{ "ip rule add fwmark 9 table 9", NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE, 0 },
		/*  8 */
		{ "ip rule del fwmark 9 table 9", NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE, 0 },
		/*  9 */
		{ "ip -6 rule add fwmark 9 table 9", NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE,
		  0 },
		/* 10 */ { "ip nexthop add id 5 dev d1", NETLINK_CHANGED_ROUTE, 0 },
		/* 11 */ { "ip nexthop del id 5", NETLINK_CHANGED_ROUTE, 0 },
		/* 12 */
		{ "ip neigh add 198.19.0.9 lladdr 2:0:0:0:0:9 dev d1", NETLINK_CHANGED_NEIGHBOUR,
		  0 },
		/* 13 */ { "ip neigh del 198.19.0.9 dev d1", NETLINK_CHANGED_NEIGHBOUR, 0 },
		/* 14 */
		{ "ip neigh add 2001:db8:3::9 lladdr 2:0:0:0:0:9 dev d1", NETLINK_CHANGED_NEIGHBOUR,
		  0 },
		/* 15: an entry of the forwarding table (AF_BRIDGE) is not a neighbour */
		{ "bridge fdb add 2:0:0:0:0:7 dev v0 dst 192.0.2.2", 0, 0 },
	};
	struct netlink_watch *w;
	struct links s = { 0 };

	(void)state;
	sh("ip -4 neigh flush all nud all; ip -6 neigh flush all nud all; ip link set a0 down");
	sh("ip link add v0 type vxlan id 1 dstport 4789 local 192.0.2.1");
	w = netlink_watch_open();
	assert_non_null(w);
	assert_int_equal(netlink_watch_read(w, NULL, NULL), 0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned got;

		sh("%s", cases[i].command);
		got = netlink_watch_read(w, note_link, &s);
		while ((got & cases[i].want) != cases[i].want &&
		       poll(&(struct pollfd){ netlink_watch_fd(w), POLLIN, 0 }, 1, 1000) == 1)
			got |= netlink_watch_read(w, note_link, &s);
		if ((got & cases[i].want) != cases[i].want ||
		    got & ~(cases[i].want | cases[i].also))
			fail_msg("case %u: %#x", i, got);
		if (i == 0)
			assert_string_equal(s.changed, "d1");
	}
	sh("ip link del v0");
	assert_true(netlink_watch_read(w, note_link, &s) & NETLINK_CHANGED_LINK);
	assert_string_equal(s.gone, "v0");
	netlink_watch_close(w);
}

/* After netlink_watch_routes_by() with the link d1, only changes of routes through d1 are
 * reported. */
static void test_watch_routes_by(void **state)
{
	static const struct {
		const char *command;
		bool told;
	} cases[] = {
		/*  0 */ { "ip route add 10.44.0.0/16 dev d1", true },
		/*  1 */ { "ip route change 10.44.0.0/16 dev d1 mtu 1300", true },
		/*  2 */ { "ip route del 10.44.0.0/16", true },
		/*  3 */ { "ip route add 10.44.0.0/16 dev lo", false },
		/*  4 */ { "ip route change 10.44.0.0/16 dev lo mtu 1300", false },
		/*  5 */ { "ip route change 10.44.0.0/16 nexthop dev lo nexthop dev d1", true },
		/*  6 */ { "ip route del 10.44.0.0/16", true },
		/*  7 */ { "ip route add 2001:db8:44::/48 dev d1 table 9", true },
		/*  8 */ { "ip route del 2001:db8:44::/48 table 9", true },
		/*  9 */ { "ip route add 2001:db8:44::/48 dev lo", false },
		/* 10 */ { "ip route del 2001:db8:44::/48", false },
	};
	struct netlink_watch *w = netlink_watch_open();
	struct netlink_link d1;

	(void)state;
	assert_non_null(w);
	assert_int_equal(netlink_link(nl, "d1", 0, &d1), 0);
	netlink_watch_routes_by(w, d1.ifindex);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sh("%s",
		   cases[i].command); /* the event arrives before the command has its answer */
		if (netlink_watch_read(w, NULL, NULL) !=
		    (cases[i].told ? NETLINK_CHANGED_ROUTE : 0))
			fail_msg("case %u", i);
	}
	netlink_watch_close(w);
}

/* When a port leaves its bridge, the kernel also sends RTM_DELLINK, although the link still
 * exists. */
static void test_watch_bridge_port(void **state)
{
	struct netlink_watch *w;
	struct links s = { 0 };

	(void)state;
	sh("ip link add br0 type bridge; ip link add p0 type veth peer name p1; ip link set p0 "
	   "master br0");
	w = netlink_watch_open();
	assert_non_null(w);
	sh("ip link set p0 nomaster");
	assert_true(netlink_watch_read(w, note_link, &s) & NETLINK_CHANGED_LINK);
	assert_string_equal(s.gone, "");
	sh("ip link del br0; ip link del p0");
	netlink_watch_close(w);
}

static void test_watch_overrun(void **state)
{
	struct netlink_watch *w = netlink_watch_open();
	int size = 4096;

	(void)state;
	assert_non_null(w);
	assert_int_equal(
		setsockopt(netlink_watch_fd(w), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
	sh("for i in $(seq 1 200); do echo route add 10.5.$i.0/24 dev d1; done | ip -batch -");
	assert_int_equal(netlink_watch_read(w, NULL, NULL),
			 NETLINK_CHANGED_LINK | NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE |
				 NETLINK_CHANGED_NEIGHBOUR | NETLINK_CHANGED_FORWARDING |
				 NETLINK_CHANGED_LOST | NETLINK_CHANGED_RULE);
	assert_int_equal(netlink_watch_read(w, NULL, NULL), 0);
	netlink_watch_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_routes_by),
		cmocka_unit_test(test_watch_bridge_port),
		cmocka_unit_test(test_watch_overrun),
	};

	if (netns_skip())
		return 0;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, netns_setup, netns_teardown);
}
