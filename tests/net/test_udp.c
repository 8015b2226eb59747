/* SPDX-License-Identifier: MIT */
/*
 * test_udp.c - the UDP path against plain sockets in another namespace. Every datagram arrives once
 * and complete, with the right addresses. If one message fails, the others are not affected.
 */
#include <net/if.h>

#include "udp_pair.h"

static void one_port_in_both_families(void **state)
{
	uint16_t port = 0;
	struct transport *other = path;
	union udp_address a = { 0 };
	socklen_t len;

	(void)state;
	assert_int_equal(udp_new(&other, &port, 0, &why), 0);
	assert_int_not_equal(port, 0);
	for (int i = 0; i < UDP_FAMILIES; i++) {
		len = sizeof(a);
		assert_int_equal(getsockname(udp_self(other)->fds[i], &a.sa, &len), 0);
		assert_int_equal(a.sa.sa_family, i == UDP_V4 ? AF_INET : AF_INET6);
		assert_int_equal(ntohs(i == UDP_V4 ? a.v4.sin_port : a.v6.sin6_port), port);
	}
	other->ops->deinit(other);
}

static void port_in_use(void **state)
{
	static const char *const addresses[] = { "10.9.0.1", "fd09::1" };
	struct transport *other = (void *)77;
	unsigned before;

	(void)state;
	for (int i = 0; i < 2; i++) {
		union netpair_address a;
		socklen_t len = netpair_address(&a, addresses[i], PORT + 1);
		int fd = socket(a.sa.sa_family, SOCK_DGRAM, 0);
		uint16_t port = PORT + 1;

		assert_int_equal(bind(fd, &a.sa, len), 0);
		before = netpair_open_descriptors();
		assert_int_equal(udp_new(&other, &port, 0, &why), -EADDRINUSE);
		assert_non_null(strstr(why.text, "51821"));
		assert_ptr_equal(other, (void *)77);
		assert_int_equal(port, PORT + 1);
		assert_int_equal(netpair_open_descriptors(), before);
		close(fd);
	}
}

/* The socket in the other namespace is connected, so it receives only from the address to which it
 * sent. */
static void answers_leave_from_the_address_used(void **state)
{
	static const struct {
		const char *far, *near;
	} table[] = {
		{ "10.9.0.2", "10.9.0.1" },
		{ "10.9.0.2", "10.9.0.11" }, /* not the source that the route would choose */
		{ "fd09::2", "fd09::1" },
	};
	char got[16];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int fd = netpair_far_socket(table[i].far, FAR_PORT, table[i].near, PORT);
		union netpair_address far, near;
		struct endpoint e;

		assert_int_equal(send(fd, "hello", 5, 0), 5);
		assert_int_equal(receive(1), 1);
		netpair_address(&far, table[i].far, FAR_PORT);
		netpair_address(&near, table[i].near, PORT);
		e = frame_endpoint(&rx[0]);
		assert_memory_equal(&e.remote, &far, endpoint_len(&e));
		assert_memory_equal(&e.local,
				    far.sa.sa_family == AF_INET ? (void *)&near.v4.sin_addr
								: (void *)&near.v6.sin6_addr,
				    far.sa.sa_family == AF_INET ? 4 : 16);
		assert_int_equal(rx[0].ifindex, if_nametoindex("near0"));
		assert_int_equal(rx[0].len, 5);
		assert_memory_equal(rx[0].payload, "hello", 5);
		assert_null(rx[0].l3);
		assert_int_equal(alloc(tx, 1), 1);
		fill(0, e, 'x', 7);
		assert_int_equal(path->ops->send(path, tx, 1), 1);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 7);
		assert_memory_equal(got, "xxxxxxx", 7);
		path->ops->sweep(path);
		close(fd);
	}
}

static void link_local_has_its_scope(void **state)
{
	struct endpoint e = { 0 };
	char got[8];
	int fd;

	(void)state;
	netpair_run("ip addr replace fe80::1/64 dev near0 nodad");
	wait_for_local_route("fe80::1");
	netpair_enter(netpair_far);
	netpair_run("ip addr replace fe80::2/64 dev far0 nodad");
	wait_for_local_route("fe80::2");
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	e.remote.v6 = (struct sockaddr_in6){
		.sin6_family = AF_INET6,
		.sin6_port = htons(PORT),
		.sin6_scope_id = if_nametoindex("far0"),
	};
	netpair_enter(netpair_near);
	inet_pton(AF_INET6, "fe80::1", &e.remote.v6.sin6_addr);
	assert_int_equal(connect(fd, &e.remote.sa, sizeof(e.remote.v6)), 0);
	assert_int_equal(send(fd, "ll", 2, 0), 2);
	assert_int_equal(receive(1), 1);
	e = frame_endpoint(&rx[0]);
	assert_int_equal(e.remote.v6.sin6_scope_id, if_nametoindex("near0"));
	assert_int_equal(alloc(tx, 1), 1);
	fill(0, e, 'y', 3);
	assert_int_equal(path->ops->send(path, tx, 1), 1);
	assert_true(netpair_readable(fd, 2000));
	assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
	path->ops->sweep(path);
	close(fd);
}

