/* SPDX-License-Identifier: MIT */
/* test_tunnel_loop.c - nested tunnels that are valid, loops that are refused, and packets of our
 * own that come back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "path/tunnel_loop.h"
#include "wg/peer.h"

#define PEERS 12

static struct peer peers[PEERS];
static struct encap encaps[PEERS];
static struct allowedips *allowed;

static void keep(void *ctx, void *object, void (*free_fn)(void *))
{
	(void)ctx;
	free_fn(object); /* there is no other reader */
}

static void set_endpoint(struct endpoint *e, const char *address)
{
	memset(e, 0, sizeof(*e));
	if (strchr(address, ':')) {
		e->remote.v6.sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, address, &e->remote.v6.sin6_addr), 1);
	} else {
		e->remote.v4.sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, address, &e->remote.v4.sin_addr), 1);
	}
}

static void allow(unsigned i, const char *address, uint8_t length)
{
	struct prefix p = { .family = strchr(address, ':') ? AF_INET6 : AF_INET, .length = length };

	assert_int_equal(inet_pton(p.family, address, p.addr), 1);
	assert_int_equal(allowedips_insert(allowed, &p, &peers[i], &peers[i].allowed), 0);
}

/* Makes peer @i reachable at @endpoint, through the tunnel or directly. */
static const struct encap *reach(unsigned i, const char *endpoint, bool via_tunnel)
{
	encaps[i] = (struct encap){ .via_tunnel = via_tunnel };
	set_endpoint(&encaps[i].endpoint, endpoint);
	atomic_store(&peers[i].encap, &encaps[i]);
	return &encaps[i];
}

static int setup(void **state)
{
	(void)state;
	memset(peers, 0, sizeof(peers));
	allowed = allowedips_new(keep, NULL);
	return !allowed;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PEERS; i++)
		allowedips_remove_all(allowed, &peers[i].allowed, NULL, NULL);
	allowedips_free(allowed);
	return 0;
}

static void test_itself(void **state)
{
	(void)state;
	allow(0, "0.0.0.0", 0);
	allow(0, "::", 0);
	assert_false(tunnel_loop_exists(allowed, reach(0, "192.0.2.1", false)));
	assert_true(tunnel_loop_exists(allowed, reach(0, "192.0.2.1", true)));
	assert_true(tunnel_loop_exists(allowed, reach(0, "2001:db8::1", true)));
}

/* Peer 1 is reached through peer 0, peer 2 through peer 1, and peer 0 through the host's NIC. */
static void test_nests(void **state)
{
	(void)state;
	allow(0, "10.0.0.0", 24);
	allow(1, "10.0.1.0", 24);
	allow(2, "10.0.2.0", 24);
	reach(0, "192.0.2.1", false);
	assert_false(tunnel_loop_exists(allowed, reach(1, "10.0.0.1", true)));
	assert_false(tunnel_loop_exists(allowed, reach(2, "10.0.1.1", true)));
	/* Peer 0 is reached through peer 2, which closes the loop for all three peers. */
	reach(0, "10.0.2.1", true);
	for (unsigned i = 0; i < 3; i++)
		assert_true(tunnel_loop_exists(allowed, &encaps[i]));
	/* A peer that is only reached through a loop is unreachable, too. */
	allow(3, "10.0.3.0", 24);
	assert_true(tunnel_loop_exists(allowed, reach(3, "10.0.2.9", true)));
}

/* An endpoint that is routed into the tunnel causes no loop if its address belongs to no peer, or
 * to a peer without an endpoint. Packets to it are dropped later, for another reason. */
static void test_dead_ends(void **state)
{
	(void)state;
	allow(0, "10.0.0.0", 24);
	/* the endpoint is an allowed IP of no peer */
	assert_false(tunnel_loop_exists(allowed, reach(1, "10.9.9.9", true)));
	/* the endpoint is an allowed IP of peer 0, which has no endpoint */
	assert_false(tunnel_loop_exists(allowed, reach(1, "10.0.0.1", true)));
}

