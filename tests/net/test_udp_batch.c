/* SPDX-License-Identifier: MIT */
/*
 * test_udp_batch.c - the UDP path against plain sockets in another namespace: batches, and trains
 * (several datagrams that the kernel takes or gives as one). Every datagram arrives once, complete
 * and in order, and a failure affects only its own message.
 */
#include "udp_pair.h"

static void many_in_and_out(void **state)
{
	int fds[] = { netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT),
		      netpair_far_socket("fd09::2", FAR_PORT, "fd09::1", PORT) };
	uint32_t got, sum[2] = { 0, 0 };
	const unsigned rounds = 50;

	(void)state;
	for (unsigned round = 0; round < rounds; round++) {
		unsigned n;

		for (uint32_t i = 0; i < UDP_RX_SLOTS; i++)
			assert_int_equal(send(fds[i % 2], &i, sizeof(i), 0), sizeof(i));
		assert_int_equal(receive(UDP_RX_SLOTS), UDP_RX_SLOTS);
		n = alloc(tx, UDP_RX_SLOTS);
		assert_int_equal(n, UDP_RX_SLOTS);
		for (unsigned i = 0; i < n; i++) {
			fill(i, frame_endpoint(&rx[i]), 0, 4);
			memcpy(tx[i].payload, rx[i].payload, 4);
		}
		assert_int_equal(path->ops->send(path, tx, n), n);
		path->ops->sweep(path);
		for (uint32_t i = 0; i < UDP_RX_SLOTS; i++) {
			assert_int_equal(recv(fds[i % 2], &got, sizeof(got), 0), sizeof(got));
			assert_int_equal(got, i); /* in order, each datagram once */
			sum[i % 2]++;
		}
	}
	assert_int_equal(sum[0] + sum[1], rounds * UDP_RX_SLOTS);
	assert_int_equal(udp_self(path)->tx_count, 0);
	assert_int_equal(udp_socket_drops(path), 0);
	close(fds[0]);
	close(fds[1]);
}

static void nothing_new_before_sweep(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);

	(void)state;
	for (unsigned i = 0; i < UDP_RX_SLOTS + 1; i++)
		assert_int_equal(send(fd, "aaaa", 4, 0), 4);
	assert_int_equal(receive(UDP_RX_SLOTS), UDP_RX_SLOTS);
	assert_int_equal(path->ops->recv(path, rx, UDP_RX_SLOTS), 0); /* all buffers are in use */
	path->ops->sweep(path);
	assert_int_equal(path->ops->recv(path, rx, UDP_RX_SLOTS), 1);
	path->ops->sweep(path);
	close(fd);
}

/* Reads @calls batches and returns the number of datagrams that came by IPv6. */
static unsigned received_v6(unsigned calls)
{
	unsigned v6 = 0;

	for (unsigned call = 0; call < calls; call++) {
		unsigned n = path->ops->recv(path, rx, FRAME_BATCH);

		for (unsigned i = 0; i < n; i++)
			v6 += rx[i].family == AF_INET6;
		path->ops->sweep(path);
	}
	return v6;
}

/* Floods IPv4 with single datagrams, or with UDP_SEGMENT messages that fill several batches. In
 * both cases, 4 * UDP_QUIET_EVERY calls of recv() must receive all datagrams of IPv6. */
static void a_flood_in_one_family_does_not_starve_the_other(void **state)
{
	enum { PHASES = 2 * UDP_QUIET_EVERY, V6 = 20, TRAIN = 64, LENGTH = 100 };
	static const uint8_t data[TRAIN * LENGTH];
	const int segment = LENGTH;
	int v4 = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT);
	int v6 = netpair_far_socket("fd09::2", FAR_PORT, "fd09::1", PORT);

	(void)state;
	for (unsigned phase = 0; phase < PHASES; phase++) {
		bool trains = phase % 2;
		unsigned left = trains ? 5 * FRAME_BATCH / TRAIN * UDP_QUIET_EVERY
				       : 5 * UDP_RX_SLOTS * UDP_QUIET_EVERY;

		udp_set_offloads(path, false, trains);
		setsockopt(v4, IPPROTO_UDP, UDP_SEGMENT, trains ? &segment : &(int){ 0 },
			   sizeof(segment));
		udp_self(path)->calls = phase;
		for (; left; left--)
			assert_true(send(v4, data, trains ? sizeof(data) : LENGTH, 0) > 0);
		received_v6(1); /* finds no IPv6, so IPv6 is read less often from now on */
		for (unsigned i = 0; i < V6; i++)
			assert_int_equal(send(v6, "six", 3, 0), 3);
		assert_int_equal(received_v6(4 * UDP_QUIET_EVERY), V6);
		while (path->ops->recv(path, rx, FRAME_BATCH))
			path->ops->sweep(path);
		path->ops->sweep(path);
	}
	udp_set_offloads(path, false, false);
	close(v4);
	close(v6);
}

