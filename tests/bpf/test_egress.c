/* SPDX-License-Identifier: MIT */
/*
 * test_egress.c - runs the tunnel's TC egress program by BPF_PROG_TEST_RUN. A packet whose
 * destination belongs to a peer passes and is counted for this peer. If the destination belongs to
 * no peer, a few unicast packets pass each second, and all others are dropped and counted as drops.
 * Needs CAP_BPF and CAP_NET_ADMIN.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "bpf/tunnel.skel.h"
#include "inner.h"
#include "skb_run.h"
#include "wgxdp/maps.h"
#include "wgxdp/reasons.h"

#define LIMIT_PER_S 50 /* equal to NO_PEER_PER_S in bpf/tunnel.bpf.c */
#define CPUS_MAX 4096
#define ON ((uint32_t)TC_ACT_UNSPEC)

enum { NET = 70000, HOST = 3, OTHER = 4, SLOTS = 3 };
static const uint32_t slots[SLOTS] = { NET, HOST, OTHER };

static struct tunnel_bpf *skel;
static const char *denied;
static int cpus;
static uint8_t per_cpu[CPUS_MAX * sizeof(struct peer_stats_value)];

struct counters {
	struct drops_value drops[REASON_COUNT];
	struct peer_stats_value peers[SLOTS];
};

static void read_counters(struct counters *c)
{
	const struct drops_value *drop = (void *)per_cpu;
	const struct peer_stats_value *stats = (void *)per_cpu;

	memset(c, 0, sizeof(*c));
	for (uint32_t r = 0; r < REASON_COUNT; r++) {
		assert_int_equal(bpf_map__lookup_elem(skel->maps.drops, &r, sizeof(r), per_cpu,
						      cpus * sizeof(*drop), 0),
				 0);
		for (int i = 0; i < cpus; i++) {
			c->drops[r].packets += drop[i].packets;
			c->drops[r].bytes += drop[i].bytes;
		}
	}
	for (unsigned s = 0; s < SLOTS; s++) {
		assert_int_equal(bpf_map__lookup_elem(skel->maps.peer_stats, &slots[s],
						      sizeof(slots[s]), per_cpu,
						      cpus * sizeof(*stats), 0),
				 0);
		for (int i = 0; i < cpus; i++) {
			c->peers[s].rx_packets += stats[i].rx_packets;
			c->peers[s].rx_bytes += stats[i].rx_bytes;
			c->peers[s].tx_packets += stats[i].tx_packets;
			c->peers[s].tx_bytes += stats[i].tx_bytes;
		}
	}
}

static void allow(int family, struct inner_address a, uint32_t length, uint32_t slot)
{
	struct allowed4_key key4 = { .length = length };
	struct allowed6_key key6 = { .length = length };

	inner_put_address(family == 6 ? key6.address : key4.address, family, a);
	if (family == 6)
		assert_int_equal(bpf_map__update_elem(skel->maps.allowed6, &key6, sizeof(key6),
						      &slot, sizeof(slot), BPF_ANY),
				 0);
	else
		assert_int_equal(bpf_map__update_elem(skel->maps.allowed4, &key4, sizeof(key4),
						      &slot, sizeof(slot), BPF_ANY),
				 0);
}

/* Network x is 10.7.x.0/24 and fd07::x:0/112. Network 1 belongs to the peer NET, except for its
 * addresses 10.7.1.5 and fd07::1:5, which belong to the peer HOST. Network 2 belongs to the peer
 * OTHER. */
