/* SPDX-License-Identifier: MIT */
/*
 * test_netlink.c - compares links, addresses and routes from rtnetlink with the output of `ip -j`.
 */
#include "netns.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static int64_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static struct prefix prefix(const char *address, uint8_t length)
{
	struct prefix p = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .length = length };

	memcpy(p.addr, addr(address), p.family == AF_INET ? 4 : 16);
	return p;
}

static const struct netlink_flow unmarked;

static uint32_t rx_queues(const char *name)
{
	uint32_t rx, tx;

	netlink_queues(name, &rx, &tx);
	return rx;
}

static int route(const char *remote, const char *local, uint32_t fwmark, struct netlink_route *r)
{
	struct endpoint e = to(remote, local);

	const struct netlink_flow flow = { .fwmark = fwmark };

	return netlink_route(nl, &e, &flow, r);
}

/* Links and addresses ------------------------------------------------------------------------- */

static void test_link(void **state)
{
	json_t *want = ip("link show a0");
	struct netlink_link l, again, kept = { .ifindex = 77 };
	char mac[18];

	(void)state;
	assert_int_equal(netlink_link(nl, "a0", 0, &l), 0);
	assert_int_equal(l.ifindex, number(want, "ifindex"));
	assert_int_equal(l.mtu, number(want, "mtu"));
	assert_int_equal(l.rx_queues, number(want, "num_rx_queues"));
	assert_string_equal(l.name, "a0");
	assert_string_equal(l.kind, "veth");
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", l.mac[0], l.mac[1], l.mac[2],
		 l.mac[3], l.mac[4], l.mac[5]);
	assert_string_equal(mac, text(want, "address"));
	assert_true(l.has_mac && l.up && l.running && !l.loopback && !l.no_arp);
	assert_int_equal(l.xdp_prog_id, 0);
	assert_int_equal(l.xdp_mode, XDP_ATTACHED_NONE);
	assert_int_equal(netlink_link(nl, NULL, l.ifindex, &again), 0);
	assert_memory_equal(&l, &again, sizeof(l));
	json_decref(want);

	assert_int_equal(netlink_link(nl, "lo", 0, &l), 0);
	assert_true(l.loopback && !l.has_mac);
	assert_int_equal(netlink_link(nl, "tun0", 0, &l), 0);
	assert_true(l.no_arp && !l.has_mac && !l.up);
	assert_string_equal(l.kind, "tun");

	assert_int_equal(netlink_link(nl, "none0", 0, &kept), -ENODEV);
	assert_int_equal(netlink_link(nl, "a-name-of-16-by.", 0, &kept), -ENODEV);
	assert_int_equal(netlink_link(nl, "", 0, &kept), -ENODEV);
	assert_int_equal(netlink_link(nl, NULL, 99999, &kept), -ENODEV);
	assert_int_equal(netlink_link(nl, NULL, 0, &kept), -ENODEV);
	assert_int_equal(kept.ifindex, 77);
}

static void test_link_carrier(void **state)
{
	struct netlink_link before, after;

	(void)state;
	sh("ip link add down0 type veth peer name down1; ip link set down0 up;"
	   "ip link set down1 up");
	assert_int_equal(netlink_link(nl, "down0", 0, &before), 0);
	sh("ip link set down1 down; ip link set down1 up");
	assert_int_equal(netlink_link(nl, "down0", 0, &after), 0);
	assert_int_equal(after.carrier_downs, before.carrier_downs + 1);
	sh("ip link delete down0");
}

