/* SPDX-License-Identifier: MIT */
/*
 * test_ingress.c - checks the outcome of frames of all kinds. The table is in ingress_rows.h. Each
 * row is one test of the XDP program and of the NIC's TC program.
 */
#include "ingress_bench.h"

static void test_row(void **state)
{
	const struct row *r = *state;
	const bool v4 = r->frame.family == 4;
	struct frame f;

	skip_if_denied();
	frame_build(&f, &r->frame);
	set_forwarding(false, false);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, false);
	/* Forwarding in the other address family must not matter. */
	set_forwarding(!v4, v4);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, false);
	set_forwarding(v4, !v4);
	expect(f.data, f.len, r->outcome, r->reason, f.payload_len, true);
	set_forwarding(false, false);
}

/* A frame that is cut short anywhere passes to the stack. */
static void test_truncation(void **state)
{
	static const struct frame_spec specs[] = {
		{ DATA(4) },
		{ DATA(4), .options = 40 },
		{ DATA(6) },
		{ ANY(4, WIRE_INITIATION, 0) },
		{ ANY(6, WIRE_RESPONSE, PENDING) },
		{ ANY(4, WIRE_DATA, UNKNOWN) },
		{ ANY(6, 9, SESSION) },
		{ DATA(6), EXT(3, HBH, RT, DST) },
		{ ANY(6, WIRE_DATA, UNKNOWN), EXT(1, { IPPROTO_DSTOPTS, 7 }) },
	};
	struct frame f;

	(void)state;
	skip_if_denied();
	for (unsigned i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		frame_build(&f, &specs[i]);
		for (uint32_t len = ETH_HLEN; len < f.len; len++)
			expect(f.data, len, STACK, 0, 0, false);
	}
}

/* Tries the payload lengths 1 to 200 for the types 0 to 5. The program accepts a message only if
 * [W] 5.4 allows this length for its type. */
static void test_lengths(void **state)
{
	struct frame f;

	(void)state;
	skip_if_denied();
	for (uint8_t type = 0; type <= 5; type++) {
		for (int len = 1; len <= 200; len++) {
			struct frame_spec s = { .family = 4 + len % 2 * 2,
						.type = type,
						.receiver = SESSION,
						.payload_len = len };
			enum outcome outcome = REFUSED;

			if (type == WIRE_DATA && len >= 32)
				outcome = STEERED;
			if ((type == 1 && len == 148) || (type == 2 && len == 92) ||
			    (type == 3 && len == 64))
				outcome = STACK;
			frame_build(&f, &s);
			expect(f.data, f.len, outcome, REASON_malformed, len, false);
		}
	}
}

/* If one bit of the IPv4 header is flipped, its checksum is wrong, and the packet passes to the
 * stack. */
static void test_flipped_header_bits(void **state)
{
	const struct frame_spec s = { DATA(4), .options = 8 };
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	for (uint32_t bit = f.at[L3] * 8; bit < f.at[L4] * 8; bit++) {
		f.data[bit / 8] ^= 1 << bit % 8;
		expect(f.data, f.len, STACK, 0, 0, false);
		f.data[bit / 8] ^= 1 << bit % 8;
	}
}

/* The UDP length decides how long the message is. The message must not reach beyond the IP
 * packet. */
static void test_udp_length_rules(void **state)
{
	const struct frame_spec s = { DATA(6) };
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	for (uint32_t len = 0; len <= f.payload_len + 2; len++) {
		bool good = len >= 32 && len <= f.payload_len;

		frame_put16(f.data + f.at[L4] + 4, 8 + len);
		expect(f.data, f.len, good ? STEERED : REFUSED, REASON_malformed, len, false);
	}
}

/* If the queue has no AF_XDP socket, the frame goes to the stack and is counted for the peer. */
static void test_no_socket(void **state)
{
	const struct frame_spec s = { DATA(4) };
	struct counters before, after;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	read_counters(&before);
	remove_socket(xsks_key(NIC_NUMBER, 0));
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_PASS);
	put_socket(xsks_key(NIC_NUMBER, 0));
	read_counters(&after);
	assert_int_equal(after.peer.rx_packets, before.peer.rx_packets + 1);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_REDIRECT);
}

/* Packets of a peer whose counters are deleted are still redirected to the AF_XDP socket, but
 * counted for no peer. */
static void test_peer_without_counters(void **state)
{
	const struct frame_spec s = { ANY(4, WIRE_DATA, GONE_PEER) };
	struct counters before, after;
	struct frame f;

	(void)state;
	skip_if_denied();
	frame_build(&f, &s);
	read_counters(&before);
	assert_int_equal(run_on(f.data, f.len, LO, 0), XDP_REDIRECT);
	read_counters(&after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* On a NIC that is not in the map `nics` (for example while the NIC is being detached), all frames
 * pass. */
static void test_unknown_nic(void **state)
{
	const struct frame_spec s = { DATA(4) }, bad = { ANY(4, 9, SESSION) };
	uint32_t lo = LO;
	struct frame f;

	(void)state;
	skip_if_denied();
	assert_int_equal(bpf_map__delete_elem(skel->maps.nics, &lo, sizeof(lo), 0), 0);
	frame_build(&f, &s);
	expect(f.data, f.len, STACK, 0, 0, false);
	frame_build(&f, &bad);
	expect(f.data, f.len, STACK, 0, 0, false);
	put_nic(LO, NIC_NUMBER);
}

/* Queue 65 of one NIC must not get the socket of queue 1 of the next NIC, although xsks_key() gives
 * the same key for both. */
static void test_queues(void **state)
{
	const struct frame_spec s = { DATA(4) };
	struct frame f;
	uint32_t veth;

	(void)state;
	skip_if_denied();
	if (!takes_context())
		skip();
	if (system("ip link add bpf1 numrxqueues 66 numtxqueues 66 up type veth "
		   "peer name bpf2 numrxqueues 66 numtxqueues 66"))
		fail_msg("no veth");
	veth = if_nametoindex("bpf1");
	put_nic(veth, 1);
	put_socket(xsks_key(1, 2));
	put_socket(xsks_key(1, 63));
	put_socket(xsks_key(2, 1));
	frame_build(&f, &s);
	assert_int_equal(run_on(f.data, f.len, veth, 0), XDP_PASS);
	assert_int_equal(run_on(f.data, f.len, veth, 1), XDP_PASS);
	assert_int_equal(run_on(f.data, f.len, veth, 2), XDP_REDIRECT);
	assert_int_equal(run_on(f.data, f.len, veth, 63), XDP_REDIRECT);
	assert_int_equal(run_on(f.data, f.len, veth, 65), XDP_PASS);
	remove_socket(xsks_key(1, 2));
	remove_socket(xsks_key(1, 63));
	remove_socket(xsks_key(2, 1));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_flipped_header_bits),
		cmocka_unit_test(test_udp_length_rules),
		cmocka_unit_test(test_no_socket),
		cmocka_unit_test(test_peer_without_counters),
		cmocka_unit_test(test_unknown_nic),
		cmocka_unit_test(test_queues),
	};
	struct CMUnitTest tests[ROWS + sizeof(others) / sizeof(others[0])];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct CMUnitTest){ .name = rows[i].name,
						.test_func = test_row,
						.initial_state = (void *)&rows[i] };
	memcpy(tests + ROWS, others, sizeof(others));
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("ingress", tests, setup, teardown);
}
