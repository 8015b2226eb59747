/* SPDX-License-Identifier: MIT */
/* test_egress.c - packets that waited for a session leave together, in order and only once; and how
 * peers share a slow NIC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <endian.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "io/encap.h"
#include "path/chain.h"
#include "wg/peer.h"

#define PEERS 5
#define TEXT_LEN 32
#define SENT_MAX 1024

/* A transport that keeps the messages that it is given. If queue.size is not 0, the transport also
 * simulates a queue of that size, from which a slow NIC takes queue.drain messages after each
 * batch. */
static uint8_t buffers[FRAME_BATCH][2048];
static struct {
	unsigned batches, messages;
	uint32_t index[SENT_MAX];
	uint8_t text[SENT_MAX][TEXT_LEN];
} sent;

static struct {
	unsigned size, used, drain;
} queue;

/* If not NULL, sending a batch confirms this session, as if another worker had decrypted its first
 * message meanwhile. */
static struct session *confirmed_by_batch;

static struct worker worker;
static struct peer peers[PEERS];
static const struct noise_keys keys = { .send = { 7 }, .recv = { 8 } };

static struct transport path;

static unsigned alloc_frames(struct transport *transport, struct tx_frame *frames, unsigned n,
			     uint32_t len)
{
	static unsigned next;

	(void)len;
	if (transport == &path) {
		if (queue.size && queue.used == queue.size)
			return 0;
		queue.used += n;
	}
	for (unsigned i = 0; i < n; i++)
		frames[i] = (struct tx_frame){ .payload = buffers[next++ % FRAME_BATCH] + 64,
					       .room = 1900 };
	return n;
}

static unsigned send_frames(struct transport *transport, struct tx_frame *frames, unsigned n)
{
	(void)transport;
	sent.batches++;
	if (confirmed_by_batch)
		confirmed_by_batch->confirmed = true;
	for (unsigned i = 0; i < n; i++) {
		const struct wire_data *msg = (const void *)frames[i].payload;
		struct aead_job job = {
			.key = keys.send,
			.counter = le64toh(msg->counter),
			.src = frames[i].payload + sizeof(*msg),
			.dst = sent.text[sent.messages],
			.len = TEXT_LEN,
		};

		assert_int_equal(frames[i].len, wire_data_len(TEXT_LEN));
		assert_int_equal(aead_open_batch(&job, 1), 1);
		sent.index[sent.messages++] = le32toh(msg->receiver_index);
	}
	return n;
}

static void sweep(struct transport *transport)
{
	transport->fullness = queue.size ? queue.used * 16 / queue.size : 0;
}

static const struct transport_ops ops = {
	.name = "udp", .alloc = alloc_frames, .send = send_frames, .sweep = sweep
};
static struct transport path = { .ops = &ops, .fd = -1 };

static struct session *session(struct peer *p, uint32_t index)
{
	struct session *s = session_new(p, &keys, true, index, index, worker.now_ns);

	assert_non_null(s);
	return s;
}

static void push(struct peer *p, uint8_t first, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		uint8_t text[TEXT_LEN] = { (uint8_t)(first + i) };

		assert_int_equal(stage_push(&p->stage, text, sizeof(text)), 0);
	}
}