/* Sends two packets to a TUN device that nobody reads. */
static void test_link_drops(void **state)
{
	struct netlink_drops drops, kept = { .rx_dropped = 77, .tx_dropped = 78 };
	json_t *before = ip("link show tun0");
	uint32_t ifindex = (uint32_t)number(before, "ifindex");

	(void)state;
	assert_int_equal(netlink_link_drops(nl, ifindex, &drops), 0);
	assert_int_equal(drops.rx_dropped, 0);
	assert_int_equal(drops.tx_dropped, 0);
	sh("ip address add 198.18.0.1/24 dev tun0; ip link set tun0 up");
	sh("ping -q -c2 -i0.01 -W0.01 198.18.0.2 >/dev/null || true");
	assert_int_equal(netlink_link_drops(nl, ifindex, &drops), 0);
	assert_int_equal(drops.rx_dropped, 0);
	assert_int_equal(drops.tx_dropped, 2);
	sh("ip link set tun0 down; ip address delete 198.18.0.1/24 dev tun0");
	json_decref(before);

	assert_int_equal(netlink_link_drops(nl, 99999, &kept), -ENODEV);
	assert_int_equal(netlink_link_drops(nl, 0, &kept), -ENODEV);
	assert_int_equal(kept.rx_dropped, 77);
	assert_int_equal(kept.tx_dropped, 78);
}

static void test_link_xdp(void **state)
{
	static const struct bpf_insn pass[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	static const struct {
		uint32_t flags;
		uint8_t mode;
	} cases[] = {
		{ XDP_FLAGS_DRV_MODE, XDP_ATTACHED_DRV },
		{ XDP_FLAGS_SKB_MODE, XDP_ATTACHED_SKB },
	};
	struct bpf_prog_info info = { 0 };
	uint32_t info_len = sizeof(info);
	struct netlink_link l;
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "MIT", pass, 2, NULL);

	(void)state;
	if (fd < 0) {
		print_message("# SKIP test_link_xdp: no right to load BPF programs\n");
		skip();
	}
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &info_len), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(bpf_xdp_attach((int)a0, fd, cases[i].flags, NULL), 0);
		assert_int_equal(netlink_link(nl, "a0", 0, &l), 0);
		assert_int_equal(bpf_xdp_detach((int)a0, cases[i].flags, NULL), 0);
		assert_int_equal(l.xdp_prog_id, info.id);
		assert_int_equal(l.xdp_mode, cases[i].mode);
	}
	close(fd);
}

static void test_queues(void **state)
{
	(void)state;
	assert_int_equal(rx_queues("a0"), 4);
	sh("ethtool -L a0 rx 2 2>/dev/null");
	assert_int_equal(rx_queues("a0"), 2);
	sh("ethtool -L a0 rx 4 2>/dev/null");
	assert_int_equal(rx_queues("lo"), 1);
	assert_int_equal(rx_queues("none0"), 1);
	assert_int_equal(rx_queues("a-name-of-16-by."), 1);
}

static void test_member(void **state)
{
	char name[16];

	(void)state;
	sh("ip link add m0 type bridge && ip link add m1 type veth peer name m2");
	assert_int_equal(netlink_member(nl, index_of("m0"), name), -ENOENT);
	sh("ip link set m2 master m0");
	assert_int_equal(netlink_member(nl, index_of("m0"), name), 0);
	assert_string_equal(name, "m2");
	assert_int_equal(netlink_member(nl, index_of("m2"), name), -ENOENT);
	sh("ip link delete m1 && ip link delete m0");
}

