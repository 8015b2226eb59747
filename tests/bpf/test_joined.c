/* SPDX-License-Identifier: MIT */
/*
 * test_joined.c - what XDP does with trains of datagrams. A train is one large UDP packet that the
 * kernel splits into datagrams later. In generic mode XDP gets a train as one frame and passes the
 * train to the stack, whatever its size. In native mode the kernel splits a train before XDP sees
 * it. A single datagram goes to the AF_XDP socket, or is dropped and counted if it is invalid.
 *
 *   lt1 ── frame or train ──▶ lt0: XDP ──▶ AF_XDP socket
 *                                └───────▶ the stack ──▶ UDP socket
 */
#include <poll.h>

#include "frames.h"
#include "io/vnet.h"
#include "sandbox.h"
#include "socket_on_lt0.h"

#define INDEX 0x89abcdef
#define MESSAGE 64U /* bytes of each datagram */
#define PATIENCE_MS 5000

struct row {
	const char *name;
	bool native;
	int family;
	uint8_t type;
	uint32_t index;
	unsigned cars;		 /* datagrams in the frame */
	unsigned by_xdp, by_udp; /* datagrams at the AF_XDP socket, at the UDP socket */
	unsigned offered;	 /* datagrams counted for the peer (peer_stats) */
	unsigned dropped;	 /* datagrams dropped and counted (drops) */
};

static const struct row rows[] = {
	{ "one", false, 4, WIRE_DATA, INDEX, 1, 1, 0, 1, 0 },
	{ "two, smaller than the MTU", false, 4, WIRE_DATA, INDEX, 2, 0, 2, 2, 0 },
	{ "30, larger than the MTU", false, 4, WIRE_DATA, INDEX, 30, 0, 30, 30, 0 },
	{ "two over IPv6", false, 6, WIRE_DATA, INDEX, 2, 0, 2, 2, 0 },
	{ "30 over IPv6", false, 6, WIRE_DATA, INDEX, 30, 0, 30, 30, 0 },
	{ "invalid: one", false, 4, WIRE_DATA, 1, 1, 0, 0, 0, 1 },
	{ "invalid: the first of two", false, 4, WIRE_DATA, 1, 2, 0, 2, 0, 0 },
	{ "malformed: the first of two", false, 6, 9, INDEX, 2, 0, 2, 0, 0 },
	{ "native: a train is split before XDP", true, 4, WIRE_DATA, INDEX, 30, 30, 0, 30, 0 },
};

static struct socket_on_lt0 xsk;
static int udp[2]; /* IPv4, IPv6 */

static int udp_socket(int family)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(FRAME_PORT) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(FRAME_PORT) };
	int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;

	assert_true(fd >= 0);
	memcpy(&to4.sin_addr, frame_to4, sizeof(frame_to4));
	memcpy(&to6.sin6_addr, frame_to6, sizeof(frame_to6));
	if (family == 6)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(family == 4 ? bind(fd, (const void *)&to4, sizeof(to4))
				     : bind(fd, (const void *)&to6, sizeof(to6)),
			 0);
	return fd;
}

static void listen_there(void)
{
	struct listen_key keys[2] = {
		{ .address = { [10] = 0xff, 0xff }, .port = htons(FRAME_PORT) },
		{ .port = htons(FRAME_PORT) },
	};

	memcpy(keys[0].address + 12, frame_to4, sizeof(frame_to4));
	memcpy(keys[1].address, frame_to6, sizeof(frame_to6));
	assert_int_equal(loader_set_listen(loader, keys, 2), 0);
}

/* Returns the sum of the pseudo header, from which the kernel computes each datagram's checksum. */
static uint16_t pseudo_sum(const struct frame *frame, int family)
{
	const uint8_t *p = frame->data + frame->at[L3] + (family == 4 ? 12 : 8);
	uint32_t sum = IPPROTO_UDP + 8 + frame->payload_len;

	for (int i = 0; i < (family == 4 ? 8 : 32); i += 2)
		sum += p[i] << 8 | p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Builds a frame with @r->cars messages one after the other, which differ in their last byte. */
static void build(struct frame *frame, const struct row *r)
{
	const struct frame_spec spec = { .family = r->family,
					 .type = r->type,
					 .receiver = r->index,
					 .payload_len = (int)(r->cars * MESSAGE) };
	uint8_t *first = frame->data;

	frame_build(frame, &spec);
	first += frame->at[MSG];
	for (unsigned i = 0; i < r->cars; i++) {
		memmove(first + i * MESSAGE, first, MESSAGE);
		first[(i + 1) * MESSAGE - 1] = i;
	}
	frame_put16(frame->data + frame->at[L4] + 6, pseudo_sum(frame, r->family));
}

/* Sends the frame. Returns false if the frame is to be segmented, but the kernel accepts no such
 * frame from a packet socket (before Linux 6.2). */
static bool send_row(const struct frame *frame, const struct row *r)
{
	const struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = r->cars > 1 ? VIRTIO_NET_HDR_GSO_UDP_L4 : VIRTIO_NET_HDR_GSO_NONE,
		.hdr_len = frame->at[MSG],
		.gso_size = r->cars > 1 ? MESSAGE : 0,
		.csum_start = frame->at[L4],
		.csum_offset = 6,
	};
	int err = send_train(frame, &header);

	if (err == -EINVAL && r->cars > 1)
		return false;
	assert_int_equal(err, 0);
	return true;
}

