/* SPDX-License-Identifier: MIT */
/*
 * test_ingress_state.c - tests a NIC's XDP and TC programs where the outcome depends on more than
 * the frame: on the key of mac1, the worker's heartbeat, GRO, and the rate limit of samples.
 */
#include "ingress_bench.h"
#include "wgxdp/blake2s.h"

/* --- mac1 ------------------------------------------------------------------------------------ */

static const uint8_t mac1_key[32] = { 1, 2, 3, 0xfe, [31] = 0x80 };

static void put_key(bool has)
{
	struct mac_keys_value v = { .has_mac1 = has };
	uint32_t zero = 0;

	blake2s_midstate(v.mac1, WIRE_MAC_LEN, mac1_key, sizeof(mac1_key));
	put(skel->maps.mac_keys, &zero, sizeof(zero), &v, sizeof(v));
}

/* Returns the offset of mac1, as [W] 5.4.2 and 5.4.3 define it. mac1 covers all bytes before it. */
static uint32_t mac1_at(uint8_t type)
{
	return type == WIRE_INITIATION ? 116 : 60;
}

/* Writes a valid mac1. */
static void write_mac1(struct frame *f, uint8_t type)
{
	uint8_t *msg = f->data + f->at[MSG];
	struct blake2s s;

	blake2s_init_key(&s, WIRE_MAC_LEN, mac1_key, sizeof(mac1_key));
	blake2s_update(&s, msg, mac1_at(type));
	blake2s_final(&s, msg + mac1_at(type));
}

static const struct frame_spec handshakes[] = {
	{ ANY(4, WIRE_INITIATION, 0) },
	{ ANY(6, WIRE_INITIATION, 0) },
	{ ANY(4, WIRE_INITIATION, 0), .options = 4 },
	{ ANY(6, WIRE_INITIATION, 0), EXT(1, HBH) },
	{ ANY(4, WIRE_RESPONSE, PENDING) },
	{ ANY(6, WIRE_RESPONSE, SESSION) },
};
#define HANDSHAKES (sizeof(handshakes) / sizeof(handshakes[0]))

static void test_mac1_valid(void **state)
{
	struct frame f;

	(void)state;
	skip_if_denied();
	put_key(true);
	for (unsigned i = 0; i < HANDSHAKES; i++) {
		frame_build(&f, &handshakes[i]);
		expect(f.data, f.len, REFUSED, REASON_bad_mac1, 0, false);
		write_mac1(&f, handshakes[i].type);
		expect(f.data, f.len, STACK, 0, 0, false);
	}
	put_key(false);
}

/* A message with a flipped bit in mac1, or in a byte that mac1 covers, is refused. mac2 is not
 * checked. */
static void test_mac1_wrong(void **state)
{
	struct frame f;

	(void)state;
	skip_if_denied();
	put_key(true);
	for (unsigned i = 0; i < HANDSHAKES; i++) {
		const uint8_t type = handshakes[i].type;
		uint8_t *msg = f.data;

		frame_build(&f, &handshakes[i]);
		write_mac1(&f, type);
		msg += f.at[MSG];
		/* Skip the type, the reserved bytes and, in a response, the receiver index: if one
		 * of them is changed, the message is refused for another reason than bad_mac1. */
		for (uint32_t at = 4; at < f.payload_len; at++) {
			if (type == WIRE_RESPONSE && at >= 8 && at < 12)
				continue;
			msg[at] ^= 1 << at % 8;
			expect(f.data, f.len, at < mac1_at(type) + 16 ? REFUSED : STACK,
			       REASON_bad_mac1, 0, false);
			msg[at] ^= 1 << at % 8;
		}
		msg[mac1_at(type)] ^= 1;
		set_forwarding(true, true);
		expect(f.data, f.len, REFUSED, REASON_bad_mac1, 0, true);
		set_forwarding(false, false);
	}
	put_key(false);
}

/* The receiver index is checked before mac1. Types 3 and 4 have no mac1. Without a mac1 key, mac1
 * is not checked. */
static void test_mac1_order(void **state)
{
	static const struct {
		struct frame_spec frame;
		bool key;
		enum outcome outcome;
		enum reason reason;
	} cases[] = {
		{ { ANY(4, WIRE_RESPONSE, UNKNOWN) }, true, REFUSED, REASON_unknown_index },
		{ { ANY(4, WIRE_COOKIE, PENDING) }, true, STACK, 0 },
		{ { DATA(4) }, true, STEERED, 0 },
		{ { ANY(4, WIRE_INITIATION, 0) }, false, STACK, 0 },
		{ { ANY(6, WIRE_RESPONSE, PENDING) }, false, STACK, 0 },
	};
	struct frame f;

	(void)state;
	skip_if_denied();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_key(cases[i].key);
		frame_build(&f, &cases[i].frame);
		expect(f.data, f.len, cases[i].outcome, cases[i].reason, f.payload_len, false);
	}
	put_key(false);
}