static void test_change_link(void **state)
{
	struct prefix p4 = prefix("10.9.8.7", 24), p6 = prefix("2001:db8:55::7", 64);
	struct prefix r4 = prefix("10.77.0.0", 16), r6 = prefix("2001:db8:77::", 48);
	struct prefix host = prefix("127.9.8.7", 24);
	json_t *o;
	uint32_t i;

	(void)state;
	sh("ip link add x0 type veth peer name x1");
	i = index_of("x0");
	assert_int_equal(netlink_set_mtu(nl, i, 1280), 0);
	assert_int_equal(netlink_set_up(nl, i, true), 0);
	assert_int_equal(netlink_add_address(nl, i, &p4), 0);
	assert_int_equal(netlink_add_address(nl, i, &p6), 0);
	assert_int_equal(netlink_add_address(nl, i, &p4), -EEXIST);
	assert_int_equal(netlink_add_address(nl, i, &host), 0);
	assert_int_equal(netlink_add_route(nl, i, &r4, 254), 0);
	assert_int_equal(netlink_add_route(nl, i, &r6, 254), 0);
	assert_int_equal(netlink_add_route(nl, i, &r4, 254), -EEXIST);
	assert_int_equal(netlink_set_mtu(nl, i, 3), -EINVAL);

	o = ip("link show x0 up");
	assert_int_equal(number(o, "mtu"), 1280);
	json_decref(o);
	sh("ip addr show x0 | grep -q 'inet 10.9.8.7/24 scope global x0'");
	sh("ip addr show x0 | grep -q 'inet6 2001:db8:55::7/64 scope global'");
	sh("ip addr show x0 | grep -q 'inet 127.9.8.7/24 scope host x0'");
	o = ip("-4 route show 10.77.0.0/16");
	assert_string_equal(text(o, "dev"), "x0");
	assert_string_equal(text(o, "scope"), "link");
	json_decref(o);
	o = ip("-6 route show 2001:db8:77::/48");
	assert_string_equal(text(o, "dev"), "x0");
	json_decref(o);

	assert_int_equal(netlink_add_altname(nl, i, "a-name-of-more-than-15-bytes"), 0);
	assert_int_equal(netlink_add_altname(nl, i, "a-name-of-more-than-15-bytes"), -EEXIST);
	sh("ip link show dev a-name-of-more-than-15-bytes | grep -q ' x0@x1:'");

	assert_int_equal(netlink_set_up(nl, i, false), 0);
	o = ip("link show x0 up");
	assert_int_equal(number(o, "mtu"), 0);
	json_decref(o);
	sh("ip link delete x0");
	assert_int_equal(netlink_set_up(nl, i, true), -ENODEV);
}

struct seen {
	unsigned count;
	bool ours4, ours6, lo;
};

static int see(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *a)
{
	struct seen *s = ctx;

	s->count++;
	s->lo |= ifindex == 1 && family == AF_INET && !memcmp(a, addr("127.0.0.1"), 4);
	s->ours4 |= ifindex == a0 && family == AF_INET && !memcmp(a, addr("192.0.2.1"), 4);
	s->ours6 |= ifindex == a0 && family == AF_INET6 && !memcmp(a, addr("2001:db8::1"), 16);
	return 0;
}

static int stop_early(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *a)
{
	(void)ctx, (void)ifindex, (void)family, (void)a;
	return -ECANCELED;
}

static int see_other_side(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *a)
{
	(void)ctx, (void)ifindex;
	return family == AF_INET && !memcmp(a, addr("10.2.0.2"), 4) ? -EEXIST : 0;
}

static void test_addresses(void **state)
{
	struct seen s = { 0 };
	FILE *f = popen("ip -o addr show -tentative | wc -l", "r");
	unsigned want = 0;

	(void)state;
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%u", &want), 1);
	pclose(f);
	assert_int_equal(netlink_addresses(nl, see, &s), 0);
	assert_true(s.ours4 && s.ours6 && s.lo);
	assert_int_equal(s.count, want);
	assert_int_equal(netlink_addresses(nl, stop_early, NULL), -ECANCELED);
	/* On a point-to-point link, the listed address is ours and not the other side's. */
	sh("ip addr add 10.2.0.1 peer 10.2.0.2 dev d1");
	assert_int_equal(netlink_addresses(nl, see_other_side, NULL), 0);
	sh("ip addr del 10.2.0.1 peer 10.2.0.2 dev d1");
	/* With so many addresses, the kernel's answer takes several reads. */
	sh("for i in $(seq 1 250); do for j in 1 2 3 4; do echo addr add 10.1.$j.$i/32 dev d1; "
	   "done; done | ip -batch -");
	s = (struct seen){ 0 };
	assert_int_equal(netlink_addresses(nl, see, &s), 0);
	assert_int_equal(s.count, want + 1000);
	sh("ip addr flush dev d1 to 10.1.0.0/16");
}

static int is_tentative_one(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *a)
{
	(void)ctx, (void)ifindex;
	return family == AF_INET6 && !memcmp(a, addr("2001:db8:7::1"), 16) ? -EEXIST : 0;
}

