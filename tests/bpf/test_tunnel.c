/* SPDX-License-Identifier: MIT */
/*
 * test_tunnel.c - what the loader's programs on a tunnel interface pass, drop and count, with real
 * writes to its queues and real packets from it.
 */
#include "tunnel_bench.h"

/* --- TC ingress ------------------------------------------------------------------------------ */

static const struct in_row in_rows[] = {
	{ "the right peer", UDP, { 1, 7 }, NEAR, true },
	{ "the other right peer", UDP, { 2, 7 }, FAR, true },
	{ "a source in both prefixes, the longer prefix's peer", UDP, { 1, 9 }, FAR, true },
	{ "an echo request of the right peer", ECHO, { 1, 7 }, NEAR, true },
	{ "an ICMP error of the right peer", ERROR, { 1, 7 }, NEAR, true },
	{ "an ICMP error \"too big\" of the right peer", TOO_BIG, { 1, 7 }, NEAR, true },
	{ "a source in both prefixes, the shorter prefix's peer", UDP, { 1, 9 }, NEAR, false },
	{ "the first peer with the second peer's source", UDP, { 2, 7 }, NEAR, false },
	{ "the second peer with the first peer's source", UDP, { 1, 7 }, FAR, false },
	{ "no peer's source", UDP, { 3, 7 }, NEAR, false },
	{ "our own source", UDP, { 0, 1 }, NEAR, false },
	{ "no slot", UDP, { 1, 7 }, SLOT_NONE, false },
	{ "no slot and no peer's source", UDP, { 3, 7 }, SLOT_NONE, false },
	{ "no slot, an ICMP error", ERROR, { 3, 7 }, SLOT_NONE, false },
	{ "a slot without a peer", UDP, { 1, 7 }, 5, false },
	{ "an ICMP error with no peer's source", ERROR, { 3, 7 }, NEAR, false },
};

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

/* Until a worker stores a peer's slot in tun_writer, every packet that is written is dropped. */
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

/* --- packets that no worker wrote ------------------------------------------------------------ */

/* Joins a multicast group on the tunnel interface and sends a packet to the group through that
 * interface. Returns the socket. */
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

/* The stack loops the host's own multicast back to local members. Such a looped packet comes from
 * no worker, and must arrive. */
static void test_looped_multicast(void **state)
{
	const struct in_row forged = { "no peer's source", UDP, { 3, 7 }, NEAR, false };
	struct inner p;
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
	/* The program still checks the source of a packet that a worker writes, and multicast is no
	 * exception. */
	build(&p, 4, &forged);
	inet_pton(AF_INET, "239.7.7.7", p.data + 16);
	assert_int_equal(write(queues[0], p.data, p.len), p.len);
	assert_int_equal(dropped(REASON_inject_mismatch).packets, 1);
	close_tunnel();
}

/* Sets the CPUs for RPS of both queues, in a sysfs mounted for this network namespace. */
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

/* With RPS the TC program may run after write() has returned. The writer may then already have
 * stored a later packet's slot in tun_writer, so the program does not compare the slot. */
static void test_rps(void **state)
{
	static const struct in_row rows[] = {
		{ "a later packet's slot", UDP, { 1, 7 }, FAR, true },
		{ "no slot", UDP, { 2, 7 }, SLOT_NONE, true },
		{ "an ICMP error, no peer's source", ERROR, { 3, 7 }, NEAR, false },
		{ "no peer's source", UDP, { 3, 7 }, NEAR, false },
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

/* 10,000 packets of two peers alternate between two queues. Each packet is checked against its own
 * peer's slot. */
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

/* Reads both queues until they are empty. Returns the number of packets. */
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("tunnel", tests, setup, NULL);
}
