/* SPDX-License-Identifier: MIT */
/*
 * test_nexthop.c - neighbours, and the headers that are made for an endpoint.
 */
#include "netns.h"

#include <poll.h>

#include "io/nexthop.h"

static struct neighbours neighbours;
static uint8_t peer_mac[6];

static int setup(void **state)
{
	char line[128];
	FILE *f;

	netns_setup(state);
	neighbours_init(&neighbours, nl, NULL, NULL);
	snprintf(line, sizeof(line),
		 "nsenter --net=/proc/%d/ns/net ip -o link show b0 | sed 's/.*ether //'", peer);
	f = popen(line, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &peer_mac[0], &peer_mac[1],
				&peer_mac[2], &peer_mac[3], &peer_mac[4], &peer_mac[5]),
			 6);
	pclose(f);
	return 0;
}

/* Makes the kernel resolve the other side's addresses to its MAC. */
static void resolve_peer(void)
{
	sh("for a in 192.0.2.2 2001:db8::2 fe80::2%%a0; do ping -q -c1 -W2 $a >/dev/null; done");
}

/* Neighbours ---------------------------------------------------------------------------------- */

static bool flagged(const char *address, const char *flag)
{
	char arguments[128];
	json_t *o;
	bool found;

	snprintf(arguments, sizeof(arguments), "neigh show to %s dev a0", address);
	o = ip(arguments);
	found = json_object_get(o, flag) != NULL;
	json_decref(o);
	return found;
}

static void wait_for_neighbour(struct netlink_watch *w)
{
	struct pollfd p = { .fd = netlink_watch_fd(w), .events = POLLIN };

	for (int i = 0; i < 50; i++) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		if (netlink_watch_read(w, NULL, NULL) & NETLINK_CHANGED_NEIGHBOUR)
			return;
	}
	fail_msg("no neighbour changed");
}

static void test_neighbour(void **state)
{
	static const char *const peers[] = { "192.0.2.2", "2001:db8::2" };
	static const uint8_t fixed[6] = { 2, 0, 0, 0, 0, 9 };
	struct netlink_watch *w = netlink_watch_open();
	uint8_t mac[6] = { 0 };

	(void)state;
	assert_non_null(w);
	sh("ip neigh flush dev a0; ip -6 neigh flush dev a0");
	for (unsigned i = 0; i < 2; i++) {
		uint8_t family = i ? AF_INET6 : AF_INET;

		assert_int_equal(netlink_neighbour(nl, a0, family, addr(peers[i]), mac), -ENOENT);
		netlink_watch_read(w, NULL, NULL);
		assert_int_equal(netlink_neighbour_manage(nl, a0, family, addr(peers[i])), 1);
		while (netlink_neighbour(nl, a0, family, addr(peers[i]), mac))
			wait_for_neighbour(w);
		assert_memory_equal(mac, peer_mac, 6);
		assert_true(flagged(peers[i], "managed"));
		assert_int_equal(netlink_neighbour_manage(nl, a0, family, addr(peers[i])), 0);
		assert_int_equal(netlink_neighbour_release(nl, a0, family, addr(peers[i])), 0);
		assert_false(flagged(peers[i], "managed"));
		assert_int_equal(netlink_neighbour(nl, a0, family, addr(peers[i]), mac), 0);
	}
	netlink_watch_close(w);

	/* The kernel tries to resolve this address, but no host has it. */
	assert_int_equal(netlink_neighbour_manage(nl, a0, AF_INET, addr("192.0.2.99")), 1);
	assert_int_equal(netlink_neighbour(nl, a0, AF_INET, addr("192.0.2.99"), mac), -ENOENT);
	/* A ping created this entry, so it is not managed. Its MAC can be read nevertheless. */
	sh("ip neigh flush dev a0; ping -q -c1 -W2 192.0.2.2 >/dev/null");
	assert_int_equal(netlink_neighbour(nl, a0, AF_INET, addr("192.0.2.2"), mac), 0);
	assert_memory_equal(mac, peer_mac, 6);
	/* An administrator set this entry, which stays permanent. */
	sh("ip neigh replace 192.0.2.50 lladdr 02:00:00:00:00:09 dev a0");
	assert_int_equal(netlink_neighbour(nl, a0, AF_INET, addr("192.0.2.50"), mac), 0);
	assert_memory_equal(mac, fixed, 6);
	assert_int_equal(netlink_neighbour_manage(nl, a0, AF_INET, addr("192.0.2.50")), 0);
	assert_false(flagged("192.0.2.50", "managed"));
	sh("ip neigh show 192.0.2.50 dev a0 | grep -q PERMANENT");
	assert_true(netlink_neighbour_manage(nl, 99999, AF_INET, addr("192.0.2.2")) < 0);
}