/* --- heartbeat ------------------------------------------------------------------------------- */

/* If the worker's heartbeat is stale, or the worker never started, XDP passes the data to the stack
 * instead of to the worker. */
static void test_heartbeat(void **state)
{
	static const struct {
		int64_t ago_ms;
		bool fresh;
	} cases[] = {
		{ 0, true }, { 1000, true }, { 2000, true }, { 3000, false }, { 3600000, false },
	};
	const struct frame_spec data = { DATA(4) }, bad = { ANY(6, 9, SESSION) };
	const uint64_t never = 0;
	uint32_t worker = 0;
	struct frame f, malformed;
	struct counters want, got;

	(void)state;
	skip_if_denied();
	frame_build(&f, &data);
	frame_build(&malformed, &bad);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_heartbeat(cases[i].ago_ms * (int64_t)NS_PER_MS);
		read_counters(&want);
		assert_int_equal(run_on(f.data, f.len, LO, 0),
				 cases[i].fresh ? XDP_REDIRECT : XDP_PASS);
		want.peer.rx_packets++;
		want.peer.rx_bytes += f.payload_len;
		want.passes[REASON_stalled].packets += !cases[i].fresh;
		want.passes[REASON_stalled].bytes += cases[i].fresh ? 0 : f.len;
		read_counters(&got);
		assert_memory_equal(&got, &want, sizeof(want));
		/* A stale heartbeat can mean that the daemon has died. Its XDP link dies with it,
		 * but a TC filter may stay, so TC must drop nothing. */
		assert_int_equal(run_on(malformed.data, malformed.len, LO, 0), XDP_DROP);
		assert_int_equal(run_nic(malformed.data, malformed.len, NULL),
				 cases[i].fresh ? TC_ACT_SHOT : (uint32_t)TC_ACT_UNSPEC);
	}
	put(skel->maps.heartbeat, &worker, sizeof(worker), &never, sizeof(never));
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_PASS);
	assert_int_equal(run_nic(malformed.data, malformed.len, NULL), (uint32_t)TC_ACT_UNSPEC);
	put_heartbeat(-HEARTBEAT_FOR_NS);
}

/* Only the heartbeat of the worker that serves the queue matters. */
static void test_heartbeat_of_the_queue(void **state)
{
	const struct frame_spec s = { DATA(4) };
	struct nic_value nic = { .number = NIC_NUMBER, .workers = { [0] = 63 } };
	const uint64_t forever = INT64_MAX / 2, never = 0;
	uint32_t lo = LO, worker = 63;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	memcpy(nic.mac, frame_nic_mac, 6);
	put(skel->maps.nics, &lo, sizeof(lo), &nic, sizeof(nic));
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_PASS);
	put(skel->maps.heartbeat, &worker, sizeof(worker), &forever, sizeof(forever));
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_REDIRECT);
	put(skel->maps.heartbeat, &worker, sizeof(worker), &never, sizeof(never));
	put_nic(LO, NIC_NUMBER);
}

/* If the XDP program runs in libxdp's dispatcher, the program may outlive its daemon. With a stale
 * heartbeat it must drop nothing. */
static void test_heartbeat_in_a_dispatcher(void **state)
{
	const struct frame_spec bad = { ANY(6, 9, SESSION) };
	struct ingress_bpf *const alone = skel;
	struct bpf_map *map;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &bad);
	skel = ingress_bpf__open();
	assert_non_null(skel);
	skel->rodata->chained = true;
	bpf_object__for_each_map (map, skel->obj)
		if (map != skel->maps.rodata)
			assert_int_equal(bpf_map__reuse_fd(map,
							   bpf_object__find_map_fd_by_name(
								   alone->obj, bpf_map__name(map))),
					 0);
	assert_int_equal(ingress_bpf__load(skel), 0);
	put_heartbeat(0);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_DROP);
	put_heartbeat(3600 * (int64_t)NS_PER_S);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_PASS);
	put_heartbeat(-HEARTBEAT_FOR_NS);
	ingress_bpf__destroy(skel);
	skel = alone;
}

/* --- after GRO ------------------------------------------------------------------------------- */

/* An skb of ten messages passes even if its first message is bad. If that message is good, the skb
 * counts as ten packets. */
