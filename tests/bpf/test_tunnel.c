/* SPDX-License-Identifier: MIT */
/*
 * test_tunnel.c - the loader's programs on a tunnel interface, with real writes to its queues and
 * real packets from it, by tcx and by clsact.
 *
 *   queue 0, queue 1 ─ write ─▶ tun ─ TC ingress ─▶ 10.7.0.1, fd07::1 port INNER_HOST_PORT
 *   tun_writer = slot
 *
 * Network 1 belongs to peer NEAR, network 2 to peer FAR, network 3 to no peer.
 */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "inner.h"
#include "sandbox.h"
#include "wg/allowedips.h"

enum { NEAR = 0, FAR = 70001 };

static const struct inner_address us = { 0, 1 };
static int queues[2] = { -1, -1 };
static uint32_t tun;

/* --- the interface --------------------------------------------------------------------------- */

static int open_queue(void)
{
	struct ifreq r = { .ifr_name = "ltun", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
		fail_msg("/dev/net/tun: %s", strerror(errno));
	return fd;
}

static void tun_up(void)
{
	run("ip link set ltun up");
	run("ip addr add 10.7.0.1/16 dev ltun");
	run("ip addr add fd07::1/64 dev ltun nodad");
	run("ip route add fd07::/32 dev ltun");
}

static void allow(uint8_t family, struct inner_address a, uint8_t length, uint32_t slot)
{
	struct prefix p = { .family = family == 6 ? AF_INET6 : AF_INET, .length = length };

	inner_put_address(p.addr, family, a);
	assert_int_equal(loader_allowed_set(loader, &p, slot), 0);
}

/* Closes both queues, which removes the interface. */
static void close_tunnel(void)
{
	for (unsigned q = 0; q < 2; q++) {
		if (queues[q] >= 0)
			close(queues[q]);
		queues[q] = -1;
	}
}

static void open_tunnel(bool force_clsact)
{
	bool tcx = force_clsact;
	const struct peer_value peer = { .name = "a" };

	close_tunnel(); /* if the previous test failed */
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
static int open_socket(uint8_t family, struct inner_address peer)
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

static struct drops_value dropped(enum reason reason)
{
	struct drops_value sums[REASON_COUNT];

	assert_int_equal(loader_drops(loader, sums), 0);
	return sums[reason];
}

/* --- TC ingress ------------------------------------------------------------------------------ */

enum kind { UDP, ERROR, TOO_BIG, ECHO };

struct in_row {
	const char *name;
	enum kind kind;
	struct inner_address from;
	uint32_t slot;
	bool in;
};

static const struct in_row in_rows[] = {
	{ "the right peer", UDP, { 1, 7 }, NEAR, true },
	{ "the other right peer", UDP, { 2, 7 }, FAR, true },
	{ "the longer prefix's peer", UDP, { 1, 9 }, FAR, true },
	{ "an echo of the right peer", ECHO, { 1, 7 }, NEAR, true },
	{ "the shorter prefix's peer", UDP, { 1, 9 }, NEAR, false },
	{ "another peer's source", UDP, { 2, 7 }, NEAR, false },
	{ "and the other way round", UDP, { 1, 7 }, FAR, false },
	{ "nobody's source", UDP, { 3, 7 }, NEAR, false },
	{ "our own source", UDP, { 0, 1 }, NEAR, false },
	{ "no slot", UDP, { 1, 7 }, SLOT_NONE, false },
	{ "no slot and nobody's source", UDP, { 3, 7 }, SLOT_NONE, false },
	{ "no slot, ICMP error", ERROR, { 3, 7 }, SLOT_NONE, false },
	{ "a slot of no peer", UDP, { 1, 7 }, 5, false },
	{ "ourselves, ICMP error from nobody's", ERROR, { 3, 7 }, SLOT_LOCAL, true },
	{ "ourselves, ICMP error from a peer's", ERROR, { 1, 7 }, SLOT_LOCAL, true },
	{ "ourselves, too big", TOO_BIG, { 1, 7 }, SLOT_LOCAL, true },
	{ "ourselves, UDP", UDP, { 1, 7 }, SLOT_LOCAL, false },
	{ "ourselves, echo", ECHO, { 1, 7 }, SLOT_LOCAL, false },
	{ "ICMP error under a peer's slot", ERROR, { 3, 7 }, NEAR, false },
};

static void build(struct inner *p, uint8_t family, const struct in_row *r)
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

/* Whether the socket got the packet: a datagram of 4 bytes, or an ICMP error. */
static bool arrived(int fd, enum kind kind)
{
	char buffer[64];
	ssize_t got = recv(fd, buffer, sizeof(buffer), 0);

	if (kind == UDP)
		return got == 4;
	return got < 0 && errno == (kind == TOO_BIG ? EMSGSIZE : EHOSTUNREACH);
}

/* Waits until the socket is readable, or the packet was dropped. */
static void wait_for_verdict(int fd, uint64_t drops_before)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	for (unsigned i = 0; i < 2000; i++)
		if (poll(&wait, 1, 1) > 0 || dropped(REASON_inject_mismatch).packets > drops_before)
			return;
}

/* The other queue's slot would give the opposite verdict, and must not matter. */
static void check_in_row(const struct in_row *r, uint8_t family, unsigned queue)
{
	int fd = r->kind == ECHO ? -1 : open_socket(family, r->from);
	struct drops_value before = dropped(REASON_inject_mismatch), after;
	struct inner p;

	build(&p, family, r);
	loader_tun_writer(loader)[!queue] = r->in ? SLOT_NONE : r->from.x == 2 ? FAR : NEAR;
	loader_tun_writer(loader)[queue] = r->slot;
	assert_int_equal(write(queues[queue], p.data, p.len), p.len);
	if (fd >= 0) /* with RPS the program runs later */
		wait_for_verdict(fd, before.packets);
	after = dropped(REASON_inject_mismatch);
	if (after.packets != before.packets + !r->in)
		fail_msg("%s, IPv%u, queue %u: %s", r->name, family, queue,
			 r->in ? "dropped" : "not dropped");
	assert_int_equal(after.bytes, before.bytes + (r->in ? 0 : p.len));
	if (fd >= 0 && r->from.x && arrived(fd, r->kind) != r->in)
		fail_msg("%s, IPv%u, queue %u: %s", r->name, family, queue,
			 r->in ? "did not arrive" : "arrived");
	if (fd >= 0)
		close(fd);
}

static void check_ingress(bool force_clsact)
{
	open_tunnel(force_clsact);
	for (unsigned i = 0; i < sizeof(in_rows) / sizeof(in_rows[0]); i++)
		for (uint8_t family = 4; family <= 6; family += 2)
			for (unsigned queue = 0; queue < 2; queue++)
				check_in_row(&in_rows[i], family, queue);
	close_tunnel();
}

static void test_ingress_tcx(void **state)
{
	(void)state;
	check_ingress(false);
}

static void test_ingress_clsact(void **state)
{
	(void)state;
	check_ingress(true);
}

/* The initial value of the array admits no packet. */
static void test_inject_begins_closed(void **state)
{
	const struct in_row right = { "unset", UDP, { 1, 7 }, 0, false };
	struct inner p;

	(void)state;
	open_tunnel(false);
	build(&p, 4, &right);
	for (unsigned queue = 0; queue < 2; queue++)
		assert_int_equal(write(queues[queue], p.data, p.len), p.len);
	assert_int_equal(dropped(REASON_inject_mismatch).packets, 2);
	close_tunnel();
}

/* --- packets that no worker is just writing
 * ---------------------------------------------------- */

/* Joins a group on the tunnel interface and sends to it through the interface. Returns the
 * socket. */
static int send_to_group(uint8_t family)
{
	struct ipv6_mreq join6 = { .ipv6mr_interface = tun };
	struct ip_mreqn join4 = { .imr_ifindex = (int)tun };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(INNER_HOST_PORT) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(INNER_HOST_PORT) };
	const struct sockaddr_in6 any = { .sin6_family = family == 6 ? AF_INET6 : AF_INET,
					  .sin6_port = htons(INNER_HOST_PORT) };
	const bool v6 = family == 6;
	int fd = socket(any.sin6_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	inet_pton(AF_INET, "239.7.7.7", &join4.imr_multiaddr);
	inet_pton(AF_INET6, "ff02::7:7", &join6.ipv6mr_multiaddr);
	to4.sin_addr = join4.imr_multiaddr;
	to6.sin6_addr = join6.ipv6mr_multiaddr;
	to6.sin6_scope_id = tun;
	assert_int_equal(bind(fd, (const void *)&any, v6 ? sizeof(to6) : sizeof(to4)), 0);
	if (v6)
		assert_int_equal(
			setsockopt(fd, SOL_IPV6, IPV6_ADD_MEMBERSHIP, &join6, sizeof(join6)), 0);
	else
		assert_int_equal(setsockopt(fd, SOL_IP, IP_ADD_MEMBERSHIP, &join4, sizeof(join4)) |
					 setsockopt(fd, SOL_IP, IP_MULTICAST_IF, &join4,
						    sizeof(join4)),
				 0);
	assert_int_equal(sendto(fd, "pong", 4, 0, v6 ? (void *)&to6 : (void *)&to4,
				v6 ? sizeof(to6) : sizeof(to4)),
			 4);
	return fd;
}

/* The stack loops the host's own multicast back to local members. */
static void test_looped_multicast(void **state)
{
	int fd;

	(void)state;
	open_tunnel(false);
	for (uint8_t family = 4; family <= 6; family += 2) {
		loader_tun_writer(loader)[0] = NEAR;
		fd = send_to_group(family);
		wait_for_verdict(fd, 0);
		if (!arrived(fd, UDP))
			fail_msg("IPv%u: did not arrive", family);
		close(fd);
	}
	assert_int_equal(dropped(REASON_inject_mismatch).packets, 0);
	/* A peer's multicast is checked like everything that a worker writes. */
	check_in_row(&(struct in_row){ "multicast source", UDP, { 3, 7 }, NEAR, false }, 4, 0);
	close_tunnel();
}

/* Sets the CPUs for RPS of both queues. Needs a sysfs of this network namespace. */
static void set_rps(const char *cpus)
{
	char sysfs[] = "/tmp/test_tunnel.XXXXXX", command[256];

	assert_non_null(mkdtemp(sysfs));
	assert_int_equal(mount("sysfs", sysfs, "sysfs", 0, NULL), 0);
	snprintf(command, sizeof(command),
		 "for f in %s/class/net/ltun/queues/rx-*/rps_cpus; do echo %s >$f || exit 1; done",
		 sysfs, cpus);
	run(command);
	assert_int_equal(umount2(sysfs, MNT_DETACH), 0);
	rmdir(sysfs);
}

/* With RPS the program runs after the write, when the slot is that of a later packet. */
static void test_rps(void **state)
{
	static const struct in_row rows[] = {
		{ "a later packet's slot", UDP, { 1, 7 }, FAR, true },
		{ "no slot", UDP, { 2, 7 }, SLOT_NONE, true },
		{ "an ICMP error", ERROR, { 3, 7 }, NEAR, true },
		{ "nobody's source", UDP, { 3, 7 }, NEAR, false },
		{ "our own source", UDP, { 0, 1 }, NEAR, false },
	};

	(void)state;
	open_tunnel(false);
	assert_int_equal(loader_tunnel_steered(loader), 0);
	set_rps("3");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (uint8_t family = 4; family <= 6; family += 2)
			check_in_row(&rows[i], family, i % 2);
	assert_true(loader_tunnel_steered(loader) > 0);
	set_rps("0");
	check_in_row(&(struct in_row){ "off: another slot", UDP, { 1, 7 }, FAR, false }, 4, 0);
	check_in_row(&(struct in_row){ "off: the right peer", UDP, { 1, 7 }, NEAR, true }, 4, 0);
	close_tunnel();
}

/* 10,000 packets of two peers alternate between two queues. Each is checked against its own
 * slot. */
static void test_many_writes(void **state)
{
	const struct in_row right[2] = { { "", UDP, { 1, 7 }, NEAR, true },
					 { "", UDP, { 2, 7 }, FAR, true } };
	struct inner p[2];

	(void)state;
	open_tunnel(false);
	build(&p[0], 4, &right[0]);
	build(&p[1], 6, &right[1]);
	for (unsigned i = 0; i < 10000; i++) {
		unsigned peer = i % 2, queue = i / 2 % 2;

		loader_tun_writer(loader)[queue] = right[peer].slot;
		assert_int_equal(write(queues[queue], p[peer].data, p[peer].len), p[peer].len);
	}
	assert_int_equal(dropped(REASON_inject_mismatch).packets, 0);
	close_tunnel();
}

/* --- TC egress ------------------------------------------------------------------------------- */

static void send_to(uint8_t family, struct inner_address peer)
{
	int fd = open_socket(family, peer);

	assert_int_equal(send(fd, "pong", 4, 0), 4);
	close(fd);
}

/* Reads the queues empty. Returns the number of packets. */
static unsigned read_queues(void)
{
	unsigned count = 0;
	uint8_t buffer[2048];

	for (unsigned q = 0; q < 2; q++)
		while (read(queues[q], buffer, sizeof(buffer)) > 0)
			count++;
	return count;
}

static void check_egress(bool force_clsact)
{
	struct peer_stats_value near = { 0 }, far = { 0 };

	open_tunnel(force_clsact);
	read_queues();
	send_to(4, (struct inner_address){ 1, 7 });
	send_to(6, (struct inner_address){ 1, 7 });
	send_to(4, (struct inner_address){ 1, 9 });
	assert_int_equal(read_peer_stats(NEAR, &near), 0);
	assert_int_equal(read_peer_stats(FAR, &far), 0);
	assert_int_equal(near.tx_packets, 2);
	assert_int_equal(near.tx_bytes, 20 + 8 + 4 + 40 + 8 + 4);
	assert_int_equal(far.tx_packets, 1);
	assert_int_equal(far.tx_bytes, 20 + 8 + 4);
	assert_int_equal(near.rx_packets + far.rx_packets, 0);
	assert_int_equal(read_queues(), 3);
	close_tunnel();
}

static void test_egress_tcx(void **state)
{
	(void)state;
	check_egress(false);
}

static void test_egress_clsact(void **state)
{
	(void)state;
	check_egress(true);
}

/* --- attach ---------------------------------------------------------------------------------- */

static void test_attach_again(void **state)
{
	bool tcx;

	(void)state;
	for (int clsact = 0; clsact < 2; clsact++) {
		open_tunnel(clsact);
		assert_true(loader_tunnel_attached(loader));
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), 0);
		assert_int_equal(tcx, !uses_clsact(clsact));
		assert_true(loader_tunnel_attached(loader));
		loader_detach_tunnel(loader);
		assert_false(loader_tunnel_attached(loader));
		loader_detach_tunnel(loader);
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), 0);
		assert_true(loader_tunnel_attached(loader));
		close_tunnel(); /* this removes the interface as well */
		assert_false(loader_tunnel_attached(loader));
		assert_int_equal(loader_attach_tunnel(loader, tun, clsact, &tcx, &f), -ENODEV);
		loader_free(loader);
		loader = NULL;
	}
}