/* Neighbours and their users ------------------------------------------------------------------- */

static unsigned journal[2]; /* how often management of an entry ended [0] and began [1] */

static void note(void *ctx, const struct encap_next *next, bool is_managed)
{
	(void)ctx, (void)next;
	journal[is_managed]++;
}

static struct encap_next hop_to(const char *address)
{
	struct encap_next hop = { .ifindex = a0, .family = AF_INET };

	memcpy(hop.addr, addr(address), 4);
	return hop;
}

/* The kernel manages a neighbour entry as long as the entry has users. The users may release the
 * entry in any order. */
static void test_users(void **state)
{
	struct encap_next hop = hop_to("192.0.2.2"), silent = hop_to("192.0.2.98");
	struct neighbours n;
	uint8_t mac[6];

	(void)state;
	sh("ip neigh flush dev a0");
	journal[0] = journal[1] = 0;
	neighbours_init(&n, nl, note, NULL);
	assert_int_equal(neighbours_use(&n, 7, &silent, mac), -EINPROGRESS);
	neighbours_use(&n, 7, &hop, mac);
	assert_int_equal(system("ip neigh show 192.0.2.98 dev a0 | grep -q ."), 256);
	neighbours_use(&n, 3, &hop, mac);
	neighbours_use(&n, 900, &hop, mac);
	assert_true(flagged("192.0.2.2", "managed"));
	assert_int_equal(n.managed, 1);
	neighbours_drop(&n, 7);
	neighbours_drop(&n, 900);
	assert_true(flagged("192.0.2.2", "managed"));
	assert_int_equal(neighbours_first(&n, &hop), 3);
	neighbours_drop(&n, 3);
	assert_false(flagged("192.0.2.2", "managed"));
	assert_int_equal(n.managed, 0);
	assert_int_equal(journal[true], 2);
	assert_int_equal(journal[false], 2);
	neighbours_done(&n);
}

/* When we release our neighbour entries, an entry that another program has made permanent is kept,
 * and an entry that another program has deleted is not recreated. An extern_learn entry is never
 * managed. */
static void test_entries_of_others(void **state)
{
	struct encap_next pinned = hop_to("192.0.2.51"), learned = hop_to("192.0.2.52"),
			  deleted = hop_to("192.0.2.53");
	struct neighbours n;
	uint8_t mac[6];

	(void)state;
	sh("ip neigh replace 192.0.2.52 lladdr 02:00:00:00:00:52 extern_learn dev a0");
	neighbours_init(&n, nl, NULL, NULL);
	neighbours_use(&n, 1, &pinned, mac);
	assert_int_equal(neighbours_use(&n, 2, &learned, mac), 0);
	neighbours_use(&n, 3, &deleted, mac);
	assert_int_equal(n.managed, 2);
	assert_true(flagged("192.0.2.52", "extern_learn"));
	sh("ip neigh replace 192.0.2.51 lladdr 02:00:00:00:00:51 nud permanent dev a0");
	sh("ip neigh del 192.0.2.53 dev a0");
	neighbours_done(&n);
	sh("ip neigh show 192.0.2.51 dev a0 | grep -q PERMANENT");
	assert_true(flagged("192.0.2.52", "extern_learn"));
	assert_int_equal(system("ip neigh show 192.0.2.53 dev a0 | grep -q ."), 256);
	sh("ip neigh flush dev a0 nud all");
}

/* Next hops ----------------------------------------------------------------------------------- */

