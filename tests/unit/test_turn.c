/* SPDX-License-Identifier: MIT */
/*
 * test_turn.c - one turn of the send chain: how many packets it reads from the TUN device, into
 * which messages it splits them, and in how many batches it sends these. A socket pair is the TUN
 * device, and a fake transport opens each message again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "io/encap.h"
#include "io/tun.h"
#include "path/chain.h"
#include "path/offsets.h"
#include "segments.h"
#include "wg/allowedips.h"
#include "wg/device.h"
#include "wg/peer.h"

#define SENT_MAX 1024

static struct worker worker;
static struct peer peer;
static struct device device;
static struct allowedips_list allowed;
static struct tun tun;
static int host_fd; /* the host's end of the TUN device */
static const struct noise_keys keys = { .send = { 7 }, .recv = { 8 } };

/* The frames of one batch, and what was sent. @trickle: how many packets the host queues during
 * each send. */
static uint8_t frames_room[2 * FRAME_BATCH][2048];
static unsigned frames_used;
static struct {
	unsigned batches, messages, trickle;
	uint32_t len[SENT_MAX];
	uint8_t text[SENT_MAX][1500];
} sent;

static uint8_t packet[SEGMENT_MAX + 1], expected[SEGMENT_MAX + 1];

static void queue_packet(const struct virtio_net_hdr *vnet, size_t len)
{
	struct iovec iov[] = { { (void *)(uintptr_t)vnet, TUN_VNET_LEN }, { packet, len } };

	assert_int_equal(writev(host_fd, iov, 2), TUN_VNET_LEN + len);
}

static void queue_small(uint8_t number)
{
	const struct virtio_net_hdr none = { 0 };
	struct segment s = { .udp = true, .host = 2, .ttl = 64, .payload = 8 };

	s.fill = number;
	queue_packet(&none, segment_build(&s, packet));
}

static unsigned alloc_frames(struct transport *transport, struct tx_frame *frames, unsigned n,
			     uint32_t len)
{
	(void)transport;
	assert_in_range(len, 0, 1900);
	assert_in_range(frames_used + n, 0, 2 * FRAME_BATCH);
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct tx_frame){ .payload = frames_room[frames_used++] + 64,
					       .room = 1900 };
	return n;
}

static unsigned send_frames(struct transport *transport, struct tx_frame *frames, unsigned n)
{
	(void)transport;
	sent.batches++;
	frames_used = 0;
	for (unsigned i = 0; i < n; i++, sent.messages++) {
		const struct wire_data *msg = (const void *)frames[i].payload;
		struct aead_job job = {
			.key = keys.send,
			.counter = le64toh(msg->counter),
			.src = frames[i].payload + sizeof(*msg),
			.dst = sent.text[sent.messages],
			.len = (uint32_t)(frames[i].len - wire_data_len(0)),
		};

		assert_int_equal(job.counter, sent.messages);
		assert_int_equal(aead_open_batch(&job, 1), 1);
		sent.len[sent.messages] = job.len;
	}
	for (unsigned i = 0; i < sent.trickle; i++)
		queue_small(0);
	return n;
}

static void sweep(struct transport *transport)
{
	(void)transport;
}

static const struct transport_ops ops = {
	.name = "udp", .alloc = alloc_frames, .send = send_frames, .sweep = sweep
};
static struct transport path = { .ops = &ops, .fd = -1 };

static void free_at_once(void *ctx, void *object, void (*free_fn)(void *))
{
	(void)ctx;
	free_fn(object);
}

static void allow(const struct prefix *p)
{
	assert_int_equal(allowedips_insert(device.allowed, p, &peer, &allowed), 0);
}