/* Checks that each datagram arrives complete and in order. */
static void expect_udp(int fd, const uint8_t *messages, unsigned count)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	uint8_t got[2 * MESSAGE];

	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_int_equal(recv(fd, got, sizeof(got), 0), MESSAGE);
		assert_memory_equal(got, messages + i * MESSAGE, MESSAGE);
	}
}

static void expect_xdp(const struct frame *frame, unsigned count)
{
	struct pollfd wait = { .fd = xsk_socket__fd(xsk.xsk), .events = POLLIN };
	const uint32_t header = frame->at[MSG];

	for (unsigned i = 0; i < count; i++) {
		const struct xdp_desc *desc;
		uint32_t at = 0;

		assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
		assert_int_equal(xsk_ring_cons__peek(&xsk.rx, 1, &at), 1);
		desc = xsk_ring_cons__rx_desc(&xsk.rx, at);
		assert_int_equal(desc->len, header + MESSAGE);
		assert_memory_equal(xsk.area + desc->addr + header,
				    frame->data + header + i * MESSAGE, MESSAGE);
		xsk_ring_cons__release(&xsk.rx, 1);
	}
}

static uint64_t dropped(void)
{
	struct drops_value sums[REASON_COUNT];
	uint64_t all = 0;

	assert_int_equal(loader_drops(loader, sums), 0);
	for (unsigned i = 0; i < REASON_COUNT; i++)
		all += sums[i].packets;
	return all;
}

static uint64_t offered(void)
{
	struct peer_stats_value sum = { 0 };

	assert_int_equal(read_peer_stats(0, &sum), 0);
	return sum.rx_packets;
}

/* Sends a single valid datagram and waits for it. When it has arrived, all frames that were sent
 * before it have been handled. */
static void finish(const struct row *r)
{
	const struct row last = { "last", r->native, 4, WIRE_DATA, INDEX, 1, 1, 0, 1, 0 };
	struct frame frame;

	build(&frame, &last);
	assert_true(send_row(&frame, &last));
	expect_xdp(&frame, 1);
}

static void check_row(const struct row *r)
{
	const uint64_t offered_before = offered(), dropped_before = dropped();
	const int fd = udp[r->family == 6];
	struct frame frame;
	char byte;

	build(&frame, r);
	if (!send_row(&frame, r)) {
		print_message("# left out, because this kernel takes no trains from packet "
			      "sockets; tests/net/generic.sh sends them from UDP sockets\n");
		return;
	}
	expect_udp(fd, frame.data + frame.at[MSG], r->by_udp);
	expect_xdp(&frame, r->by_xdp);
	finish(r);
	assert_int_equal(offered() - offered_before, r->offered + 1);
	assert_int_equal(dropped() - dropped_before, r->dropped);
	assert_int_equal(recv(fd, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_trains(bool native)
{
	const struct session_value session = { .slot = 0, .kind = SESSION_DATA };
	const struct peer_value peer = { .name = "a" };
	bool is_native;

	make_loader();
	if (loader_attach(loader, lt0, "lt0", native ? LOADER_MODE_NATIVE : LOADER_MODE_GENERIC,
			  &is_native, &f))
		fail_msg("%s", f.text);
	assert_int_equal(is_native, native);
	listen_there();
	assert_int_equal(loader_peer_set(loader, 0, &peer), 0);
	assert_int_equal(loader_session_set(loader, INDEX, &session), 0);
	loader_heartbeat(loader)[0] = INT64_MAX / 2; /* stays fresh */
	open_socket(&xsk);
	assert_int_equal(loader_set_socket(loader, lt0, 0, xsk_socket__fd(xsk.xsk)), 0);
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].native != native)
			continue;
		print_message("# %s\n", rows[i].name);
		check_row(&rows[i]);
	}
	close_socket(&xsk);
}

static void test_generic(void **state)
{
	(void)state;
	test_trains(false);
}

static void test_native(void **state)
{
	(void)state;
	test_trains(true);
}

static int setup_addresses(void **state)
{
	int err = setup(state);

	if (err || denied)
		return err;
	run("ip address add 192.0.2.1/24 dev lt0; ip address add 2001:db8::1/64 dev lt0 nodad");
	wait_for_local_route("2001:db8::1");
	run("ip route add 198.51.100.0/24 dev lt0; ip -6 route add 2001:db8:0:9::/64 dev lt0");
	udp[0] = udp_socket(4);
	udp[1] = udp_socket(6);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = { TEST(generic), TEST(native) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("joined", tests, setup_addresses, NULL);
}
