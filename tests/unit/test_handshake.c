/* SPDX-License-Identifier: MIT */
/*
 * test_handshake.c - which initiations, responses and cookie replies are refused and for what
 * reason, and how cookies are sent and used. The tests use two devices, a and b, with the simulated
 * clock and network of world.h.
 */
#include "pair.h"

/* Refused messages ---------------------------------------------------------------------------- */

static enum reason input(struct node *n, const struct endpoint *from, const void *msg, size_t len)
{
	return device_handshake_input(&n->device, msg, len, from, n->under_load, n->world->now_ns);
}

static void malformed(void **state)
{
	struct pair t = meet();
	struct datagram dg;

	(void)state;
	node_send(t.a, t.ab);
	dg = intercept(t.w, WIRE_INITIATION);
	for (size_t len = 0; len < sizeof(dg.data); len++)
		if (len != sizeof(struct wire_initiation))
			assert_int_equal(input(t.b, &dg.from, dg.data, len), REASON_malformed);
	for (unsigned i = 1; i < 4; i++) {
		dg.data[i] = 1;
		assert_int_equal(node_input(t.b, &dg), REASON_malformed);
		dg.data[i] = 0;
	}
	for (unsigned type = 0; type < 256; type++) {
		dg.data[0] = (uint8_t)type;
		if (type != WIRE_INITIATION)
			assert_int_equal(node_input(t.b, &dg), REASON_malformed);
	}
	dg.data[0] = WIRE_INITIATION;
	device_set_up(&t.b->device, false, t.w->now_ns);
	assert_int_equal(node_input(t.b, &dg), REASON_down);
	device_set_up(&t.b->device, true, t.w->now_ns);
	assert_int_equal(node_input(t.b, &dg), REASON_none);
	assert_int_equal(t.b->device.counts[REASON_down], 1);
	assert_true(t.b->device.counts[REASON_malformed] > 255);
	world_free(t.w);
}

/* A damaged byte between the header and mac2 makes a message invalid. An invalid message changes
 * nothing. */
static void damaged(void **state)
{
	struct pair t = meet();
	struct datagram good, bad;

	(void)state;
	node_send(t.a, t.ab);
	good = intercept(t.w, WIRE_INITIATION);
	for (unsigned i = sizeof(struct wire_header); i < good.len - WIRE_MAC_LEN; i++) {
		bad = good;
		bad.data[i] ^= 0x10;
		assert_int_equal(node_input(t.b, &bad), REASON_bad_mac1);
	}
	assert_int_equal(t.ba->rx_bytes, 0);
	assert_int_equal(t.ba->endpoint.remote.sa.sa_family, AF_UNSPEC);
	assert_int_equal(node_input(t.b, &good), REASON_none);

	good = intercept(t.w, WIRE_RESPONSE);
	bad = good;
	bad.data[8] ^= 1; /* receiver index */
	assert_int_equal(node_input(t.a, &bad), REASON_unknown_index);
	for (unsigned i = sizeof(struct wire_header); i < good.len - WIRE_MAC_LEN; i++) {
		if (i >= 8 && i < 12)
			continue;
		bad = good;
		bad.data[i] ^= 0x10;
		assert_int_equal(node_input(t.a, &bad), REASON_bad_mac1);
	}
	assert_int_equal(t.ab->rx_bytes, 0);
	assert_int_equal(node_input(t.a, &good), REASON_none);
	assert_int_equal(node_input(t.a, &good), REASON_not_pending); /* accepted only once */
	world_pass(t.w, 1);
	assert_talking(&t);
	world_free(t.w);
}

/* An initiation from an unknown peer gets no response, even if its mac1 is correct. */
static void strangers(void **state)
{
	struct world *w = world_new(3, 1);
	struct peer *p = world_meet(&w->nodes[2], &w->nodes[0], true);

	(void)state;
	world_meet(&w->nodes[0], &w->nodes[1], true);
	node_send(&w->nodes[2], p);
	world_pass(w, 0.1);
	assert_int_equal(w->nodes[0].last, REASON_bad_handshake);
	assert_int_equal(w->nodes[0].sent[WIRE_RESPONSE], 0);
	assert_int_equal(w->nodes[0].events[DEVICE_BAD_INITIATION], 1);
	world_free(w);
}