static void test_depth(void **state)
{
	char address[16];

	(void)state;
	for (unsigned i = 0; i < PEERS; i++) {
		snprintf(address, sizeof(address), "10.0.%u.0", i);
		allow(i, address, 24);
		snprintf(address, sizeof(address), "10.0.%u.1", i - 1);
		reach(i, i ? address : "192.0.2.1", i != 0);
	}
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(tunnel_loop_exists(allowed, &encaps[i]), i > TUNNEL_LOOP_MAX);
}

/* Packets that come back ----------------------------------------------------------------------- */

static const uint8_t sent4[32] = { 0x45, 0,    0, 32, 0, 0,   0,  0,   64, 17,	 0,
				   0,	 192,  0, 2,  1, 198, 51, 100, 2,  0xca, 0x6c,
				   0x1a, 0x0b, 0, 12, 0, 0,   4,  0,   0,  0 };

static void ours4(struct encap *e)
{
	*e = (struct encap){ .source_port = htons(51820) };
	set_endpoint(&e->endpoint, "198.51.100.2");
	e->endpoint.remote.v4.sin_port = htons(6667);
	inet_pton(AF_INET, "192.0.2.1", &e->endpoint.local.v4);
}

static void test_own4(void **state)
{
	static const struct {
		unsigned at;
		uint8_t value;
		bool own;
	} cases[] = {
		/* 0 */ { 0, 0x45, true },
		/* 1: TCP */ { 9, 6, false },
		/* 2: a first fragment */ { 6, 0x20, true },
		/* 3: a later fragment */ { 7, 1, false },
		/* 4: another source */ { 15, 9, false },
		/* 5: another destination */ { 19, 9, false },
		/* 6: from another port */ { 21, 0x6d, false },
		/* 7: to another port */ { 23, 0x0c, false },
		/* 8: options, with no UDP header behind them */ { 0, 0x48, false },
	};
	uint8_t ip[32];
	struct encap e;

	(void)state;
	ours4(&e);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		memcpy(ip, sent4, sizeof(ip));
		ip[cases[i].at] = cases[i].value;
		if (tunnel_loop_is_own(&e, ip, sizeof(ip)) != cases[i].own)
			fail_msg("case %u", i);
	}
	for (uint32_t len = 20; len < 28; len++)
		assert_false(tunnel_loop_is_own(&e, sent4, len));
	e.endpoint.local.v4.s_addr = 0; /* source not known: every source matches */
	assert_true(tunnel_loop_is_own(&e, sent4, sizeof(sent4)));
}

static void test_own6(void **state)
{
	uint8_t ip[64] = { 0x60, [6] = 17, [7] = 64 }, cut[64] = { 0x60, [6] = 44, [40] = 17 };
	static const uint8_t ports[] = { 0xca, 0x6c, 0x1a, 0x0b };
	struct encap e = { .source_port = htons(51820) };

	(void)state;
	set_endpoint(&e.endpoint, "2001:db8::2");
	e.endpoint.remote.v6.sin6_port = htons(6667);
	inet_pton(AF_INET6, "2001:db8::1", &e.endpoint.local.v6);
	inet_pton(AF_INET6, "2001:db8::1", ip + 8);
	inet_pton(AF_INET6, "2001:db8::2", ip + 24);
	memcpy(cut + 8, ip + 8, 32);
	memcpy(ip + 40, ports, 4);
	memcpy(cut + 48, ports, 4);
	assert_true(tunnel_loop_is_own(&e, ip, 48));
	assert_false(tunnel_loop_is_own(&e, ip, 47));
	assert_true(tunnel_loop_is_own(&e, cut, 56));
	assert_false(tunnel_loop_is_own(&e, cut, 55));
	cut[43] = 8; /* a later fragment */
	assert_false(tunnel_loop_is_own(&e, cut, 56));
	ip[23] = 9;
	assert_false(tunnel_loop_is_own(&e, ip, 48));
	ip[23] = 1;
	ip[39] = 9;
	assert_false(tunnel_loop_is_own(&e, ip, 48));
	/* An endpoint of the other address family never matches. */
	ours4(&e);
	assert_false(tunnel_loop_is_own(&e, ip, 48));
}

#define with_peers(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_peers(test_itself), with_peers(test_nests),      with_peers(test_dead_ends),
		with_peers(test_depth),	 cmocka_unit_test(test_own4), cmocka_unit_test(test_own6),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