static void broadcast_names_our_own_address(void **state)
{
	const int yes = 1;
	union netpair_address a;
	socklen_t len = netpair_address(&a, "10.9.0.255", PORT);
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);

	(void)state;
	setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes));
	assert_int_equal(sendto(fd, "b", 1, 0, &a.sa, len), 1);
	assert_int_equal(receive(1), 1);
	netpair_address(&a, "10.9.0.1", 0);
	assert_memory_equal(rx[0].destination, &a.v4.sin_addr, 4);
	path->ops->sweep(path);
	close(fd);
}

static void larger_than_a_slot_is_dropped_alone(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	static uint8_t big[65507];

	(void)state;
	room = 2048; /* let the path use only 2048 of the 65536 bytes of each receive buffer */
	memset(big, WIRE_DATA, sizeof(big));
	assert_int_equal(send(fd, big, 2048, 0), 2048);
	assert_int_equal(send(fd, big, 2049, 0), 2049);
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(send(fd, "small", 5, 0), 5);
	usleep(100000);
	assert_int_equal(receive(2), 2);
	assert_int_equal(rx[0].len, 2048);
	assert_int_equal(rx[1].len, 5);
	assert_memory_equal(rx[1].payload, "small", 5);
	assert_int_equal(path->stats.rx_oversized, 2);
	assert_int_equal(path->stats.rx_packets, 1);
	path->ops->sweep(path);
	room = 65536;
	close(fd);
}

static void the_largest_datagram_passes_both_ways(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	static uint8_t big[65507], back[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7);
	assert_int_equal(send(fd, big, sizeof(big), 0), sizeof(big));
	assert_int_equal(receive(1), 1);
	assert_int_equal(rx[0].len, sizeof(big));
	assert_memory_equal(rx[0].payload, big, sizeof(big));
	assert_int_equal(alloc(tx, 1), 1);
	assert_true(tx[0].room >= sizeof(big));
	fill(0, frame_endpoint(&rx[0]), 0, sizeof(big));
	memcpy(tx[0].payload, big, sizeof(big));
	assert_int_equal(path->ops->send(path, tx, 1), 1);
	assert_int_equal(recv(fd, back, sizeof(back), 0), sizeof(big));
	assert_memory_equal(back, big, sizeof(big));
	path->ops->sweep(path);
	close(fd);
}

static void single_messages(void **state)
{
	static const char *const far[] = { "10.9.0.2", "fd09::2" };
	static const char *const gone[] = { "10.9.0.99", "fd09::99" };
	static const char *const ours[] = { "10.9.0.11", "fd09::1" };
	bool local_gone = false;
	struct endpoint e;
	char got[8];

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = netpair_far_socket(far[i], FAR_PORT, NULL, 0);

		local_gone = false;
		e = to(far[i], FAR_PORT, ours[i]);
		assert_int_equal(udp_send_one(path, &e, 0, "one", 3, &local_gone), 0);
		assert_false(local_gone);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 3);
		e = to(far[i], FAR_PORT, gone[i]);
		assert_int_equal(udp_send_one(path, &e, 0, "four", 4, &local_gone), 0);
		assert_true(local_gone);
		assert_int_equal(recv(fd, got, sizeof(got), 0), 4);
		close(fd);
	}
	local_gone = false;
	e = to("198.51.100.1", 9, "10.9.0.11"); /* the route is missing, not the source */
	assert_int_equal(udp_send_one(path, &e, 0, "x", 1, &local_gone), -ENETUNREACH);
	assert_false(local_gone);
	memset(&e, 0, sizeof(e));
	assert_int_equal(udp_send_one(path, &e, 0, "x", 1, &local_gone), -EDESTADDRREQ);
}

/* Returns the traffic class of the next datagram at @fd. */
static int class_at(int fd)
{
	char data[8], control[256];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	int tclass = -1;

	assert_true(recvmsg(fd, &m, 0) > 0);
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			tclass = *CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			memcpy(&tclass, CMSG_DATA(c), sizeof(tclass));
	}
	return tclass;
}