static void replayed_initiation(void **state)
{
	struct pair t = meet();
	struct datagram first, second;

	(void)state;
	node_send(t.a, t.ab);
	first = intercept(t.w, WIRE_INITIATION);
	assert_int_equal(node_input(t.b, &first), REASON_none);
	/* a peer may send 50 initiations per second, so one every 20 ms */
	assert_int_equal(node_input(t.b, &first), REASON_rate_limited);
	t.w->now_ns += 19 * NS_PER_MS;
	assert_int_equal(node_input(t.b, &first), REASON_rate_limited);
	t.w->now_ns += 1 * NS_PER_MS;
	first.from = world_address(99, 99);
	assert_int_equal(node_input(t.b, &first), REASON_old_timestamp);
	/* the replay did not change the endpoint */
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	world_pass(t.w, 1);

	/* the wall clock steps back an hour: the timestamp still increases */
	t.a->unix_offset_ns -= SECONDS(3600);
	device_zero_all(&t.a->device, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	second = intercept(t.w, WIRE_INITIATION);
	assert_int_equal(node_input(t.b, &second), REASON_none);

	/* the timestamp still increases after the peer was removed and added again */
	device_peer_remove(&t.a->device, t.ab);
	t.ab = world_meet(t.a, t.b, true);
	world_pass(t.w, 1);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	second = intercept(t.w, WIRE_INITIATION);
	assert_int_equal(node_input(t.b, &second), REASON_none);
	world_pass(t.w, 1);
	world_free(t.w);
}

/* An initiation from port 0 is refused even if it is authentic, because no response can be sent
 * there. */
static void martian_initiation(void **state)
{
	struct pair t = meet();
	struct datagram dg;

	(void)state;
	node_send(t.a, t.ab);
	dg = intercept(t.w, WIRE_INITIATION);
	dg.from = world_address(1, 0);
	assert_int_equal(node_input(t.b, &dg), REASON_no_endpoint);
	assert_int_equal(t.b->sent[WIRE_RESPONSE], 0);
	world_free(t.w);
}

/* Under load ----------------------------------------------------------------------------------- */

/* A correct mac1 does not prove the sender's address. No cookie reply is sent to an invalid
 * source. */
static void no_cookie_to_martians(void **state)
{
	static const struct {
		uint32_t address;
		uint16_t port;
		unsigned cookies;
	} sources[] = {
		{ 0x0a000001, 51820, 1 }, /* the valid source, for comparison */
		{ 0x0a000001, 0, 0 },	  { 0x00000000, 51820, 0 }, { 0xe0000001, 51820, 0 },
		{ 0xefffffff, 51820, 0 }, { 0xffffffff, 51820, 0 },
	};
	struct pair t = meet();
	struct datagram dg;

	(void)state;
	t.b->under_load = true;
	node_send(t.a, t.ab);
	dg = intercept(t.w, WIRE_INITIATION);
	for (unsigned i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
		dg.from = world_address(0, sources[i].port);
		dg.from.remote.v4.sin_addr.s_addr = htonl(sources[i].address);
		t.b->sends = t.b->events[DEVICE_COOKIE_SENT] = 0;
		assert_int_equal(node_input(t.b, &dg), REASON_no_mac2);
		assert_int_equal(t.b->sends, sources[i].cookies);
		assert_int_equal(t.b->events[DEVICE_COOKIE_SENT], sources[i].cookies);
	}
	world_free(t.w);
}

static void cookies(void **state)
{
	struct pair t = meet();
	struct datagram initiation, reply;
	uint64_t born;

	(void)state;
	t.b->under_load = true;
	node_send(t.a, t.ab);
	initiation = intercept(t.w, WIRE_INITIATION);
	assert_int_equal(node_input(t.b, &initiation), REASON_no_mac2);
	reply = intercept(t.w, WIRE_COOKIE);
	assert_true(endpoint_same_remote(&reply.to, &t.a->address));
	assert_int_equal(t.ba->rx_bytes, 0);

	/* a cookie reply changes no endpoint, and is accepted only once */
	reply.from = world_address(77, 7);
	reply.data[40] ^= 1;
	assert_int_equal(node_input(t.a, &reply), REASON_bad_cookie);
	reply.data[40] ^= 1;
	assert_int_equal(node_input(t.a, &reply), REASON_none);
	assert_int_equal(node_input(t.a, &reply), REASON_bad_cookie);
	reply.data[4] ^= 1;
	assert_int_equal(node_input(t.a, &reply), REASON_unknown_index);
	assert_true(endpoint_same_remote(&t.ab->endpoint, &t.b->address));
	assert_int_equal(t.ab->rx_bytes, 0);

	/* The next initiation uses the cookie, which is valid only for the address and port to
	 * which node b sent it. */
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	born = t.w->now_ns;
	while (!t.w->queue)
		world_run(t.w, world_next(t.w));
	assert_in_range(t.w->now_ns - born, SECONDS(4.9), SECONDS(5.4));
	initiation = intercept(t.w, WIRE_INITIATION);
	initiation.from = world_address(1, 51821);
	assert_int_equal(node_input(t.b, &initiation), REASON_no_mac2);
	initiation.from = world_address(3, 51820);
	assert_int_equal(node_input(t.b, &initiation), REASON_no_mac2);
	initiation.from = t.a->address;
	assert_int_equal(node_input(t.b, &initiation), REASON_none);
	world_pass(t.w, 1);
	assert_int_equal(t.b->received_data, 1);
	assert_int_equal(t.b->events[DEVICE_COOKIE_SENT], 3);
	assert_talking(&t);
	world_free(t.w);
}

/* Both nodes are under load. The cookie reply to a response carries the receiver index of a
 * session, because the responder has already derived the session keys when it sends the
 * response. */
static void cookies_both_ways(void **state)
{
	struct pair t = meet();

	(void)state;
	t.a->under_load = t.b->under_load = true;
	node_send(t.a, t.ab);
	world_pass(t.w, 12);
	assert_int_equal(t.b->received_data, 1);
	assert_int_equal(t.a->sent[WIRE_COOKIE], 1);
	assert_int_equal(t.b->sent[WIRE_COOKIE], 1);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 3);
	assert_talking(&t);
	world_free(t.w);
}