static void test_aggregated(void **state)
{
	const struct __sk_buff gso = { .gso_size = 128, .gso_segs = 10 };
	const struct frame_spec data = { DATA(4), .payload_len = 1280 };
	const struct frame_spec bad[] = { { ANY(4, 9, SESSION), .payload_len = 1280 },
					  { ANY(6, WIRE_DATA, UNKNOWN), .payload_len = 1280 } };
	struct counters before, after;
	struct frame f;

	(void)state;
	skip_if_denied();
	read_counters(&before);
	for (unsigned i = 0; i < 2; i++) {
		frame_build(&f, &bad[i]);
		assert_int_equal(run_nic(f.data, f.len, &gso), (uint32_t)TC_ACT_UNSPEC);
	}
	frame_build(&f, &data);
	assert_int_equal(run_nic(f.data, f.len, &gso), (uint32_t)TC_ACT_UNSPEC);
	read_counters(&after);
	before.peer.rx_packets += 10;
	before.peer.rx_bytes += 1280;
	assert_memory_equal(&before, &after, sizeof(before));
}

/* --- samples --------------------------------------------------------------------------------- */

struct seen {
	unsigned count[REASON_COUNT];
	struct event last[REASON_COUNT];
};

static int see(void *ctx, void *data, size_t len)
{
	const struct event *e = data;
	struct seen *seen = ctx;

	if (len >= sizeof(*e) && e->reason < REASON_COUNT) {
		seen->count[e->reason]++;
		seen->last[e->reason] = *e;
	}
	return 0;
}

/* Every packet of a flood is dropped. For each reason, at most EVENTS_PER_S samples are written in
 * each second of the clock. A flood spans at most three of these seconds, so up to three times
 * the limit may be written. */
static void test_samples(void **state)
{
	const struct frame_spec specs[] = { { ANY(4, 9, SESSION) },
					    { ANY(6, WIRE_DATA, UNKNOWN), EXT(1, DST) } };
	const enum reason reasons[] = { REASON_malformed, REASON_unknown_index };
	static struct seen seen;
	struct ring_buffer *ring;
	struct frame f;

	(void)state;
	skip_if_denied();
	ring = ring_buffer__new(bpf_map__fd(skel->maps.events), see, &seen, NULL);
	assert_non_null(ring);
	assert_true(ring_buffer__consume(ring) >= 0);
	sleep(1); /* so that no sample of an earlier test counts towards the limit */
	memset(&seen, 0, sizeof(seen));
	for (unsigned i = 0; i < 2; i++) {
		const struct event *e = &seen.last[reasons[i]];

		frame_build(&f, &specs[i]);
		for (unsigned n = 0; n < 500; n++)
			assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_DROP);
		assert_true(ring_buffer__consume(ring) > 0);
		assert_in_range(seen.count[reasons[i]], EVENTS_PER_S, 3 * EVENTS_PER_S);
		assert_int_equal(e->hook, EVENT_XDP);
		assert_int_equal(e->ifindex, LO);
		assert_int_equal(e->bytes, f.len);
		assert_int_equal(e->head_len, EVENT_HEAD_LEN);
		assert_memory_equal(e->head, f.data + f.at[L3], EVENT_HEAD_LEN);
	}
	ring_buffer__free(ring);
}

/* Both programs write a sample even for a packet that is shorter than EVENT_HEAD_LEN. The sample of
 * the TC program may have no head. */
static void test_short_sample(void **state)
{
	const struct frame_spec s = { DATA(4), .payload_len = 1 };
	static struct seen seen;
	const struct event *e = &seen.last[REASON_malformed];
	struct ring_buffer *ring;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	ring = ring_buffer__new(bpf_map__fd(skel->maps.events), see, &seen, NULL);
	assert_non_null(ring);
	sleep(1);
	assert_int_equal(run_nic(f.data, f.len, NULL), TC_ACT_SHOT);
	assert_true(ring_buffer__consume(ring) > 0);
	assert_int_equal(e->hook, EVENT_NIC);
	assert_int_equal(e->bytes, f.len);
	ring_buffer__free(ring);
	/* The XDP program copies exactly the packet's bytes. */
	memset(&seen, 0, sizeof(seen));
	ring = ring_buffer__new(bpf_map__fd(skel->maps.events), see, &seen, NULL);
	assert_non_null(ring);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_DROP);
	assert_int_equal(ring_buffer__consume(ring), 1);
	assert_int_equal(e->head_len, 20 + 8 + 1);
	assert_memory_equal(e->head, f.data + f.at[L3], e->head_len);
	for (unsigned i = e->head_len; i < EVENT_HEAD_LEN; i++)
		assert_int_equal(e->head[i], 0);
	ring_buffer__free(ring);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mac1_valid),
		cmocka_unit_test(test_mac1_wrong),
		cmocka_unit_test(test_mac1_order),
		cmocka_unit_test(test_heartbeat),
		cmocka_unit_test(test_heartbeat_of_the_queue),
		cmocka_unit_test(test_heartbeat_in_a_dispatcher),
		cmocka_unit_test(test_aggregated),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_short_sample),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ingress_state", tests, setup, teardown);
}