static int setup(void **state)
{
	(void)state;
	libbpf_set_print(NULL);
	cpus = libbpf_num_possible_cpus();
	skel = tunnel_bpf__open_and_load();
	if (!skel && errno == EPERM) {
		denied = "no CAP_BPF";
		print_message("# skipping everything: %s\n", denied);
		return 0;
	}
	if (!skel || cpus < 1 || cpus > CPUS_MAX)
		return -1;
	for (unsigned s = 0; s < SLOTS; s++)
		if (bpf_map__update_elem(skel->maps.peer_stats, &slots[s], sizeof(slots[s]),
					 per_cpu, cpus * sizeof(struct peer_stats_value), BPF_ANY))
			return -1;
	for (int family = 4; family <= 6; family += 2) {
		allow(family, (struct inner_address){ 1, 0 }, family == 6 ? 112 : 24, NET);
		allow(family, (struct inner_address){ 1, 5 }, family == 6 ? 128 : 32, HOST);
		allow(family, (struct inner_address){ 2, 0 }, family == 6 ? 112 : 24, OTHER);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	tunnel_bpf__destroy(skel);
	return 0;
}

/* Waits for the next second, in which packets without a peer pass again up to the limit. */
static void reset_limit(void)
{
	sleep(1);
}

/* --- rows ------------------------------------------------------------------------------------ */

struct row {
	const char *name;
	struct inner_address to;
	uint32_t slot; /* 0: no peer */
	struct __sk_buff gso;
	bool to_group; /* the destination is multicast */
};

/* Each row runs with IPv4 and IPv6. */
static const struct row rows[] = {
	{ .name = "network", .to = { 1, 1 }, .slot = NET },
	{ .name = "network's last address", .to = { 1, 255 }, .slot = NET },
	{ .name = "host within the network", .to = { 1, 5 }, .slot = HOST },
	{ .name = "beside the host", .to = { 1, 4 }, .slot = NET },
	{ .name = "other network", .to = { 2, 5 }, .slot = OTHER },
	{ .name = "GSO", .to = { 1, 1 }, .slot = NET, .gso = { .gso_size = 4, .gso_segs = 9 } },
	{ .name = "GSO without segments", .to = { 1, 5 }, .slot = HOST, .gso = { .gso_size = 4 } },
	{ .name = "no peer", .to = { 3, 1 } },
	{ .name = "no peer, GSO", .to = { 3, 1 }, .gso = { .gso_size = 4, .gso_segs = 9 } },
	{ .name = "multicast", .to = { 1, 1 }, .to_group = true },
};

static uint32_t build(uint8_t frame[], int family, const struct row *r)
{
	struct inner p;

	inner_udp(&p, family, (struct inner_address){ 9, 9 }, r->to);
	if (r->to_group)
		p.data[family == 6 ? 24 : 16] = family == 6 ? 0xff : 239;
	memset(frame, 0, ETH_HLEN);
	inner_put16(frame + 12, family == 6 ? ETH_P_IPV6 : ETH_P_IP);
	memcpy(frame + ETH_HLEN, p.data, p.len);
	return ETH_HLEN + p.len;
}

static uint32_t run_frame(const uint8_t *frame, uint32_t len, const struct __sk_buff *gso)
{
	return run_skb(bpf_program__fd(skel->progs.wgxdp_egress), frame, len,
		       gso->gso_size ? gso : NULL);
}

static void test_row(void **state)
{
	const struct row *r = *state;
	const uint32_t packets = r->gso.gso_segs ? r->gso.gso_segs : 1;
	uint8_t frame[ETH_HLEN + INNER_MAX];
	struct counters want, got;

	if (denied)
		skip();
	for (int family = 4; family <= 6; family += 2) {
		uint32_t len = build(frame, family, r), verdict;

		read_counters(&want);
		verdict = run_frame(frame, len, &r->gso);
		for (unsigned s = 0; s < SLOTS; s++) {
			if (slots[s] != r->slot)
				continue;
			want.peers[s].tx_packets += packets;
			want.peers[s].tx_bytes += len;
		}
		/* A packet without a peer may pass or be dropped, but each drop must be counted. */
		if (verdict == TC_ACT_SHOT) {
			want.drops[REASON_no_peer].packets += packets;
			want.drops[REASON_no_peer].bytes += len;
		}
		assert_int_equal(verdict, r->slot || verdict != TC_ACT_SHOT ? ON : TC_ACT_SHOT);
		if (r->to_group)
			assert_int_equal(verdict, TC_ACT_SHOT);
		read_counters(&got);
		assert_memory_equal(&got, &want, sizeof(want));
	}
}

/* --- limits and odd packets ------------------------------------------------------------------ */

/* During a flood of packets without a peer, at most LIMIT_PER_S of them pass in each second of the
 * clock. The flood spans at most three of these seconds, so up to three times the limit may pass.
 * Packets for peers are not limited. */
static void test_no_peer_limit(void **state)
{
	const struct row nobody = { .to = { 3, 1 } }, peer = { .to = { 1, 1 } };
	uint8_t frame[ETH_HLEN + INNER_MAX], good[ETH_HLEN + INNER_MAX];
	uint32_t len = build(frame, 4, &nobody), good_len = build(good, 6, &peer), passed = 0;
	struct counters before, after;

	(void)state;
	if (denied)
		skip();
	reset_limit();
	read_counters(&before);
	for (unsigned i = 0; i < 1000; i++)
		passed += run_frame(frame, len, &nobody.gso) == ON;
	assert_in_range(passed, LIMIT_PER_S, 3 * LIMIT_PER_S);
	read_counters(&after);
	assert_int_equal(after.drops[REASON_no_peer].packets,
			 before.drops[REASON_no_peer].packets + 1000 - passed);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(run_frame(good, good_len, &peer.gso), ON);
}

/* Dropped multicast packets do not use up the rate limit of unicast packets without a peer. */
static void test_multicast_is_apart(void **state)
{
	const struct row many = { .to = { 1, 1 }, .to_group = true };
	const struct row nobody = { .to = { 3, 1 } };
	uint8_t frame[ETH_HLEN + INNER_MAX];
	uint32_t len = build(frame, 6, &many);

	(void)state;
	if (denied)
		skip();
	reset_limit();
	for (unsigned i = 0; i < 2 * LIMIT_PER_S; i++)
		assert_int_equal(run_frame(frame, len, &many.gso), TC_ACT_SHOT);
	len = build(frame, 4, &nobody);
	assert_int_equal(run_frame(frame, len, &nobody.gso), ON);
}

/* A packet that is not IP has no peer and is always dropped, however short it is. A truncated IP
 * header cannot be tested, because BPF_PROG_TEST_RUN refuses such a packet. */
static void test_odd_packets(void **state)
{
	const struct row peer = { .to = { 1, 1 } };
	uint8_t frame[ETH_HLEN + INNER_MAX];
	struct counters before, after;
	uint32_t len = build(frame, 4, &peer);

	(void)state;
	if (denied)
		skip();
	read_counters(&before);
	inner_put16(frame + 12, ETH_P_ARP);
	assert_int_equal(run_frame(frame, len, &peer.gso), TC_ACT_SHOT);
	assert_int_equal(run_frame(frame, ETH_HLEN + 1, &peer.gso), TC_ACT_SHOT);
	read_counters(&after);
	assert_int_equal(after.drops[REASON_no_peer].packets,
			 before.drops[REASON_no_peer].packets + 2);
	/* An IP header without a payload is enough to find the peer. */
	build(frame, 4, &peer);
	assert_int_equal(run_frame(frame, ETH_HLEN + 20, &peer.gso), ON);
	build(frame, 6, &peer);
	assert_int_equal(run_frame(frame, ETH_HLEN + 40, &peer.gso), ON);
}

/* After a host's prefix is removed, packets for the host go to the peer whose network contains
 * it. */
static void test_prefix_gone(void **state)
{
	const struct row host = { .to = { 1, 5 }, .slot = NET };
	struct allowed4_key key4 = { .length = 32, .address = { 10, 7, 1, 5 } };
	uint8_t frame[ETH_HLEN + INNER_MAX];
	struct counters before, after;

	(void)state;
	if (denied)
		skip();
	assert_int_equal(bpf_map__delete_elem(skel->maps.allowed4, &key4, sizeof(key4), 0), 0);
	read_counters(&before);
	assert_int_equal(run_frame(frame, build(frame, 4, &host), &host.gso), ON);
	read_counters(&after);
	assert_int_equal(after.peers[0].tx_packets, before.peers[0].tx_packets + 1);
	allow(4, host.to, 32, HOST);
}

#define ROWS (sizeof(rows) / sizeof(rows[0]))

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_no_peer_limit),
		cmocka_unit_test(test_multicast_is_apart),
		cmocka_unit_test(test_odd_packets),
		cmocka_unit_test(test_prefix_gone),
	};
	struct CMUnitTest tests[ROWS + sizeof(others) / sizeof(others[0])];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = test_row,
						.initial_state = (void *)&rows[i] };
	memcpy(tests + ROWS, others, sizeof(others));
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("egress", tests, setup, teardown);
}
