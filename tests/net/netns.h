/* SPDX-License-Identifier: MIT */
/*
 * netns.h - the two network namespaces of test_netlink, test_netlink_watch and test_nexthop. The
 * namespaces have no names and end with the test. Creating them needs root.
 *
 *   our namespace                           the peer's namespace
 *     a0  192.0.2.1/24  ─────── veth ───────  b0  192.0.2.2/24
 *         192.0.2.3                               2001:db8::2/64
 *         2001:db8::1/64                          fe80::2
 *         fe80::1
 *     d1  198.19.0.1/24, leads nowhere        d0  MTU 1300; has routes to 203.0.113.0/24 and
 *     tun0, down                                  2001:db8:9::/64
 */
#ifndef NETNS_H
#define NETNS_H

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "io/netlink.h"

static struct netlink *nl; /* socket in our namespace */
static pid_t peer;	   /* process that holds the peer's namespace */
static uint32_t a0;	   /* ifindex of a0 */

/* Shell and `ip` ------------------------------------------------------------------------------ */

static void command(char *line, size_t room, const char *format, va_list ap)
{
	int n = vsnprintf(line, room, format, ap);

	assert_true(n > 0 && (size_t)n < room);
}

static void __attribute__((format(printf, 1, 2))) sh(const char *format, ...)
{
	char line[640];
	va_list ap;
	int rc;

	va_start(ap, format);
	command(line + 8, sizeof(line) - 8, format, ap);
	memcpy(line, "set -e; ", 8);
	va_end(ap);
	rc = system(line);
	if (rc)
		fail_msg("%s: exit %d", line, rc);
}

static void __attribute__((format(printf, 1, 2))) peer_sh(const char *format, ...)
{
	char line[560];
	va_list ap;

	va_start(ap, format);
	command(line, sizeof(line), format, ap);
	va_end(ap);
	sh("nsenter --net=/proc/%d/ns/net sh -ec '%s'", peer, line);
}

/* Returns the first element of the output of `ip -j`, or NULL. The caller calls json_decref(). */
static inline json_t *ip(const char *arguments)
{
	char line[256];
	json_t *all, *first;
	FILE *f;

	snprintf(line, sizeof(line), "ip -j -d %s 2>/dev/null", arguments);
	f = popen(line, "r");
	assert_non_null(f);
	all = json_loadf(f, 0, NULL);
	pclose(f);
	first = json_incref(json_array_get(all, 0));
	json_decref(all);
	return first;
}

/* Arguments ----------------------------------------------------------------------------------- */

static const uint8_t *addr(const char *address)
{
	static uint8_t ring[4][16];
	static unsigned turn;
	uint8_t *out = ring[turn++ % 4];

	assert_int_equal(inet_pton(strchr(address, ':') ? AF_INET6 : AF_INET, address, out), 1);
	return out;
}

static inline struct endpoint to(const char *remote, const char *local)
{
	struct endpoint e = { 0 };

	if (strchr(remote, ':')) {
		e.remote.v6.sin6_family = AF_INET6;
		e.remote.v6.sin6_port = htons(51820);
		memcpy(&e.remote.v6.sin6_addr, addr(remote), 16);
		if (local)
			memcpy(&e.local.v6, addr(local), 16);
	} else {
		e.remote.v4.sin_family = AF_INET;
		e.remote.v4.sin_port = htons(51820);
		memcpy(&e.remote.v4.sin_addr, addr(remote), 4);
		if (local)
			memcpy(&e.local.v4, addr(local), 4);
	}
	return e;
}

static uint32_t index_of(const char *name)
{
	struct netlink_link l;

	assert_int_equal(netlink_link(nl, name, 0, &l), 0);
	return l.ifindex;
}

/* Setup --------------------------------------------------------------------------------------- */

static void hold_namespace(int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (unshare(CLONE_NEWNET) || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static void start_peer(void)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	peer = fork();
	assert_true(peer >= 0);
	if (!peer)
		hold_namespace(ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
}

static int netns_setup(void **state)
{
	static const char no_dad[] = "echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad";

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	start_peer();
	sh("%s; ip link set lo up", no_dad);
	peer_sh("%s; ip link set lo up", no_dad);
	sh("ip link add a0 numrxqueues 4 numtxqueues 4 type veth peer name b0 netns %d", peer);
	sh("ip link set a0 addrgenmode none; "
	   "ip addr add 192.0.2.1/24 dev a0; ip addr add 192.0.2.3/24 dev a0; "
	   "ip addr add 2001:db8::1/64 dev a0; ip addr add fe80::1/64 dev a0; ip link set a0 up");
	peer_sh("ip addr add 192.0.2.2/24 dev b0; ip addr add 2001:db8::2/64 dev b0; "
		"ip addr add fe80::2/64 dev b0; ip link set b0 up; "
		"echo 1 >/proc/sys/net/ipv4/ip_forward; "
		"echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; "
		"ip link add d0 mtu 1300 type veth peer name d0x mtu 1300; "
		"ip link set d0 up; ip link set d0x up; "
		"ip route add 203.0.113.0/24 dev d0; ip route add 2001:db8:9::/64 dev d0");
	sh("ip link add d1 type veth peer name d1x; ip link set d1 up; "
	   "ip link set d1x up; ip addr add 198.19.0.1/24 dev d1; "
	   "ip tuntap add tun0 mode tun");
	sh("ip route add 203.0.113.0/24 via 192.0.2.2 src 192.0.2.3; "
	   "ip route add 2001:db8:9::/64 via 2001:db8::2 mtu 1450; "
	   "ip route add 10.60.0.0/16 via inet6 2001:db8::2 dev a0 mtu 1400; "
	   "ip route add 10.61.0.0/16 via 192.0.2.2 mtu 9000");
	nl = netlink_open();
	assert_non_null(nl);
	a0 = index_of("a0");
	return 0;
}

static int netns_teardown(void **state)
{
	(void)state;
	netlink_close(nl);
	kill(peer, SIGKILL);
	waitpid(peer, NULL, 0);
	return 0;
}

/* If the tests cannot run, prints the reason and returns true. */
static bool netns_skip(void)
{
	if (geteuid() == 0)
		return false;
	puts("1..0 # SKIP needs root: it makes network namespaces");
	return true;
}

#endif