static struct encap *resolve(const struct endpoint *e)
{
	struct nexthop_env env = { .nl = nl,
				   .source_port = htons(51820),
				   .ttl = 63,
				   .nics = &a0,
				   .nic_count = 1,
				   .neighbours = &neighbours };
	struct encap *n = nexthop_resolve(&env, e);

	assert_non_null(n);
	return n;
}

/* Checks the header fields of a packet that @n would send. The addresses are text. */
static void check_header(const struct encap *n, const char *source, const char *destination)
{
	bool v4 = strchr(source, ':') == NULL;
	size_t len = v4 ? 4 : 16, at = v4 ? 26 : 22;
	struct netlink_link l;

	assert_int_equal(n->header_len, v4 ? 42 : 62);
	assert_int_equal(n->ifindex, a0);
	assert_int_equal(netlink_link(nl, NULL, a0, &l), 0);
	assert_memory_equal(n->header, peer_mac, 6);
	assert_memory_equal(n->header + 6, l.mac, 6);
	assert_memory_equal(n->header + at, addr(source), len);
	assert_memory_equal(n->header + at + len, addr(destination), len);
	assert_int_equal(n->header[v4 ? 22 : 21], v4 ? 63 : 64);
}

static void test_direct(void **state)
{
	static const struct {
		const char *remote, *local, *want;
		uint16_t mtu;
	} cases[] = {
		/* 0: on the link */ { "192.0.2.2", NULL, "192.0.2.1", 1500 },
		/* 1: with a sticky source */ { "192.0.2.2", "192.0.2.3", "192.0.2.3", 1500 },
		/* 2: with a source that was removed */
		{ "192.0.2.2", "192.0.2.77", "192.0.2.1", 1500 },
		/* 3: through a gateway */ { "203.0.113.9", NULL, "192.0.2.3", 1500 },
		/* 4: IPv4 via IPv6 */ { "10.60.0.1", NULL, "192.0.2.1", 1400 },
		/* 5 */ { "2001:db8::2", NULL, "2001:db8::1", 1500 },
		/* 6 */ { "2001:db8::2", "2001:db8::77", "2001:db8::1", 1500 },
		/* 7 */ { "2001:db8:9::9", NULL, "2001:db8::1", 1450 },
		/* 8: link-local, on link e.ifindex */ { "fe80::2", NULL, "fe80::1", 1500 },
		/* 9 */ { "fe80::2", "fe80::1", "fe80::1", 1500 },
	};

	(void)state;
	resolve_peer();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e = to(cases[i].remote, cases[i].local);
		struct encap *n;

		e.ifindex = a0;
		n = resolve(&e);
		if (!n->xsk_ok || n->why)
			fail_msg("case %u: %s", i, n->why ? n->why : "no reason");
		check_header(n, cases[i].want, cases[i].remote);
		assert_int_equal(n->mtu, cases[i].mtu);
		free(n);
		if (i == 0)
			assert_true(flagged("192.0.2.2", "managed"));
		if (i == 5)
			assert_true(flagged("2001:db8::2", "managed"));
	}
}

/* The outer TTL comes from the route. If the route has none, the TTL comes from the link (IPv6) or
 * from the host (63, set by resolve()). */
static void test_ttl(void **state)
{
	static const struct {
		const char *command, *remote;
		uint8_t want;
	} cases[] = {
		/* 0 */ { "true", "192.0.2.2", 63 },
		/* 1 */ { "ip route add 192.0.2.2/32 dev a0 hoplimit 9", "192.0.2.2", 9 },
		/* 2 */ { "ip route del 192.0.2.2/32 dev a0 hoplimit 9", "192.0.2.2", 63 },
		/* 3 */ { "sysctl -qw net.ipv6.conf.a0.hop_limit=77", "2001:db8::2", 77 },
		/* 4 */
		{ "ip route add 2001:db8::2/128 dev a0 hoplimit 8", "2001:db8::2", 8 },
		/* 5 */
		{ "ip route del 2001:db8::2/128 dev a0; sysctl -qw net.ipv6.conf.a0.hop_limit=64",
		  "2001:db8::2", 64 },
	};

	(void)state;
	resolve_peer();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e = to(cases[i].remote, NULL);
		struct encap *n;

		sh("%s", cases[i].command);
		n = resolve(&e);
		assert_true(n->xsk_ok);
		if (n->header[strchr(cases[i].remote, ':') ? 21 : 22] != cases[i].want)
			fail_msg("case %u", i);
		free(n);
	}
}