static int setup(void **state)
{
	struct endpoint e = { .remote.v4 = { .sin_family = AF_INET } };
	static struct suspend suspend;
	struct timespec now;

	(void)state;
	memset(&sent, 0, sizeof(sent));
	memset(&queue, 0, sizeof(queue));
	path.fullness = 0;
	confirmed_by_batch = NULL;
	memset(&worker, 0, sizeof(worker));
	memset(peers, 0, sizeof(peers));
	worker.config.handoff = handoff_new();
	worker.config.suspend = &suspend;
	/* Set the real time, because egress compares now_ns with the clock before it sends. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	worker.now_ns = (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
	worker.mtu = 1420;
	worker_set_udp(&worker, &path);
	for (uint32_t i = 0; i < PEERS; i++) {
		stage_init(&peers[i].stage);
		peers[i].slot = i;
		peers[i].encap = encap_new(&e, 1500);
		peers[i].current = session(&peers[i], i);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PEERS; i++) {
		stage_purge(&peers[i].stage);
		free((void *)(uintptr_t)peers[i].encap);
		session_free(peers[i].current);
		session_free(peers[i].next);
	}
	handoff_free(worker.config.handoff);
	return 0;
}

/* 1. Packets that waited for several peers are sealed and sent as one batch, in order for each
 * peer. */
static void test_across_peers(void **state)
{
	struct peer *all[PEERS];
	unsigned at = 0;

	(void)state;
	for (unsigned i = 0; i < PEERS; i++) {
		all[i] = &peers[i];
		push(all[i], (uint8_t)(10 * i), i + 1);
	}
	egress_flush(&worker, all, PEERS);
	assert_int_equal(sent.batches, 1);
	assert_int_equal(sent.messages, 1 + 2 + 3 + 4 + 5);
	for (unsigned i = 0; i < PEERS; i++) {
		for (unsigned k = 0; k <= i; k++, at++) {
			assert_int_equal(sent.index[at], i);
			assert_int_equal(sent.text[at][0], 10 * i + k);
		}
	}
}

/* 2. If there are more packets than a batch holds, they leave in two batches, in the same order. */
static void test_more_than_a_batch(void **state)
{
	struct peer *three[] = { &peers[0], &peers[1], &peers[2] };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		push(three[i], (uint8_t)i, STAGED_PER_PEER);
	_Static_assert(3 * STAGED_PER_PEER > FRAME_BATCH && 3 * STAGED_PER_PEER < 2 * FRAME_BATCH,
		       "two batches");
	egress_flush(&worker, three, 3);
	assert_int_equal(sent.batches, 2);
	assert_int_equal(sent.messages, 3 * STAGED_PER_PEER);
	for (unsigned i = 0; i < 3 * STAGED_PER_PEER; i++) {
		assert_int_equal(sent.index[i], i / STAGED_PER_PEER);
		assert_int_equal(sent.text[i][0],
				 (uint8_t)(i / STAGED_PER_PEER + i % STAGED_PER_PEER));
	}
}

/* 3. The packets of a peer keep waiting while it has no usable session or no endpoint. The packets
 * of other peers are sent. */
static void test_not_ready(void **state)
{
	struct peer *three[] = { &peers[0], &peers[1], &peers[2] };

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		push(three[i], (uint8_t)i, 1);
	((struct session *)peers[0].current)->revoked = true;
	free((void *)(uintptr_t)peers[1].encap);
	peers[1].encap = NULL;
	egress_flush(&worker, three, 3);
	assert_int_equal(sent.messages, 1);
	assert_int_equal(sent.index[0], 2);
	assert_int_equal(peers[0].stage.count, 1);
	assert_int_equal(peers[1].stage.count, 1);
}

/* 4. If a session has fewer counters left than there are waiting packets, no more packets are sent
 * under it. The packets keep waiting and leave in order under the next session. */
static void test_no_counters_left(void **state)
{
	struct peer *p = &peers[0];
	struct session *s = p->current;

	(void)state;
	s->send_counter = REJECT_AFTER_MESSAGES - 2;
	push(p, 1, 3);
	egress_flush(&worker, &p, 1);
	assert_int_equal(sent.messages, 0);
	assert_int_equal(p->stage.count, 3);
	assert_false(session_may_send(s, worker.now_ns));

	session_free(s);
	p->current = session(p, 77);
	egress_flush(&worker, &p, 1);
	assert_int_equal(sent.messages, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(sent.text[i][0], 1 + i);
		assert_int_equal(sent.index[i], 77);
	}
	assert_int_equal(p->stage.count, 0);
}

/* 5. The session of peer 0 has too few counters left for its packets, so egress_flush() stages them
 * again and sends a batch of packets of other peers. Meanwhile the next session is confirmed. The
 * same call then sends the packets of peer 0 under that session. */
static void test_next_session(void **state)
{
	struct peer *all[PEERS];
	unsigned n = 0;

	(void)state;
	push(&peers[0], 1, 3);
	peers[0].current->send_counter = REJECT_AFTER_MESSAGES - 2;
	all[n++] = &peers[0];
	for (unsigned left = FRAME_BATCH - 3; left; n++) {
		unsigned k = left < STAGED_PER_PEER ? left : STAGED_PER_PEER;

		push(&peers[n], 1, k);
		all[n] = &peers[n];
		left -= k;
	}
	peers[0].next = session(&peers[0], 77);
	peers[0].next->confirmed = false;
	confirmed_by_batch = peers[0].next;
	egress_flush(&worker, all, n);
	assert_int_equal(sent.messages, FRAME_BATCH);
	assert_int_equal(peers[0].stage.count, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sent.index[FRAME_BATCH - 3 + i], 77);
}

/* 6. A turn of the worker's loop may send several batches, and the sessions of some were chosen
 * before a suspend. After the suspend, chain_time_passed() therefore returns true at every call in
 * this turn. */
static void test_held_up_twice(void **state)
{
	(void)state;
	worker.now_ns -= SUSPEND_GAP_NS;
	assert_true(chain_time_passed(&worker));
	assert_true(chain_time_passed(&worker));
}

/* Sends a batch of packets: counts[i] packets of peer i, one peer after the other. Adds to
 * @passed[i] how many of them the transport took. */
static void send_batch(const unsigned counts[static PEERS], unsigned passed[static PEERS])
{
	static uint8_t text[TEXT_LEN + WIRE_PADDING];
	struct out_packet *packets = worker.egress.packets;
	unsigned n = 0;

	for (unsigned i = 0; i < PEERS; i++)
		for (unsigned k = 0; k < counts[i]; k++)
			packets[n++] = (struct out_packet){
				.data = text,
				.gso = { .len = TEXT_LEN, .segments = 1 },
				.peer = &peers[i],
				.session = peers[i].current,
				.encap = peers[i].encap,
			};
	sent.messages = 0;
	seal_and_send(&worker, packets, n);
	for (unsigned i = 0; i < sent.messages; i++)
		passed[sent.index[i]]++;
	queue.used -= queue.drain < queue.used ? queue.drain : queue.used;
	sweep(&path);
}

/* 7. A burst of one peer does not push out the packets of another peer, although the NIC is slower
 * than the worker, and the burst comes first in each batch. */
static void test_burst_of_one_peer(void **state)
{
	const unsigned counts[PEERS] = { 200, 1 }, batches = 300;
	unsigned passed[PEERS] = { 0 };

	(void)state;
	queue.size = 4096;
	queue.drain = 16;
	for (unsigned i = 0; i < batches; i++)
		send_batch(counts, passed);
	assert_int_equal(passed[1], batches);
	assert_in_range(passed[0], queue.drain * batches, queue.drain * batches + queue.size);
	assert_int_equal(worker.drops[REASON_tx_full], (200 + 1) * batches - passed[0] - passed[1]);
}

/* 8. The NIC is too slow for all packets. Peers that send more than an even share of what the NIC
 * takes get equal shares, however much they send. A peer that sends less loses nothing. */
static void test_even_shares(void **state)
{
	const unsigned counts[PEERS] = { 120, 80, 40, 2, 0 }, batches = 2000;
	unsigned passed[PEERS] = { 0 }, even;

	(void)state;
	queue.size = 4096;
	queue.drain = 32;
	for (unsigned i = 0; i < batches; i++)
		send_batch(counts, passed);
	assert_int_equal(passed[3], 2 * batches);
	even = (passed[0] + passed[1] + passed[2]) / 3;
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(passed[i], even * 8 / 10, even * 12 / 10);
}

/* Lets the worker send to peer 2 through a second NIC, by AF_XDP. */
static void use_afxdp(void)
{
	static struct transport afxdp = { .ops = &ops, .fd = -1, .ifindex = 7, .mtu = 1500 };
	static struct lane lane;
	struct encap *encap = (struct encap *)(uintptr_t)peers[2].encap;

	encap->xsk_ok = true;
	encap->ifindex = afxdp.ifindex;
	lane = (struct lane){ .transport = &afxdp };
	worker.egress.lanes = &lane;
	worker.ports[0] = (struct port){ .transport = &afxdp, .tx = true };
	worker.port_count = 1;
}

/* 9. Peers 0 and 1 share a slow NIC. Peer 2 sends much more, through another NIC, which is fast.
 * Its packets do not count against the peers at the slow NIC, so peer 1 loses nothing. */
static void test_shares_of_each_queue(void **state)
{
	const unsigned counts[PEERS] = { 20, 1, 150 }, batches = 3000;
	unsigned passed[PEERS] = { 0 };

	(void)state;
	use_afxdp();
	peers[2].last_udp_ns = worker.now_ns;
	queue.size = 4096;
	queue.drain = 8;
	for (unsigned i = 0; i < batches; i++)
		send_batch(counts, passed);
	assert_int_equal(passed[1], batches);
	assert_int_equal(passed[2], 150 * batches);
}

/* 10. After this turn of the worker's loop began, the control thread sent the peer a message
 * through the UDP socket, so last_udp_ns is later than worker.now_ns. The worker's message leaves
 * by AF_XDP, because the conntrack entry has just been refreshed. */
static void test_refreshed_meanwhile(void **state)
{
	const unsigned counts[PEERS] = { 0, 0, 1 };
	unsigned passed[PEERS] = { 0 };

	(void)state;
	use_afxdp();
	peers[2].last_udp_ns = worker.now_ns + NS_PER_MS;
	send_batch(counts, passed);
	assert_int_equal(passed[2], 1);
	assert_int_equal(queue.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_across_peers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_more_than_a_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_ready, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_counters_left, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_session, setup, teardown),
		cmocka_unit_test_setup_teardown(test_held_up_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_burst_of_one_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_even_shares, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shares_of_each_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refreshed_meanwhile, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