/* An address whose duplicate detection is under way is set, but cannot be used yet. */
static void test_missing_address(void **state)
{
	struct prefix list[] = { { .family = AF_INET, .length = 24 },
				 { .family = AF_INET6, .length = 64 } };
	const struct prefix *missing;

	(void)state;
	memcpy(list[0].addr, addr("192.0.2.1"), 4);
	memcpy(list[1].addr, addr("2001:db8:7::1"), 16);
	assert_int_equal(netlink_missing_address(nl, a0, list, 2, &missing), 0);
	assert_ptr_equal(missing, &list[1]);
	sh("sysctl -qw net.ipv6.conf.a0.accept_dad=1 net.ipv6.conf.a0.dad_transmits=100; "
	   "ip addr add 2001:db8:7::1/64 dev a0; ip -o addr show dev a0 tentative | grep -q :7::1");
	assert_int_equal(netlink_missing_address(nl, a0, list, 2, &missing), 0);
	assert_null(missing);
	assert_int_equal(netlink_addresses(nl, is_tentative_one, NULL), 0);
	list[1].length = 63;
	assert_int_equal(netlink_missing_address(nl, a0, list, 2, &missing), 0);
	assert_ptr_equal(missing, &list[1]);
	assert_int_equal(netlink_missing_address(nl, 1, list, 2, &missing), 0);
	assert_ptr_equal(missing, &list[0]);
	assert_int_equal(netlink_missing_address(nl, a0, NULL, 0, &missing), 0);
	assert_null(missing);
	sh("ip addr del 2001:db8:7::1/64 dev a0; "
	   "sysctl -qw net.ipv6.conf.a0.accept_dad=0 net.ipv6.conf.a0.dad_transmits=1");
}

/* Routes -------------------------------------------------------------------------------------- */

static void test_route_errors(void **state)
{
	static const struct {
		const char *remote, *local;
		int err;
	} cases[] = {
		/*  0: no route */ { "198.18.0.1", NULL, -ENETUNREACH },
		/*  1 */ { "2001:db8:ffff::1", NULL, -ENETUNREACH },
		/*  2: unreachable */ { "198.51.100.1", NULL, -EHOSTUNREACH },
		/*  3 */ { "2001:db8:a::1", NULL, -EHOSTUNREACH },
		/*  4: blackholes */ { "198.51.100.65", NULL, -ENETUNREACH },
		/*  5 */ { "2001:db8:b::1", NULL, -ENETUNREACH },
		/* 6: a blackhole, with a source address of ours */
		{ "198.51.100.65", "192.0.2.1", -ENETUNREACH },
		/*  7: prohibited */ { "198.51.100.129", NULL, -EACCES },
		/*  8: broadcast */ { "192.0.2.255", NULL, -EACCES },
		/* 9: source addresses that are not ours */ { "192.0.2.2", "192.0.2.77", -EINVAL },
		/* 10 */ { "2001:db8::2", "2001:db8::77", -EINVAL },
		/* 11 */ { "192.0.2.2", "192.0.2.1", 0 }, /* our source addresses */
		/* 12 */ { "2001:db8::2", "2001:db8::1", 0 },
	};
	struct netlink_route r;
	struct endpoint none = { 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = route(cases[i].remote, cases[i].local, 0, &r);

		if (err != cases[i].err)
			fail_msg("case %u: %d, not %d", i, err, cases[i].err);
	}
	assert_int_equal(netlink_route(nl, &none, &unmarked, &r), -EAFNOSUPPORT);
}

