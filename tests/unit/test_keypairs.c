/* SPDX-License-Identifier: MIT */
/*
 * test_keypairs.c - complete handshakes and the sessions that they make, between two devices, a and
 * b, with the simulated clock and network of world.h.
 */
#include "pair.h"

/* Ten pings of 84 bytes are counted as the kernel's WireGuard counts them in `wg show transfer`. */
static void ten_pings(void **state)
{
	struct pair t = meet();

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		node_send_len(t.a, t.ab, 84);
		world_pass(t.w, 0.01);
		node_send_len(t.b, t.ba, 84);
		world_pass(t.w, 0.01);
	}
	assert_int_equal(t.ab->tx_bytes, 1428);
	assert_int_equal(t.ab->rx_bytes, 1372);
	assert_int_equal(t.ba->rx_bytes, 1428);
	assert_int_equal(t.ba->tx_bytes, 1372);
	assert_int_equal(t.ab->tx_packets, 11);
	assert_int_equal(t.b->received_data, 10);
	assert_int_equal(t.a->flushes, 1);
	/* the first ping confirmed the session, so no keepalive was needed */
	assert_int_equal(t.a->events[DEVICE_KEEPALIVE_SENT], 0);
	/* node b learned the endpoint from the initiation */
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	world_pass(t.w, 15); /* node b sent last, so node a sends a keepalive after 10 s */
	assert_int_equal(t.ba->rx_bytes, 1460);
	world_free(t.w);
}

static void when_a_handshake_counts(void **state)
{
	struct pair t = meet();
	struct datagram response;

	(void)state;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.0015);
	assert_int_equal(t.b->sent[WIRE_RESPONSE], 1);
	/* the session is not confirmed, so node b cannot send */
	assert_non_null(atomic_load(&t.ba->next));
	assert_null(atomic_load(&t.ba->current));
	assert_int_equal(t.ba->latest_handshake_unix_ns, 0);
	response = intercept(t.w, WIRE_RESPONSE);
	t.w->now_ns += SECONDS(1);
	node_input(t.a, &response);
	assert_int_equal(t.ab->latest_handshake_unix_ns, node_unix_ns(t.a));
	assert_int_equal(t.ba->latest_handshake_unix_ns, 0);
	world_pass(t.w, 1);
	assert_non_null(atomic_load(&t.ba->current));
	assert_null(atomic_load(&t.ba->next));
	assert_int_equal(t.ba->latest_handshake_unix_ns, node_unix_ns(t.b) - SECONDS(0.999));
	world_free(t.w);
}

/* If there is no packet to send, a keepalive confirms the session. */
static void confirmed_by_keepalive(void **state)
{
	struct pair t = meet();

	(void)state;
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	world_pass(t.w, 0.1);
	assert_int_equal(t.a->sent[WIRE_DATA], 1);
	assert_int_equal(t.b->received_empty, 1);
	assert_non_null(atomic_load(&t.ba->current));
	assert_talking(&t);
	world_free(t.w);
}

/* Both sides begin a handshake at the same time. Neither handshake may overwrite the state of the
 * other. */
static void crossing_initiations(void **state)
{
	struct pair t = meet();

	(void)state;
	device_peer_set_endpoint(&t.b->device, t.ba, &t.a->address);
	node_send(t.a, t.ab);
	node_send(t.b, t.ba);
	world_pass(t.w, 0.1);
	assert_int_equal(t.a->received_data, 1);
	assert_int_equal(t.b->received_data, 1);
	assert_talking(&t);
	assert_int_equal(initiations(&t), 2);
	world_free(t.w);
}

/* A delayed response must not replace a newer session: the peer may already have wiped the keys of
 * the session that this response would complete. Our packets would then be lost until we begin a
 * new handshake, 15 s later. */
static void late_response(void **state)
{
	struct pair t = meet();
	struct datagram late;

	(void)state;
	device_peer_set_endpoint(&t.b->device, t.ba, &t.a->address);
	node_send(t.a, t.ab);
	node_send(t.b, t.ba);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	late = intercept(t.w, WIRE_RESPONSE); /* the response to a */
	assert_int_equal(late.sender, t.b->id);
	world_pass(t.w, 1); /* b's own handshake completes */
	assert_int_equal(t.a->received_data, 1);
	assert_int_equal(t.a->begun_count, 1); /* only the session: a's own handshake has ended */
	assert_int_equal(node_input(t.a, &late), REASON_unknown_index);
	assert_talking(&t);
	world_free(t.w);
}

/* A responder does not begin a handshake of its own while its response is under way. */
static void responder_waits(void **state)
{
	struct pair t = meet();

	(void)state;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.0015);
	free(t.w->queue); /* the response is lost */
	t.w->queue = NULL;
	node_send(t.b, t.ba);
	world_pass(t.w, 4.9);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	world_pass(t.w, 1);
	assert_int_equal(t.a->received_data, 1);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

/* The control thread receives a request for a handshake after the session has been established. The
 * thread sends the waiting packets and begins no handshake. */
static void late_wish(void **state)
{
	struct pair t = connected();
	struct payload packet = { .serial = 4711 };

	(void)state;
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	stage_push(&t.ab->stage, &packet, sizeof(packet));
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->last_serial, 4711);
	/* The third argument is not the peer's next session, so both calls are ignored. */
	device_confirmed(&t.a->device, t.ab, NULL, t.w->now_ns);
	device_confirmed(&t.a->device, t.ab, atomic_load(&t.ab->current), t.w->now_ns);
	assert_int_equal(initiations(&t), 1);
	assert_talking(&t);
	world_free(t.w);
}