static void one_refused_does_not_stop_the_rest(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);
	char got[8];

	(void)state;
	assert_int_equal(alloc(tx, 6), 6);
	for (unsigned i = 0; i < 6; i++)
		fill(i, to("10.9.0.2", FAR_PORT, NULL), 'a' + (int)i, 1);
	fill(0, to("198.51.100.1", FAR_PORT, NULL), 'a', 1);	/* no route */
	fill(2, to("10.9.0.2", FAR_PORT, "10.9.0.99"), 'c', 1); /* the source is not ours */
	fill(3, to("198.51.100.1", 9, "10.9.0.99"), 'd', 1);	/* no route, and not our source */
	tx[4].len = 0; /* the caller decided not to send it */
	assert_int_equal(path->ops->send(path, tx, 6), 3);
	assert_int_equal(path->stats.tx_refused, 2);
	for (const char *expected = "bcf"; *expected; expected++) {
		assert_int_equal(recv(fd, got, sizeof(got), 0), 1);
		assert_int_equal(got[0], *expected);
	}
	assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	assert_int_equal(udp_self(path)->tx_count, 0);
	close(fd);
}

static void frames_run_out_and_come_back(void **state)
{
	static struct tx_frame all[FRAME_BATCH + 1];

	(void)state;
	assert_int_equal(alloc(all, FRAME_BATCH + 1), FRAME_BATCH);
	assert_int_equal(alloc(tx, 1), 0);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		memset(all[i].payload, (int)i, all[i].room);
		all[i].len = 0;
	}
	assert_int_equal(path->ops->send(path, all, FRAME_BATCH), 0);
	assert_int_equal(alloc(all, FRAME_BATCH + 1), FRAME_BATCH);
	assert_int_equal(path->ops->send(path, all, FRAME_BATCH), 0);
	assert_int_equal(path->stats.tx_refused, 0);
}

/* Fills frame @i with @len bytes that identify the frame. */
static void fill_numbered(unsigned i, const struct encap *e, uint32_t len)
{
	assert_int_equal(path->ops->alloc(path, &tx[i], 1, len), 1);
	tx[i].encap = e;
	tx[i].len = len;
	memset(tx[i].payload, (int)i, len);
}

static void expect_numbered(int fd, unsigned i, uint32_t len)
{
	uint8_t got[3000];

	assert_true(netpair_readable(fd, 2000));
	assert_int_equal(recv(fd, got, sizeof(got), 0), len);
	for (uint32_t k = 0; k < len; k++)
		assert_int_equal(got[k], (uint8_t)i);
}

/* Messages of equal length to one destination are sent as one UDP_SEGMENT message, even if messages
 * to the other destination come between them. Each message arrives once and complete, and each
 * destination receives its messages in order. */
static void trains_to_two_destinations(void **state)
{
	int fds[] = { netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0),
		      netpair_far_socket("fd09::2", FAR_PORT, NULL, 0) };
	const uint32_t lengths[] = { 1000, 1000, 1000, 700, 1000, 1001, 1 };

	(void)state;
	udp_set_offloads(path, true, true);
	assert_true(udp_self(path)->gso);
	encaps[0] = (struct encap){ .endpoint = to("10.9.0.2", FAR_PORT, NULL), .mtu = 1500 };
	encaps[1] = (struct encap){ .endpoint = to("fd09::2", FAR_PORT, NULL), .mtu = 1500 };
	for (unsigned i = 0; i < 210; i++)
		fill_numbered(i, &encaps[i / 3 % 2], lengths[i / 30 % 7]);
	assert_int_equal(path->ops->send(path, tx, 210), 210);
	for (unsigned i = 0; i < 210; i++) {
		assert_int_equal(tx[i].gso_error, 0);
		expect_numbered(fds[i / 3 % 2], i, lengths[i / 30 % 7]);
	}
	assert_int_equal(path->stats.tx_refused, 0);
	close(fds[0]);
	close(fds[1]);
}