static void test_not_direct(void **state)
{
	static const struct {
		const char *remote, *why;
		uint16_t mtu;
	} cases[] = {
		/* 0 */ { "198.18.0.1", "there is no route to the endpoint", 0 },
		/* 1 */ { "192.0.2.1", "the endpoint is this host", UINT16_MAX },
		/* 2 */ { "127.0.0.1", "the endpoint is this host", UINT16_MAX },
		/* 3 */ { "198.19.0.2", "the route leaves by an interface without AF_XDP", 1500 },
		/* 4 */ { "2001:db8:ffff::1", "there is no route to the endpoint", 0 },
		/* 5 */ { "10.62.0.1", "the route adds headers of its own", 1500 },
	};

	(void)state;
	sh("ip route add 10.62.0.0/16 encap ip id 7 dst 192.0.2.2 dev a0");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct endpoint e = to(cases[i].remote, NULL);
		struct encap *n = resolve(&e);

		if (n->xsk_ok || !n->why || strcmp(n->why, cases[i].why))
			fail_msg("case %u: %s", i, n->why ? n->why : "direct");
		assert_int_equal(n->mtu, cases[i].mtu);
		assert_true(endpoint_same_remote(&n->endpoint, &e));
		free(n);
	}
}

/* After the route has changed to another interface, a source address of the old interface is
 * replaced by the source address of the route. Any other source address is kept. */
static void test_better_route(void **state)
{
	struct endpoint e = to("192.0.2.2", "192.0.2.3"), any = e;
	struct encap *n;

	(void)state;
	e.ifindex = a0;
	any.ifindex = a0 + 1000;
	sh("ip route add 192.0.2.2/32 dev d1");
	n = resolve(&e);
	assert_false(n->xsk_ok);
	assert_memory_equal(&n->endpoint.local.v4, addr("198.19.0.1"), 4);
	free(n);
	n = resolve(&any);
	assert_memory_equal(&n->endpoint.local.v4, addr("192.0.2.3"), 4);
	free(n);
	sh("ip route del 192.0.2.2/32 dev d1");
	n = resolve(&e);
	assert_memory_equal(&n->endpoint.local.v4, addr("192.0.2.3"), 4);
	free(n);
}

static void test_pending(void **state)
{
	struct netlink_watch *w = netlink_watch_open();
	struct endpoint e = to("192.0.2.2", NULL);
	struct encap *n;

	(void)state;
	assert_non_null(w);
	sh("ip neigh del 192.0.2.2 dev a0 2>/dev/null || true");
	for (n = resolve(&e); !n->xsk_ok; n = resolve(&e)) {
		assert_string_equal(n->why, "the next hop's MAC is being resolved");
		/* Until then the UDP path sends from this source address. */
		assert_memory_equal(&n->endpoint.local.v4, addr("192.0.2.1"), 4);
		free(n);
		wait_for_neighbour(w);
	}
	free(n);
	netlink_watch_close(w);

	sh("ip link set a0 arp off");
	n = resolve(&e);
	assert_string_equal(n->why, "the interface has no Ethernet neighbours");
	free(n);
	sh("ip link set a0 arp on");
	peer_sh("ip link set b0 down");
	n = resolve(&e);
	assert_false(n->xsk_ok);
	assert_string_equal(n->why, "the interface is down");
	free(n);
	peer_sh("ip link set b0 up");
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_neighbour),
		cmocka_unit_test(test_users),
		cmocka_unit_test(test_entries_of_others),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_not_direct),
		cmocka_unit_test(test_better_route),
		cmocka_unit_test(test_pending),
	};

	if (netns_skip())
		return 0;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, netns_teardown);
}