/* If the workers' notes (requests to the control thread) are lost, device_catch_up() does what they
 * would have requested. */
static void catching_up(void **state)
{
	struct pair t = meet();
	struct payload packet = { .serial = 4711 };
	struct session *next;

	(void)state;
	device_catch_up(&t.a->device, t.ab, t.w->now_ns);
	assert_int_equal(initiations(&t), 0);
	memcpy(packet.from, t.a->device.identity.public, sizeof(packet.from));
	stage_push(&t.ab->stage, &packet, sizeof(packet)); /* as if NOTE_WANT_HANDSHAKE were lost */
	device_catch_up(&t.a->device, t.ab, t.w->now_ns);
	assert_int_equal(initiations(&t), 1);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	next = atomic_load(&t.ba->next);
	assert_non_null(next);
	device_catch_up(&t.b->device, t.ba, t.w->now_ns);
	/* no message has confirmed the session yet */
	assert_ptr_equal(atomic_load(&t.ba->next), next);
	world_pass(t.w, 1);
	assert_int_equal(t.b->last_serial, 4711);

	device_zero_all(&t.b->device, t.w->now_ns);
	device_zero_all(&t.a->device, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	t.w->loss_percent = 100;
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	next = atomic_load(&t.ba->next);
	atomic_store(&next->confirmed, true); /* as if NOTE_CONFIRMED had been lost */
	/* as if NOTE_WATCH had been lost */
	atomic_store(&t.ba->timers.owed_since_ns, t.w->now_ns - SECONDS(11));
	device_catch_up(&t.b->device, t.ba, t.w->now_ns);
	assert_ptr_equal(atomic_load(&t.ba->current), next);
	assert_int_equal(t.b->sent[WIRE_DATA], 1); /* the passive keepalive */
	world_free(t.w);
}

static void nothing_to_nobody(void **state)
{
	struct pair t = meet();
	uint8_t none[WIRE_KEY_LEN] = { 0 };

	(void)state;
	/* The peer has no endpoint, so no handshake begins. */
	device_want_handshake(&t.b->device, t.ba, t.w->now_ns);
	device_peer_set_keepalive(&t.b->device, t.ba, 5, t.w->now_ns);
	world_pass(t.w, 20);
	assert_int_equal(initiations(&t), 0);

	device_set_private_key(&t.a->device, none, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	device_set_private_key(&t.a->device, t.a->private, t.w->now_ns);
	device_set_up(&t.a->device, false, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	world_pass(t.w, 20);
	assert_int_equal(initiations(&t), 0);
	device_set_up(&t.a->device, true, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	assert_int_equal(initiations(&t), 1);
	world_free(t.w);
}

static void from_hex(uint8_t key[WIRE_KEY_LEN], const char *hex)
{
	for (unsigned i = 0; i < WIRE_KEY_LEN; i++) {
		const char digits[] = { hex[2 * i], hex[2 * i + 1], '\0' };

		key[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
}

/* RFC 7748 6.1: points whose product with any clamped scalar is zero. */
static void low_order_keys(void **state)
{
	static const char *const points[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	enum { POINTS = sizeof(points) / sizeof(points[0]) };
	struct pair t = meet();

	(void)state;
	for (unsigned i = 0; i < 2 * POINTS; i++) {
		uint8_t key[WIRE_KEY_LEN];
		struct peer *p;

		from_hex(key, points[i % POINTS]);
		key[31] ^= i / POINTS << 7; /* the bit that X25519 ignores */
		assert_int_equal(device_peer_add(&t.a->device, key, &p), 0);
		device_peer_set_endpoint(&t.a->device, p, &t.b->address);
		device_peer_set_keepalive(&t.a->device, p, 1, t.w->now_ns);
		node_send(t.a, p);
	}
	world_pass(t.w, 30);
	assert_int_equal(initiations(&t), 0);
	assert_null(t.w->queue);
	/* With a new private key, these peers are still unusable. */
	device_set_private_key(&t.a->device, (uint8_t[WIRE_KEY_LEN]){ 0 }, t.w->now_ns);
	t.a->endpoint_changes = 0;
	node_new_key(t.a);
	world_run(t.w, t.w->now_ns + 1);
	/* For each peer with an unusable key, the device reports a changed endpoint, so that the
	 * workers refuse packets to this peer. */
	assert_int_equal(t.a->endpoint_changes, 2 * POINTS);
	assert_int_equal(t.a->device.counts[REASON_no_session], 2 * POINTS);
	for (struct peer *p = t.a->device.first; p; p = p->list_next)
		assert_int_equal(p->stage.count, 0);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_pings),
		cmocka_unit_test(when_a_handshake_counts),
		cmocka_unit_test(confirmed_by_keepalive),
		cmocka_unit_test(crossing_initiations),
		cmocka_unit_test(late_response),
		cmocka_unit_test(responder_waits),
		cmocka_unit_test(late_wish),
		cmocka_unit_test(catching_up),
		cmocka_unit_test(nothing_to_nobody),
		cmocka_unit_test(low_order_keys),
	};

	return cmocka_run_group_tests_name("keypairs", tests, NULL, NULL);
}
