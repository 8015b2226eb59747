/* SPDX-License-Identifier: MIT */
/*
 * tunnel_bench.h - a tunnel interface with the loader's programs, attached by tcx or clsact. The
 * tests write real packets into its two queues:
 *
 *   queue 0, queue 1 ─ write ─▶ tun ─ TC ingress ─▶ 10.7.0.1, fd07::1 port INNER_HOST_PORT
 *   tun_writer = slot
 *
 * Network x is 10.7.x.0/24 and fd07::x:0/112. Network 1 belongs to the peer NEAR, except for its
 * host 9. That host and network 2 belong to the peer FAR. Network 3 belongs to no peer.
 */
#ifndef TESTS_BPF_TUNNEL_BENCH_H
#define TESTS_BPF_TUNNEL_BENCH_H

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "inner.h"
#include "sandbox.h"
#include "wg/allowedips.h"

enum { NEAR = 0, FAR = 70001 };

static const struct inner_address us = { 0, 1 };
static int queues[2] = { -1, -1 };
static uint32_t tun;

/* --- the interface --------------------------------------------------------------------------- */

static inline int open_queue(void)
{
	struct ifreq r = { .ifr_name = "ltun", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		fail_msg("/dev/net/tun: %s", strerror(errno));
	return fd;
}

static inline void tun_up(void)
{
	run("ip link set ltun up");
	run("ip addr add 10.7.0.1/16 dev ltun");
	run("ip addr add fd07::1/64 dev ltun nodad");
	run("ip route add fd07::/32 dev ltun");
	wait_for_local_route("fd07::1");
}

static inline void allow(uint8_t family, struct inner_address a, uint8_t length, uint32_t slot)
{
	struct prefix p = { .family = family == 6 ? AF_INET6 : AF_INET, .length = length };

	inner_put_address(p.addr, family, a);
	assert_int_equal(loader_allowed_set(loader, &p, slot), 0);
}

/* Closes both queues, which removes the interface. */
static inline void close_tunnel(void)
{
	for (unsigned q = 0; q < 2; q++) {
		if (queues[q] >= 0)
			close(queues[q]);
		queues[q] = -1;
	}
}

static inline void open_tunnel(bool force_clsact)
{
	bool tcx = force_clsact;
	const struct peer_value peer = { .name = "a" };

	close_tunnel(); /* still open if the previous test failed */
	make_loader();
	for (unsigned q = 0; q < 2; q++)
		queues[q] = open_queue();
	tun = if_nametoindex("ltun");
	tun_up();
	for (uint8_t family = 4; family <= 6; family += 2) {
		allow(family, (struct inner_address){ 1, 0 }, family == 6 ? 112 : 24, NEAR);
		allow(family, (struct inner_address){ 2, 0 }, family == 6 ? 112 : 24, FAR);
		allow(family, (struct inner_address){ 1, 9 }, family == 6 ? 128 : 32, FAR);
	}
	assert_int_equal(loader_peer_set(loader, NEAR, &peer), 0);
	assert_int_equal(loader_peer_set(loader, FAR, &peer), 0);
	if (loader_attach_tunnel(loader, tun, force_clsact, &tcx, &f))
		fail_msg("%s", f.text);
	assert_int_equal(tcx, !uses_clsact(force_clsact));
}

/* Opens a socket that is connected to @peer and reports ICMP errors. */
static inline int open_socket(uint8_t family, struct inner_address peer)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(INNER_HOST_PORT) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(INNER_HOST_PORT) };
	const void *address = family == 6 ? (void *)&v6 : &v4;
	socklen_t len = family == 6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family == 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	const int one = 1;

	inner_put_address((void *)&v4.sin_addr, 4, us);
	inner_put_address((void *)&v6.sin6_addr, 6, us);
	assert_int_equal(bind(fd, address, len), 0);
	v4.sin_port = v6.sin6_port = htons(INNER_PEER_PORT);
	inner_put_address((void *)&v4.sin_addr, 4, peer);
	inner_put_address((void *)&v6.sin6_addr, 6, peer);
	assert_int_equal(connect(fd, address, len), 0);
	if (family == 6)
		assert_int_equal(setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &one, sizeof(one)), 0);
	else
		assert_int_equal(setsockopt(fd, SOL_IP, IP_RECVERR, &one, sizeof(one)), 0);
	return fd;
}

static inline struct drops_value dropped(enum reason reason)
{
	struct drops_value sums[REASON_COUNT];

	assert_int_equal(loader_drops(loader, sums), 0);
	return sums[reason];
}

/* --- packets in ------------------------------------------------------------------------------ */

enum kind { UDP, ERROR, TOO_BIG, ECHO };

struct in_row {
	const char *name;
	enum kind kind;
	struct inner_address from;
	uint32_t slot;
	bool in;
};

static inline void build(struct inner *p, uint8_t family, const struct in_row *r)
{
	const bool v6 = family == 6;

	switch (r->kind) {
	case UDP:
		inner_udp(p, family, r->from, us);
		return;
	case ERROR: /* host or address unreachable */
		inner_icmp(p, family, r->from, us, v6 ? 1 : 3, v6 ? 3 : 1);
		return;
	case TOO_BIG:
		inner_icmp(p, family, r->from, us, v6 ? 2 : 3, v6 ? 0 : 4);
		return;
	case ECHO:
		inner_icmp(p, family, r->from, us, v6 ? 128 : 8, 0);
		return;
	}
}

/* Returns true if the socket got the packet: a datagram of 4 bytes, or an ICMP error. */
static inline bool arrived(int fd, enum kind kind)
{
	char buffer[64];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

	if (kind == UDP)
		return got == 4;
	return got < 0 && errno == (kind == TOO_BIG ? EMSGSIZE : EHOSTUNREACH);
}

/* Waits until the socket is readable or the packet has been dropped. Gives up after about 2 s. */
static inline void wait_for_verdict(int fd, uint64_t drops_before)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	for (unsigned i = 0; i < 2000; i++)
		if (poll(&wait, 1, 1) > 0 || dropped(REASON_inject_mismatch).packets > drops_before)
			return;
}

/* Writes the packet of @r to @queue and checks that it arrives if @r->in is true, and otherwise is
 * dropped. For the other queue, tun_writer has a slot that would give most rows the opposite
 * verdict. That slot must not matter. */
static inline void check_in_row(const struct in_row *r, uint8_t family, unsigned queue)
{
	int fd = r->kind == ECHO ? -1 : open_socket(family, r->from);
	struct drops_value before = dropped(REASON_inject_mismatch), after;
	bool got = r->in;
	struct inner p;

	build(&p, family, r);
	loader_tun_writer(loader)[!queue] = r->in ? SLOT_NONE : r->from.x == 2 ? FAR : NEAR;
	loader_tun_writer(loader)[queue] = r->slot;
	assert_int_equal(write(queues[queue], p.data, p.len), p.len);
	if (fd >= 0) /* with RPS the program may run after write() has returned */
		wait_for_verdict(fd, before.packets);
	if (fd >= 0 && r->from.x)
		got = arrived(fd, r->kind);
	if (fd >= 0)
		close(fd);
	after = dropped(REASON_inject_mismatch);
	if (after.packets != before.packets + !r->in)
		fail_msg("%s, IPv%u, queue %u: %s", r->name, family, queue,
			 r->in ? "dropped" : "not dropped");
	assert_int_equal(after.bytes, before.bytes + (r->in ? 0 : p.len));
	if (got != r->in)
		fail_msg("%s, IPv%u, queue %u: %s", r->name, family, queue,
			 r->in ? "did not arrive" : "arrived");
}

#endif