static int setup(void **state)
{
	const struct endpoint e = { .remote.v4 = { .sin_family = AF_INET } };
	int fds[2], size = 1 << 21;
	static struct suspend suspend;
	struct timespec now;

	(void)state;
	memset(&sent, 0, sizeof(sent));
	memset(&worker, 0, sizeof(worker));
	memset(&peer, 0, sizeof(peer));
	memset(&allowed, 0, sizeof(allowed));
	frames_used = 0;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
	tun = (struct tun){ .fd = fds[0], .vnet_len = TUN_VNET_LEN };
	host_fd = fds[1];
	assert_int_equal(setsockopt(host_fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	device.allowed = allowedips_new(free_at_once, NULL);
	allow(&(struct prefix){ .family = AF_INET, .length = 8, .addr = { 10 } });
	allow(&(struct prefix){ .family = AF_INET6, .length = 8, .addr = { 0xfd } });
	worker.config = (struct worker_config){
		.tun = &tun, .device = &device, .handoff = handoff_new(), .suspend = &suspend
	};
	/* Set the real time, because egress compares now_ns with the clock before it sends. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	worker.now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	worker.mtu = 1420;
	worker.egress.buffer = malloc(EGRESS_BUFFER_LEN);
	assert_non_null(worker.egress.buffer);
	worker_set_udp(&worker, &path);
	stage_init(&peer.stage);
	peer.encap = encap_new(&e, 1500);
	peer.current = session_new(&peer, &keys, true, 1, 1, worker.now_ns);
	assert_non_null(peer.current);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stage_purge(&peer.stage);
	free((void *)(uintptr_t)peer.encap);
	session_free(peer.current);
	handoff_free(worker.config.handoff);
	free(worker.egress.buffer);
	allowedips_free(device.allowed);
	close(host_fd);
	close(tun.fd);
	return 0;
}

/* Queues @s as one large packet, which the worker is to cut into segments of @size bytes. */
static void queue_large(const struct segment *s, uint16_t size)
{
	struct virtio_net_hdr vnet;
	size_t len = segment_build(s, packet);

	segment_leave_checksum(s, packet, len, size, &vnet);
	queue_packet(&vnet, len);
}

/* Checks that message @first + i holds segment i of @s, and is padded with zeros. */
static void expect_segments(const struct segment *s, uint16_t size, unsigned first)
{
	unsigned count = (s->payload + size - 1u) / size;

	for (unsigned i = 0; i < count; i++) {
		struct segment cut = segment_cut(s, size, i);
		size_t len = segment_build(&cut, expected);

		assert_in_range(sent.len[first + i], len, len + WIRE_PADDING - 1);
		memset(expected + len, 0, WIRE_PADDING);
		assert_memory_equal(sent.text[first + i], expected, sent.len[first + i]);
	}
}

/* 1. Each segment of a large packet arrives as the host would have sent it itself. The headers have
 * 28 to 100 bytes, and the last segment may be shorter than a block of the cipher. */
static void test_split(void **state)
{
	static const struct segment kinds[] = {
		{ .host = 2, .ttl = 64, .id = 5, .seq = 9, .flags = 0x18 },
		{ .host = 2, .ttl = 64, .id = 5, .seq = 9, .flags = 0x18, .options = 12 },
		{ .host = 2, .ttl = 64, .seq = 9, .flags = 0x10, .options = 40 },
		{ .host = 2, .ttl = 64, .udp = true },
		{ .host = 2, .ttl = 64, .v6 = true, .seq = 9, .flags = 0x10, .options = 12 },
		{ .host = 2, .ttl = 64, .v6 = true, .seq = 9, .flags = 0x10, .options = 40 },
		{ .host = 2, .ttl = 64, .v6 = true, .udp = true },
	};
	static const uint16_t sizes[] = { 1, 11, 24, 36, 64, 100, 1300 };

	(void)state;
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			struct segment s = kinds[k];
			unsigned first = sent.messages;

			s.payload = (uint16_t)(9 * sizes[i] + (sizes[i] + 1) / 2);
			queue_large(&s, sizes[i]);
			assert_int_equal(egress_run(&worker), 1);
			assert_int_equal(sent.messages, first + 10);
			expect_segments(&s, sizes[i], first);
		}
	}
}

/* 2. Small packets fill a batch. A turn ends after 256 messages. */
static void test_small(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FRAME_BATCH + 100; i++)
		queue_small((uint8_t)i);
	assert_int_equal(egress_run(&worker), FRAME_BATCH);
	assert_int_equal(sent.batches, 1);
	assert_int_equal(egress_run(&worker), 100);
	assert_int_equal(egress_run(&worker), 0);
	assert_int_equal(sent.batches, 2);
	assert_int_equal(sent.messages, FRAME_BATCH + 100);
	for (unsigned i = 0; i < sent.messages; i++)
		assert_int_equal(sent.text[i][IP4_LEN + UDP_LEN], (uint8_t)i);
}

/* 3. Three packets of 64 KiB fill the buffer. They are sent before the next ones are read, and the
 * turn ends after 256 messages or more. */
static void test_large(void **state)
{
	const struct segment s = { .host = 2, .ttl = 64, .flags = 0x10, .payload = 64296 };
	const unsigned each = 47;

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		queue_large(&s, 1368);
	assert_int_equal(egress_run(&worker), 6);
	assert_int_equal(sent.batches, 2);
	assert_int_equal(sent.messages, 6 * each);
	assert_int_equal(egress_run(&worker), 1);
	assert_int_equal(sent.messages, 7 * each);
	for (unsigned i = 0; i < 7; i++)
		expect_segments(&s, 1368, i * each);
}

/* 4. A host that queues two packets during each send does not keep the worker in this turn. */
static void test_trickle(void **state)
{
	(void)state;
	sent.trickle = 2;
	queue_small(0);
	queue_small(0);
	assert_int_equal(egress_run(&worker), 6);
	assert_int_equal(sent.batches, 3);
}

/* 5. After a single message the worker does not read again in this turn. */
static void test_single(void **state)
{
	(void)state;
	sent.trickle = 1;
	queue_small(0);
	assert_int_equal(egress_run(&worker), 1);
	assert_int_equal(sent.batches, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_split, setup, teardown),
		cmocka_unit_test_setup_teardown(test_small, setup, teardown),
		cmocka_unit_test_setup_teardown(test_large, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trickle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_single, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