static void test_route(void **state)
{
	struct netlink_route r;
	struct endpoint e;

	(void)state;
	assert_int_equal(route("192.0.2.2", NULL, 0, &r), 0); /* on the link */
	assert_int_equal(r.ifindex, a0);
	assert_true(!r.has_gateway && !r.local && r.has_source && !r.encapsulated);
	assert_memory_equal(r.source, addr("192.0.2.1"), 4);
	assert_int_equal(r.mtu, 1500);

	/* This route has a gateway and a source address. */
	assert_int_equal(route("203.0.113.9", NULL, 0, &r), 0);
	assert_true(r.has_gateway);
	assert_int_equal(r.gateway_family, AF_INET);
	assert_memory_equal(r.gateway, addr("192.0.2.2"), 4);
	assert_memory_equal(r.source, addr("192.0.2.3"), 4);
	assert_int_equal(route("203.0.113.9", "192.0.2.1", 0, &r), 0);
	assert_memory_equal(r.source, addr("192.0.2.1"), 4);

	assert_int_equal(route("10.60.0.1", NULL, 0, &r), 0); /* IPv4 via IPv6 */
	assert_int_equal(r.gateway_family, AF_INET6);
	assert_memory_equal(r.gateway, addr("2001:db8::2"), 16);
	assert_int_equal(r.mtu, 1400);

	assert_int_equal(route("2001:db8:9::9", NULL, 0, &r), 0);
	assert_true(r.has_gateway);
	assert_memory_equal(r.gateway, addr("2001:db8::2"), 16);
	assert_memory_equal(r.source, addr("2001:db8::1"), 16);
	assert_int_equal(r.mtu, 1450);

	/* This route has an MTU of 9000, but its link only 1500. */
	assert_int_equal(route("10.61.0.1", NULL, 0, &r), 0);
	assert_int_equal(r.mtu, 1500);

	assert_int_equal(route("192.0.2.1", NULL, 0, &r), 0);
	assert_true(r.local);
	assert_int_equal(route("2001:db8::1", NULL, 0, &r), 0);
	assert_true(r.local);
	assert_int_equal(route("127.0.0.1", NULL, 0, &r), 0);
	assert_true(r.local);

	/* For a link-local address, the scope id selects the link. Without a scope id, e.ifindex
	 * selects the link. */
	e = to("fe80::2", "fe80::1");
	e.ifindex = a0;
	assert_int_equal(netlink_route(nl, &e, &unmarked, &r), 0);
	assert_int_equal(r.ifindex, a0);
	e.remote.v6.sin6_scope_id = index_of("d1");
	assert_int_equal(netlink_route(nl, &e, &unmarked, &r), -EINVAL); /* fe80::1 belongs to a0 */
	e = to("fe80::2", NULL);
	e.remote.v6.sin6_scope_id = index_of("d1");
	assert_int_equal(netlink_route(nl, &e, &unmarked, &r), 0);
	assert_int_equal(r.ifindex, index_of("d1"));
	/* For other addresses e.ifindex does not matter. */
	e = to("192.0.2.2", NULL);
	e.ifindex = index_of("d1");
	assert_int_equal(netlink_route(nl, &e, &unmarked, &r), 0);
	assert_int_equal(r.ifindex, a0);
}

static void test_route_rules(void **state)
{
	uint32_t d1 = index_of("d1");
	struct netlink_route r;

	(void)state;
	sh("ip route add 192.0.2.2 dev d1 table 99");
	sh("ip route add 2001:db8::2 dev d1 table 99");
	sh("ip rule add fwmark 0x51 table 99; ip -6 rule add fwmark 0x51 table 99");
	assert_int_equal(route("192.0.2.2", NULL, 0x51, &r), 0);
	assert_int_equal(r.ifindex, d1);
	assert_int_equal(route("2001:db8::2", NULL, 0x51, &r), 0);
	assert_int_equal(r.ifindex, d1);
	assert_int_equal(route("192.0.2.2", NULL, 0x52, &r), 0);
	assert_int_equal(r.ifindex, a0);
	assert_int_equal(route("2001:db8::2", "2001:db8::1", 0, &r), 0);
	assert_int_equal(r.ifindex, a0);
	sh("ip rule del table 99; ip -6 rule del table 99");

	sh("ip rule add ipproto udp dport 51820 table 99");
	assert_int_equal(route("192.0.2.2", NULL, 0, &r), 0);
	assert_int_equal(r.ifindex, d1);
	sh("ip rule del table 99; ip route flush table 99; ip -6 route flush table 99");
}

/* netlink_device_routes() lists a link's unicast routes of all tables and families, and nothing
 * else. The test adds so many routes that the kernel's answer takes several reads. */