static void classes_out_and_in(void **state)
{
	static const char *const far[] = { "10.9.0.2", "fd09::2" };
	static const char *const near[] = { "10.9.0.1", "fd09::1" };
	static const char *const gone[] = { "10.9.0.99", "fd09::99" };
	static const uint8_t classes[] = { 0, 2, 0x88, 0, 1, 0xff };
	static const int on = 1;
	bool local_gone = false;

	(void)state;
	for (int v = 0; v < 2; v++) {
		int fd = netpair_far_socket(far[v], FAR_PORT, near[v], PORT);

		assert_int_equal(setsockopt(fd, v ? IPPROTO_IPV6 : IPPROTO_IP,
					    v ? IPV6_RECVTCLASS : IP_RECVTOS, &on, sizeof(on)),
				 0);
		/* sending, in one batch, with and without a source address */
		assert_int_equal(alloc(tx, sizeof(classes)), sizeof(classes));
		for (unsigned i = 0; i < sizeof(classes); i++) {
			fill(i, to(far[v], FAR_PORT, i % 2 ? near[v] : NULL), 'x', 1);
			tx[i].tclass = classes[i];
		}
		assert_int_equal(path->ops->send(path, tx, sizeof(classes)), sizeof(classes));
		for (unsigned i = 0; i < sizeof(classes); i++)
			assert_int_equal(class_at(fd), classes[i]);
		/* the source address is gone: the message is sent without it, in the same class */
		assert_int_equal(alloc(tx, 1), 1);
		fill(0, to(far[v], FAR_PORT, gone[v]), 'x', 1);
		tx[0].tclass = 2;
		assert_int_equal(path->ops->send(path, tx, 1), 1);
		assert_int_equal(class_at(fd), 2);
		encaps[0].endpoint = to(far[v], FAR_PORT, gone[v]);
		assert_int_equal(udp_send_one(path, &encaps[0].endpoint, 0x88, "x", 1, &local_gone),
				 0);
		assert_int_equal(class_at(fd), 0x88);
		/* receiving */
		for (unsigned i = 0; i < sizeof(classes); i++) {
			int tclass = classes[i];

			assert_int_equal(setsockopt(fd, v ? IPPROTO_IPV6 : IPPROTO_IP,
						    v ? IPV6_TCLASS : IP_TOS, &tclass,
						    sizeof(tclass)),
					 0);
			assert_int_equal(send(fd, "x", 1, 0), 1);
			assert_int_equal(receive(1), 1);
			assert_int_equal(rx[0].tclass, classes[i]);
			path->ops->sweep(path);
		}
		close(fd);
	}
}

/* The socket sets no TTL, so packets have the host's TTL unless the route has another. */
static void ttl_is_the_hosts(void **state)
{
	(void)state;
	netpair_run("sysctl -qw net.ipv4.ip_default_ttl=37");
	assert_int_equal(udp_default_ttl(path), 37);
	netpair_run("sysctl -qw net.ipv4.ip_default_ttl=64");
	assert_int_equal(udp_default_ttl(path), 64);
}

static void data_messages_are_counted(void **state)
{
	static const struct {
		uint8_t type;
		uint32_t len;
		unsigned counts;
	} table[] = { { 4, 33, 1 }, { 4, 48, 1 },  { 4, 32, 0 },
		      { 4, 1, 0 },  { 1, 148, 0 }, { 2, 92, 0 } };
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	uint8_t msg[148];
	uint64_t expected = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		memset(msg, table[i].type, sizeof(msg));
		assert_int_equal(send(fd, msg, table[i].len, 0), table[i].len);
		assert_int_equal(receive(1), 1);
		assert_int_equal(alloc(tx, 1), 1);
		fill(0, frame_endpoint(&rx[0]), table[i].type, table[i].len);
		assert_int_equal(path->ops->send(path, tx, 1), 1);
		path->ops->sweep(path);
		expected += table[i].counts;
		assert_int_equal(path->stats.rx_packets, expected);
		assert_int_equal(path->stats.tx_packets, expected);
	}
	close(fd);
}

static void fwmark_chooses_the_route(void **state)
{
	struct endpoint e = to("10.9.0.2", FAR_PORT, NULL);
	bool local_gone = false;

	(void)state;
	netpair_run("ip rule add fwmark 0x77 prohibit");
	assert_int_equal(udp_send_one(path, &e, 0, "x", 1, &local_gone), 0);
	assert_int_equal(udp_set_fwmark(path, 0x77), 0);
	assert_int_equal(udp_send_one(path, &e, 0, "x", 1, &local_gone), -EACCES);
	assert_int_equal(udp_set_fwmark(path, 0), 0);
	assert_int_equal(udp_send_one(path, &e, 0, "x", 1, &local_gone), 0);
	netpair_run("ip rule del fwmark 0x77 prohibit");
}

static void kernel_drops_are_told(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	const int small = 4096;
	uint8_t msg[1000] = { 0 };

	(void)state;
	setsockopt(udp_self(path)->fds[UDP_V4], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (int i = 0; i < 100; i++)
		assert_int_equal(send(fd, msg, sizeof(msg), 0), sizeof(msg));
	usleep(100000);
	assert_true(udp_socket_drops(path) > 50);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_path(one_port_in_both_families),
		with_path(port_in_use),
		with_path(answers_leave_from_the_address_used),
		with_path(link_local_has_its_scope),
		with_path(broadcast_names_our_own_address),
		with_path(larger_than_a_slot_is_dropped_alone),
		with_path(the_largest_datagram_passes_both_ways),
		with_path(single_messages),
		with_path(classes_out_and_in),
		with_path(ttl_is_the_hosts),
		with_path(data_messages_are_counted),
		with_path(fwmark_chooses_the_route),
		with_path(kernel_drops_are_told),
	};

	return netpair_main(tests, netpair_setup, netpair_teardown);
}