/* Returns the number of tcx links on the interface. */
static unsigned count_tcx(void)
{
	const uint32_t link_type_tcx = 11; /* Linux 6.6 */
	uint32_t id = 0;
	unsigned n = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = { 0 };
		uint32_t len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len))
			n += info.type == link_type_tcx && info.xdp.ifindex == tun;
		close(fd);
	}
	return n;
}

/* Detaching removes everything, also the qdisc. */
static void test_detach_leaves_nothing(void **state)
{
	(void)state;
	for (int clsact = 0; clsact < 2; clsact++) {
		open_tunnel(clsact);
		assert_int_equal(count_tcx(), uses_clsact(clsact) ? 0 : 2);
		loader_detach_tunnel(loader);
		assert_int_equal(count_tcx(), 0);
		run("! tc qdisc show dev ltun | grep -q clsact");
		close_tunnel();
		loader_free(loader);
		loader = NULL;
	}
}

/* Starts a child in a namespace of its own, which sets ltun up there. */
static pid_t move_away(int *net)
{
	char command[64], path[64];
	int ready[2], go[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ready) | pipe(go), 0);
	child = fork();
	if (!child) {
		if (unshare(CLONE_NEWNET) || write(ready[1], "r", 1) != 1 ||
		    read(go[0], &byte, 1) != 1 || system("ip link set lo up") ||
		    system("ip link set ltun up") || write(ready[1], "u", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(command, sizeof(command), "ip link set ltun netns %d", child);
	run(command);
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	*net = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(*net >= 0);
	for (unsigned i = 0; i < 2; i++)
		close(ready[i]), close(go[i]);
	return child;
}

static void end_child(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* Returns how much the counter grows when a spoofed packet is written. */
static uint64_t drops_of_spoofed(void)
{
	const struct in_row spoofed = { "", UDP, { 2, 7 }, NEAR, false };
	uint64_t before = dropped(REASON_inject_mismatch).packets;
	struct inner p;

	build(&p, 4, &spoofed);
	loader_tun_writer(loader)[1] = NEAR;
	assert_int_equal(write(queues[1], p.data, p.len), p.len);
	return dropped(REASON_inject_mismatch).packets - before;
}

static void test_move_tcx(void **state)
{
	pid_t child;
	bool tcx;
	int net;

	(void)state;
	if (!denied && !has_tcx())
		skip();
	open_tunnel(false);
	assert_int_equal(drops_of_spoofed(), 1);
	child = move_away(&net);
	assert_true(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 1);
	assert_int_equal(loader_attach_tunnel(loader, tun, false, &tcx, &f), -ENODEV);
	close(net);
	end_child(child);
	close_tunnel();
}

/* The move removes clsact filters, which the loader notices. They are attached again from the new
 * namespace. */
static void test_move_clsact(void **state)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), net;
	pid_t child;
	bool tcx;

	(void)state;
	open_tunnel(true);
	child = move_away(&net);
	assert_false(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 0);
	assert_int_equal(setns(net, CLONE_NEWNET), 0);
	assert_int_equal(loader_attach_tunnel(loader, if_nametoindex("ltun"), true, &tcx, &f), 0);
	assert_true(loader_tunnel_attached(loader));
	assert_int_equal(drops_of_spoofed(), 1);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	close(home);
	close(net);
	end_child(child);
	close_tunnel();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(ingress_tcx),
		TEST(ingress_clsact),
		TEST(inject_begins_closed),
		TEST(looped_multicast),
		TEST(rps),
		TEST(many_writes),
		TEST(egress_tcx),
		TEST(egress_clsact),
		TEST(attach_again),
		TEST(detach_leaves_nothing),
		TEST(move_tcx),
		TEST(move_clsact),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel", tests, setup, NULL);
}