/* Alters an initiation and signs it again with @from's cookie: the macs are correct, the handshake
 * is not. */
static void spoil(struct peer *from, struct datagram *initiation, uint64_t now_ns)
{
	initiation->data[20]++;
	cookie_sign(&from->cookie, initiation->data, initiation->len, now_ns);
}

/* A token bucket exists only for a source whose address a cookie has proven. Messages without a
 * cookie and replayed messages take no token. */
static void rate_of_a_proven_source(void **state)
{
	struct pair t = meet();
	struct datagram initiation;

	(void)state;
	t.b->under_load = true;
	node_send(t.a, t.ab);
	initiation = intercept(t.w, WIRE_INITIATION);
	for (unsigned i = 0; i < 3 * HANDSHAKE_BURST; i++)
		assert_int_equal(node_input(t.b, &initiation), REASON_no_mac2);
	while (t.a->sent[WIRE_INITIATION] == 1)
		world_run(t.w, world_next(t.w));
	initiation = intercept(t.w, WIRE_INITIATION);
	assert_int_equal(node_input(t.b, &initiation), REASON_none);
	for (unsigned i = 0; i < 3 * HANDSHAKE_BURST; i++)
		assert_int_equal(node_input(t.b, &initiation), REASON_old_timestamp);
	for (unsigned i = 1; i < HANDSHAKE_BURST; i++) {
		spoil(t.ab, &initiation, t.w->now_ns);
		assert_int_equal(node_input(t.b, &initiation), REASON_bad_handshake);
	}
	spoil(t.ab, &initiation, t.w->now_ns);
	assert_int_equal(node_input(t.b, &initiation), REASON_rate_limited);
	assert_int_equal(node_input(t.b, &initiation), REASON_rate_limited);
	t.w->now_ns += 60 * NS_PER_MS; /* time for six more tokens */
	for (unsigned i = 0; i < 6; i++) {
		spoil(t.ab, &initiation, t.w->now_ns);
		assert_int_equal(node_input(t.b, &initiation), REASON_bad_handshake);
	}
	spoil(t.ab, &initiation, t.w->now_ns);
	assert_int_equal(node_input(t.b, &initiation), REASON_rate_limited);
	t.b->under_load = false;
	assert_int_equal(node_input(t.b, &initiation), REASON_bad_handshake);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(malformed),
		cmocka_unit_test(damaged),
		cmocka_unit_test(strangers),
		cmocka_unit_test(replayed_initiation),
		cmocka_unit_test(martian_initiation),
		cmocka_unit_test(no_cookie_to_martians),
		cmocka_unit_test(cookies),
		cmocka_unit_test(cookies_both_ways),
		cmocka_unit_test(rate_of_a_proven_source),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