static void test_device_routes(void **state)
{
	static const struct {
		const char *to;
		uint8_t length;
		uint32_t table, mtu;
	} want[] = {
		{ "10.70.0.0", 16, 254, 0 },	 { "10.71.0.0", 16, 254, 1299 },
		{ "10.72.0.0", 16, 1000, 1298 }, { "10.73.0.0", 16, 254, 1297 },
		{ "0.0.0.0", 0, 77, 1296 },	 { "fd70::", 64, 254, 1295 },
		{ "fd73::", 64, 254, 1293 },
	};
	struct netlink_device_route *list = NULL;
	struct netlink_link d2;
	size_t count = 0, others = 0;

	(void)state;
	sh("ip link add d2 type veth peer name d3 && ip link set d3 up && ip link set d2 up && ip "
	   "addr add 10.79.0.1/32 dev d2");
	assert_int_equal(netlink_link(nl, "d2", 0, &d2), 0);
	sh("ip route add 10.70.0.0/16 dev d2; ip route add 10.71.0.0/16 dev d2 mtu 1299");
	sh("ip route add 10.72.0.0/16 dev d2 table 1000 mtu lock 1298");
	sh("ip route add 10.73.0.0/16 mtu 1297 nexthop dev d1 nexthop dev d2");
	sh("ip route add default dev d2 table 77 mtu 1296; ip route add 10.74.0.0/16 dev d1 mtu "
	   "1294");
	sh("ip -6 route add fd70::/64 dev d2 mtu 1295");
	sh("ip -6 nexthop add id 9 dev d2; ip -6 route add fd73::/64 nhid 9 mtu 1293");
	sh("for i in $(seq 0 254); do for j in 1 2 3 4; do echo route add 10.8$j.$i.0/24 dev d2; "
	   "done;"
	   " done | ip -batch -");
	assert_int_equal(netlink_device_routes(nl, d2.ifindex, &list, &count), 0);
	for (unsigned i = 0; i < sizeof(want) / sizeof(*want); i++) {
		struct prefix p = prefix(want[i].to, want[i].length);
		unsigned found = 0;

		for (size_t j = 0; j < count; j++)
			found += !memcmp(&list[j].to, &p, sizeof(p)) &&
				 list[j].table == want[i].table && list[j].mtu == want[i].mtu;
		if (found != 1)
			fail_msg("%s: %u times", want[i].to, found);
	}
	for (size_t j = 0; j < count; j++)
		others += list[j].to.family == AF_INET && list[j].to.addr[1] > 80;
	assert_int_equal(others, 4 * 255);
	for (size_t j = 0; j < count; j++)
		assert_int_not_equal(list[j].mtu, 1294);
	free(list);
	sh("ip link del d2");
	assert_int_equal(netlink_device_routes(nl, d2.ifindex, &list, &count), -ENODEV);
}

static void test_route_cached_mtu(void **state)
{
	struct netlink_route r;

	(void)state;
	assert_int_equal(route("203.0.113.9", NULL, 0, &r), 0);
	assert_int_equal(r.mtu, 1500);
	sh("ping -q -c2 -W1 -M do -s 1400 203.0.113.9 >/dev/null || true");
	assert_int_equal(route("203.0.113.9", NULL, 0, &r), 0);
	assert_int_equal(r.mtu, 1300);
	sh("ping -q -c2 -W1 -M do -s 1390 2001:db8:9::9 >/dev/null || true");
	assert_int_equal(route("2001:db8:9::9", NULL, 0, &r), 0);
	assert_int_equal(r.mtu, 1300);
}

static int setup(void **state)
{
	netns_setup(state);
	sh("ip route add unreachable 198.51.100.0/26; ip route add blackhole 198.51.100.64/26; "
	   "ip route add prohibit 198.51.100.128/26; "
	   "ip route add unreachable 2001:db8:a::/48; ip route add blackhole 2001:db8:b::/48");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_link_carrier),
		cmocka_unit_test(test_link_drops),
		cmocka_unit_test(test_link_xdp),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_member),
		cmocka_unit_test(test_change_link),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_missing_address),
		cmocka_unit_test(test_route_errors),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_device_routes),
		cmocka_unit_test(test_route_rules),
		cmocka_unit_test(test_route_cached_mtu),
	};

	if (netns_skip())
		return 0;
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, setup, netns_teardown);
}