/* With UDP_SEGMENT, the kernel refuses messages that do not fit the link's MTU. Each message is
 * then sent alone, and the kernel fragments it. */
static void a_refused_train_goes_singly(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);

	(void)state;
	udp_set_offloads(path, true, true);
	encaps[0] = (struct encap){ .endpoint = to("10.9.0.2", FAR_PORT, NULL) };
	for (unsigned i = 0; i < 4; i++)
		fill_numbered(i, &encaps[0], 2000);
	assert_int_equal(path->ops->send(path, tx, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_true(tx[i].gso_error == EINVAL || tx[i].gso_error == EMSGSIZE);
		expect_numbered(fd, i, 2000);
	}
	for (unsigned i = 0; i < 4; i++) {
		fill_numbered(i, &encaps[0], 2000);
		tx[i].no_gso = true;
	}
	assert_int_equal(path->ops->send(path, tx, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(tx[i].gso_error, 0);
		expect_numbered(fd, i, 2000);
	}
	close(fd);
}

/* The error for a removed source address must not be mistaken for a refusal of segmentation. */
static void a_train_from_an_address_that_is_gone(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, NULL, 0);

	(void)state;
	udp_set_offloads(path, true, true);
	encaps[0] = (struct encap){ .endpoint = to("10.9.0.2", FAR_PORT, "10.9.0.99") };
	for (unsigned i = 0; i < 4; i++)
		fill_numbered(i, &encaps[0], 100);
	assert_int_equal(path->ops->send(path, tx, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(tx[i].gso_error, 0);
		expect_numbered(fd, i, 100);
	}
	close(fd);
}

/* Datagrams that the kernel joined (UDP_GRO) arrive in one buffer and are split again. Datagrams
 * for which the caller has no room are returned by the next call. */
static void a_received_train_is_cut(void **state)
{
	int fd = netpair_far_socket("10.9.0.2", FAR_PORT, "10.9.0.1", PORT), size = 1000;
	static uint8_t train[40 * 1000 + 300];
	unsigned n = 0;

	(void)state;
	udp_set_offloads(path, true, true);
	assert_true(udp_self(path)->gro);
	for (unsigned i = 0; i < sizeof(train); i++)
		train[i] = (uint8_t)(i / 1000);
	assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
	assert_int_equal(send(fd, train, sizeof(train), 0), sizeof(train));
	assert_true(netpair_readable(path->fd, 2000));
	while (n < 41) {
		unsigned got = path->ops->recv(path, rx, 7);

		assert_true(got > 0);
		for (unsigned i = 0; i < got; i++, n++) {
			assert_int_equal(rx[i].len, n < 40 ? 1000 : 300);
			assert_int_equal(rx[i].payload[0], n);
			assert_int_equal(rx[i].payload[rx[i].len - 1], n);
			assert_int_equal(rx[i].source_port, htons(FAR_PORT));
			rx[i].payload[0] = rx[i].payload[rx[i].len - 1] = 0xff;
		}
		path->ops->sweep(path);
	}
	assert_int_equal(path->ops->recv(path, rx, FRAME_BATCH), 0);
	assert_int_equal(path->stats.rx_oversized, 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_path(many_in_and_out),
		with_path(nothing_new_before_sweep),
		with_path(a_flood_in_one_family_does_not_starve_the_other),
		with_path(one_refused_does_not_stop_the_rest),
		with_path(frames_run_out_and_come_back),
		with_path(trains_to_two_destinations),
		with_path(a_refused_train_goes_singly),
		with_path(a_train_from_an_address_that_is_gone),
		with_path(a_received_train_is_cut),
	};

	return netpair_main(tests, netpair_setup, netpair_teardown);
}
