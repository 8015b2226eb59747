/* SPDX-License-Identifier: MIT */
/*
 * test_device.c - each behaviour of the handshake engine by itself, on the simulated clock and
 * network of world.h: two devices, `a` at 10.0.0.1 and `b` at 10.0.0.2, 1 ms apart.
 * Messages that are refused, and cookies: test_handshake.c.
 */
#include <errno.h>

#include "pair.h"

/* Handshakes ----------------------------------------------------------------------------------- */

/* Ten pings of 84 bytes, as `wg show transfer` counts them: contract 4.3. */
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
	assert_int_equal(t.a->events[DEVICE_KEEPALIVE_SENT], 0); /* the first ping confirmed */
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address)); /* learnt */
	world_pass(t.w, 15); /* b answered last; a owes a keepalive */
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
	assert_non_null(atomic_load(&t.ba->next)); /* not confirmed: nothing to send with */
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

/* With nothing to send, a keepalive confirms the session. */
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

/* Each would overwrite the other if there were one handshake state for both roles. */
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

/* A response that somebody kept back must not displace the sessions that came after it: the other side
 * knows its keys no more, and all that we sent would be lost for 15 s. */
static void late_response(void **state)
{
	struct pair t = meet();
	struct datagram late;

	(void)state;
	device_peer_set_endpoint(&t.b->device, t.ba, &t.a->address);
	node_send(t.a, t.ab);
	node_send(t.b, t.ba);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	late = intercept(t.w, WIRE_RESPONSE); /* to a */
	assert_int_equal(late.sender, t.b->id);
	world_pass(t.w, 1); /* b's handshake is done */
	assert_int_equal(t.a->received_data, 1);
	assert_int_equal(t.a->begun_count, 1); /* so a's own is over */
	assert_int_equal(node_input(t.a, &late), REASON_unknown_index);
	assert_talking(&t);
	world_free(t.w);
}

/* While its response is under way, the responder does not begin a handshake of its own. */
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

/* A note that is older than the session it asked for only lets out what was staged since. */
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
	device_confirmed(&t.a->device, t.ab, NULL, t.w->now_ns); /* notes of what is gone */
	device_confirmed(&t.a->device, t.ab, atomic_load(&t.ab->current), t.w->now_ns);
	assert_int_equal(initiations(&t), 1);
	assert_talking(&t);
	world_free(t.w);
}

/* All notes of the workers are lost: looking at the peer does what they asked for. */
static void catching_up(void **state)
{
	struct pair t = meet();
	struct payload packet = { .serial = 4711 };
	struct session *next;

	(void)state;
	device_catch_up(&t.a->device, t.ab, t.w->now_ns);
	assert_int_equal(initiations(&t), 0);
	memcpy(packet.from, t.a->device.identity.public, sizeof(packet.from));
	stage_push(&t.ab->stage, &packet, sizeof(packet)); /* wanted */
	device_catch_up(&t.a->device, t.ab, t.w->now_ns);
	assert_int_equal(initiations(&t), 1);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	next = atomic_load(&t.ba->next);
	assert_non_null(next);
	device_catch_up(&t.b->device, t.ba, t.w->now_ns);
	assert_ptr_equal(atomic_load(&t.ba->next), next); /* nothing came under it yet */
	world_pass(t.w, 1);
	assert_int_equal(t.b->last_serial, 4711);

	device_zero_all(&t.b->device, t.w->now_ns);
	device_zero_all(&t.a->device, t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	t.w->loss_percent = 100;
	world_run(t.w, t.w->now_ns + NS_PER_MS);
	next = atomic_load(&t.ba->next);
	atomic_store(&next->confirmed, true);				      /* confirmed */
	atomic_store(&t.ba->timers.owed_since_ns, t.w->now_ns - SECONDS(11)); /* watch */
	device_catch_up(&t.b->device, t.ba, t.w->now_ns);
	assert_ptr_equal(atomic_load(&t.ba->current), next);
	assert_int_equal(t.b->sent[WIRE_DATA], 1); /* the keepalive that is owed */
	world_free(t.w);
}

static void nothing_to_nobody(void **state)
{
	struct pair t = meet();
	uint8_t none[WIRE_KEY_LEN] = { 0 };

	(void)state;
	device_want_handshake(&t.b->device, t.ba, t.w->now_ns); /* no endpoint */
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

/* RFC 7748 6.1: points whose product with anything is zero. */
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
		key[31] ^= i / POINTS << 7; /* a bit that X25519 does not look at */
		assert_int_equal(device_peer_add(&t.a->device, key, &p), 0);
		device_peer_set_endpoint(&t.a->device, p, &t.b->address);
		device_peer_set_keepalive(&t.a->device, p, 1, t.w->now_ns);
		node_send(t.a, p);
	}
	world_pass(t.w, 30);
	assert_int_equal(initiations(&t), 0);
	assert_null(t.w->queue);
	/* Also what was sent while nobody could know: nothing waits for such a peer. */
	device_set_private_key(&t.a->device, (uint8_t[WIRE_KEY_LEN]){ 0 }, t.w->now_ns);
	t.a->endpoint_changes = 0;
	node_new_key(t.a);
	world_run(t.w, t.w->now_ns + 1);
	assert_int_equal(t.a->endpoint_changes, 2 * POINTS); /* to none that is used */
	assert_int_equal(t.a->device.counts[REASON_no_session], 2 * POINTS);
	for (struct peer *p = t.a->device.first; p; p = p->list_next)
		assert_int_equal(p->stage.count, 0);
	world_free(t.w);
}

/* Timers --------------------------------------------------------------------------------------- */

static void retries_and_gives_up(void **state)
{
	struct pair t = meet();
	uint64_t last, gap;

	(void)state;
	t.w->loss_percent = 100;
	t.ab->endpoint.local.v4.s_addr = htonl(0x0a000001);
	for (unsigned i = 0; i < STAGED_PER_PEER; i++)
		node_send(t.a, t.ab);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	for (unsigned tries = 2; tries <= 17; tries++) {
		last = t.w->now_ns;
		while (t.a->sent[WIRE_INITIATION] < tries)
			world_run(t.w, device_next(&t.a->device));
		gap = t.w->now_ns - last;
		assert_in_range(gap, SECONDS(5), SECONDS(5.334));
		assert_int_equal(t.ab->endpoint.local.v4.s_addr, 0); /* let the route decide */
	}
	assert_int_equal(t.a->endpoint_changes, 2); /* set, and its local side forgotten once */
	assert_int_equal(t.ab->stage.count, STAGED_PER_PEER);
	world_pass(t.w, 12);
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_GIVEN_UP], 1);
	assert_int_equal(t.ab->stage.count, 0);
	assert_int_equal(t.a->device.counts[REASON_no_session], STAGED_PER_PEER);
	assert_in_range(t.a->sent[WIRE_INITIATION], 17, 18);
	assert_int_equal(t.a->begun_count, 1);
	world_pass(t.w, ZERO_AFTER_TIME_S);
	assert_int_equal(t.a->begun_count, 0); /* the half-open handshake is gone too */
	assert_in_range(t.a->sent[WIRE_INITIATION], 17, 18);

	t.w->loss_percent = 0;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

/* The other side begins again and again and never hears an answer of ours: it puts off our own tries,
 * but not the end of them. */
static void gives_up_though_answering(void **state)
{
	struct pair t = meet();

	(void)state;
	device_peer_set_endpoint(&t.b->device, t.ba, &t.a->address);
	t.w->loss_percent = 100;
	node_send(t.a, t.ab);
	for (unsigned i = 0; i < 20; i++) {
		world_pass(t.w, 5);
		device_zero_all(&t.b->device, t.w->now_ns);
		device_want_handshake(&t.b->device, t.ba, t.w->now_ns);
		assert_int_equal(node_input(t.a, &t.w->history[t.w->number % HISTORY_LEN]),
				 REASON_none);
	}
	assert_int_equal(t.a->sent[WIRE_RESPONSE], 20);
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_GIVEN_UP], 1);
	assert_int_equal(t.ab->stage.count, 0);
	world_free(t.w);
}

/* One packet every second from @n for @seconds. */
static void chatter(struct pair *t, struct node *n, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++) {
		node_send(n, n == t->a ? t->ab : t->ba);
		world_pass(t->w, 1);
	}
}

static void renewed_by_the_initiator(void **state)
{
	struct pair t = connected();
	uint64_t born = atomic_load(&t.ab->current)->born_ns;

	(void)state;
	chatter(&t, t.a, 119);
	assert_int_equal(initiations(&t), 1);
	chatter(&t, t.a, 3);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0);
	assert_true(atomic_load(&t.ab->current)->born_ns >= born + SECONDS(120));
	assert_int_equal(t.a->begun_count, 2); /* previous and current */
	assert_int_equal(t.b->begun_count, 2);
	assert_int_equal(t.b->received_data, 1 + 119 + 3); /* none lost over it */
	chatter(&t, t.a, 70);
	assert_int_equal(t.a->begun_count, 1); /* previous is past its end and grace */
	assert_int_equal(t.b->begun_count, 1);
	world_free(t.w);
}

/* A receiver that never sends renews late, at 165 s; keepalives do not count for that. */
static void renewed_after_receiving(void **state)
{
	struct pair t = connected();

	(void)state;
	world_pass(t.w, 160);
	node_send(t.b, t.ba);
	world_pass(t.w, 4);
	assert_int_equal(initiations(&t), 1);
	world_pass(t.w, 1.5);
	node_send(t.b, t.ba);
	world_pass(t.w, 0.5);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0);
	world_free(t.w);
}

static void expires(void **state)
{
	struct pair t = connected();
	struct session *s = atomic_load(&t.ab->current);

	(void)state;
	world_run(t.w, s->born_ns + SECONDS(180));
	assert_false(session_may_send(s, t.w->now_ns));
	assert_int_equal(t.a->begun_count, 1); /* stragglers are still known */
	world_pass(t.w, INDEX_GRACE_S);
	assert_int_equal(t.a->begun_count, 0);
	assert_null(atomic_load(&t.ab->current));
	world_run(t.w, SECONDS(1000 + 540));
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 0);
	world_pass(t.w, 1);
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 1);
	assert_int_equal(device_next(&t.a->device), TIMERS_NEVER);
	chatter(&t, t.b, 1); /* begins anew */
	assert_int_equal(t.a->received_data, 2);
	world_free(t.w);
}

static void passive_keepalive(void **state)
{
	struct pair t = connected();

	(void)state;
	world_pass(t.w, 30);
	t.a->received_empty = t.b->received_empty = 0;
	node_send(t.a, t.ab);
	world_pass(t.w, 9.9);
	assert_int_equal(t.a->received_empty, 0);
	world_pass(t.w, 0.2);
	assert_int_equal(t.a->received_empty, 1);
	world_pass(t.w, 60); /* and none in return */
	assert_int_equal(t.a->received_empty, 1);
	assert_int_equal(t.b->received_empty, 0);
	assert_int_equal(initiations(&t), 1);
	world_free(t.w);
}

static void unanswered(void **state)
{
	struct pair t = connected();
	uint64_t since;

	(void)state;
	world_pass(t.w, 20);
	device_zero_all(&t.b->device, t.w->now_ns); /* b forgets; a does not know */
	t.ab->endpoint.local.v4.s_addr = htonl(0x0a000001);
	t.ab->endpoint.ifindex = 7;
	since = t.w->now_ns;
	node_send(t.a, t.ab);
	world_pass(t.w, 14.9);
	assert_int_equal(initiations(&t), 1);
	assert_int_equal(t.ab->endpoint.local.v4.s_addr, htonl(0x0a000001));
	t.w->loss_percent = 100; /* no answer could set it again */
	while (initiations(&t) == 1)
		world_run(t.w, world_next(t.w));
	assert_in_range(t.w->now_ns - since, SECONDS(15), SECONDS(15.334));
	assert_int_equal(t.ab->endpoint.local.v4.s_addr, 0); /* let the route decide */
	assert_int_equal(t.ab->endpoint.ifindex, 0);
	t.w->loss_percent = 0;
	world_pass(t.w, 5.4);
	world_pass(t.w, 0.1);
	assert_talking(&t);
	world_free(t.w);
}

static void persistent_keepalive(void **state)
{
	struct pair t = meet();
	unsigned before;

	(void)state;
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns); /* at once: a handshake */
	world_pass(t.w, 1);
	assert_int_equal(t.a->sent[WIRE_DATA], 1);
	world_pass(t.w, 23.9);
	assert_int_equal(t.a->sent[WIRE_DATA], 1);
	world_pass(t.w, 0.2);
	assert_int_equal(t.a->sent[WIRE_DATA], 2);
	node_send(t.b, t.ba); /* traffic either way puts it off */
	world_pass(t.w, 9);
	node_send(t.b, t.ba);
	world_pass(t.w, 24.9); /* only the passive one in between */
	assert_int_equal(t.a->sent[WIRE_DATA], 3);
	assert_int_equal(t.b->sent[WIRE_DATA], 2);

	device_peer_set_keepalive(&t.a->device, t.ab, 0, t.w->now_ns);
	world_pass(t.w, 100);
	assert_int_equal(t.a->sent[WIRE_DATA], 3);
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns); /* at once: a keepalive */
	assert_int_equal(t.a->sent[WIRE_DATA], 4);
	device_peer_set_keepalive(&t.a->device, t.ab, 20, t.w->now_ns); /* was on */
	assert_int_equal(t.a->sent[WIRE_DATA], 4);

	device_set_up(&t.a->device, false, t.w->now_ns);
	world_pass(t.w, 100);
	assert_int_equal(t.a->sent[WIRE_DATA], 4);
	before = initiations(&t);
	device_set_up(&t.a->device, true, t.w->now_ns);
	world_run(t.w, t.w->now_ns + 1);
	assert_int_equal(initiations(&t), before + 1);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0);
	world_free(t.w);
}

/* It never ends: an attempt of 90 s, an interval after its last initiation, the next attempt. */
static void persistent_through_an_outage(void **state)
{
	struct pair t = meet();

	(void)state;
	t.w->loss_percent = 100;
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns);
	world_pass(t.w, 3600);
	assert_in_range(t.a->events[DEVICE_HANDSHAKE_GIVEN_UP], 3600 / 120, 3600 / 105);
	assert_in_range(t.a->sent[WIRE_INITIATION], 17 * 3600 / 120, 18 * 3600 / 105);
	t.w->loss_percent = 0;
	world_pass(t.w, 25.1);
	assert_non_null(atomic_load(&t.ba->current));
	world_free(t.w);
}

/* Configuration -------------------------------------------------------------------------------- */

static void roaming(void **state)
{
	struct pair t = connected();
	struct endpoint martian = world_address(0, 0);

	(void)state;
	t.a->address = world_address(200, 1234);
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	assert_talking(&t);
	t.b->endpoint_changes = 0;
	device_roamed(&t.b->device, t.ba, &martian);
	martian = world_address(5, 5);
	martian.remote.v4.sin_addr.s_addr = htonl(0xe0000001);
	device_roamed(&t.b->device, t.ba, &martian);
	assert_int_equal(t.b->endpoint_changes, 0);
	assert_true(endpoint_same_remote(&t.ba->endpoint, &t.a->address));
	world_free(t.w);
}

static void private_key_changed(void **state)
{
	struct pair t = connected();
	struct session *old = atomic_load(&t.ab->current);
	unsigned sent;

	(void)state;
	node_new_key(t.a);
	assert_true(old->revoked);
	assert_int_equal(t.a->begun_count, 0);
	sent = t.a->sent[WIRE_DATA];
	node_send(t.a, t.ab); /* a handshake at once, though the last began 0.2 s ago */
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);
	assert_int_equal(t.a->sent[WIRE_DATA], sent);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->last, REASON_bad_handshake);

	device_peer_remove(&t.b->device, t.ba);
	t.ba = world_meet(t.b, t.a, false);
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 2);
	assert_talking(&t);

	sent = initiations(&t); /* the same key again changes nothing */
	device_set_private_key(&t.a->device, t.a->private, t.w->now_ns);
	assert_talking(&t);

	device_peer_set_keepalive(&t.a->device, t.ab, 100, t.w->now_ns);
	device_set_private_key(&t.a->device, (uint8_t[WIRE_KEY_LEN]){ 0 }, t.w->now_ns);
	world_pass(t.w, 10);
	assert_int_equal(initiations(&t), sent);
	device_set_private_key(&t.a->device, t.a->private, t.w->now_ns); /* keepalive due */
	world_run(t.w, t.w->now_ns + 1);
	assert_int_equal(initiations(&t), sent + 1);
	world_free(t.w);
}

static void own_key(void **state)
{
	struct pair t = connected();
	struct peer *p = NULL;

	(void)state;
	assert_int_equal(device_peer_add(&t.a->device, t.a->device.identity.public, &p),
			 -EADDRINUSE);
	assert_null(p);
	device_set_private_key(&t.a->device, t.b->private, t.w->now_ns); /* takes the peer's */
	assert_int_equal(t.a->device.peer_count, 0);
	assert_null(device_find(&t.a->device, t.b->device.identity.public));
	world_free(t.w);
}

static void psk_changed(void **state)
{
	struct pair t = connected();
	uint8_t psk[WIRE_KEY_LEN] = { 1, 2, 3 };

	(void)state;
	device_peer_set_psk(&t.a->device, t.ab, psk);
	assert_talking(&t);
	chatter(&t, t.a, 3);
	device_peer_set_psk(&t.b->device, t.ba, psk);
	assert_talking(&t);
	chatter(&t, t.a, 125);
	assert_int_equal(initiations(&t), 2);
	assert_talking(&t);

	psk[0] = 9; /* only one side: the next handshake fails */
	device_peer_set_psk(&t.a->device, t.ab, psk);
	device_zero_all(&t.a->device, t.w->now_ns);
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_int_equal(t.a->last, REASON_bad_handshake);
	assert_null(atomic_load(&t.ab->current));
	device_peer_set_psk(&t.b->device, t.ba, psk); /* heals by itself */
	world_pass(t.w, 6);
	assert_talking(&t);
	world_free(t.w);
}

static void zero_all(void **state)
{
	struct pair t = connected();

	(void)state;
	device_peer_set_keepalive(&t.a->device, t.ab, 30, t.w->now_ns);
	device_zero_all(&t.a->device, t.w->now_ns);
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 1);
	assert_null(atomic_load(&t.ab->current));
	assert_null(t.ab->previous);
	world_run(t.w, t.w->now_ns + 1);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2); /* for the keepalive */
	world_pass(t.w, 1);
	assert_talking(&t);
	device_zero_all(&t.b->device, t.w->now_ns);
	node_check(t.b);
	assert_int_equal(t.b->begun_count, 0);
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0); /* nothing asks for one */
	world_free(t.w);
}

/* Nobody looks at the clock for 200 s, and then everything is due at once, a keepalive too: it leaves
 * under no key that has ended. Then the other side, which was not stopped, sends under the old one. */
static void stopped_for_long(void **state)
{
	struct pair t = connected();
	struct datagram late;
	unsigned data, initiations_before;

	(void)state;
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns);
	world_pass(t.w, 1);
	node_send(t.b, t.ba);
	late = intercept(t.w, WIRE_DATA);
	data = t.a->sent[WIRE_DATA];
	initiations_before = t.a->sent[WIRE_INITIATION];
	t.w->now_ns += SECONDS(200);
	device_tick(&t.a->device, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_DATA], data);
	assert_int_equal(t.a->sent[WIRE_INITIATION], initiations_before + 1);
	assert_false(node_seal(t.a, t.ab, (uint8_t[sizeof(struct payload)]){ 0 },
			       sizeof(struct payload)));
	data = t.a->received_data;
	node_open(t.a, &late);
	assert_int_equal(t.a->received_data, data);
	world_pass(t.w, 1);
	assert_talking(&t);
	world_free(t.w);
}

/* Adds @count peers that nobody answers for, each with its own key. */
static void add_silent_peers(struct node *n, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct endpoint nobody = world_address((uint8_t)(100 + i), 1);
		uint8_t key[WIRE_KEY_LEN];
		struct peer *p;

		node_random(n, key, sizeof(key));
		assert_int_equal(device_peer_add(&n->device, key, &p), 0);
		device_peer_set_endpoint(&n->device, p, &nobody);
	}
}

/* Calls device_tick() until nothing is due, and checks that no call takes longer than its turn. Returns
 * the number of calls. */
static unsigned tick_in_turns(struct node *n)
{
	uint64_t now_ns = n->world->now_ns, before;
	unsigned calls = 0;

	while (device_next(&n->device) <= now_ns) {
		before = n->clock_ahead_ns;
		device_tick(&n->device, now_ns);
		assert_in_range(n->clock_ahead_ns - before, 0, PASS_TURN_NS + NS_PER_MS);
		calls++;
	}
	return calls;
}

/* The timers of many peers expire at once, and each takes a millisecond. Between two turns the device
 * answers the handshake of another peer, and every peer is served once. */
static void many_timers_at_once(void **state)
{
	enum { SILENT = 40 };
	struct pair t = meet();
	struct node *n = t.b;

	(void)state;
	add_silent_peers(n, SILENT);
	n->clock_step_ns = NS_PER_MS;
	for (struct peer *p = n->device.first->list_next; p; p = p->list_next) {
		stage_push(&p->stage, "packet", 6);
		device_want_handshake(&n->device, p, t.w->now_ns);
	}
	assert_int_equal(n->sent[WIRE_INITIATION], SILENT);
	t.w->now_ns += SECONDS(6); /* all retries are due, whatever their jitter */

	device_tick(&n->device, t.w->now_ns);
	assert_in_range(n->sent[WIRE_INITIATION], SILENT + 1, SILENT + 6);
	assert_true(device_next(&n->device) <= t.w->now_ns);
	device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
	for (struct datagram *dg; !n->sent[WIRE_RESPONSE]; free(dg)) {
		dg = world_unqueue(t.w);
		if (endpoint_same_remote(&dg->to, &n->address))
			node_input(n, dg);
	}
	assert_true(tick_in_turns(n) >= SILENT / 6);
	assert_int_equal(n->sent[WIRE_INITIATION], 2 * SILENT);
	world_free(t.w);
}

/* A new private key, or a suspend, asks for a handshake with every peer at once. What takes long is
 * left to device_tick(); the old keys are gone before that. */
static void many_handshakes_at_once(void **state)
{
	enum { SILENT = 40 };
	struct world *w = world_new(1, 1);
	struct node *n = w->nodes;

	(void)state;
	add_silent_peers(n, SILENT);
	for (struct peer *p = n->device.first; p; p = p->list_next)
		device_peer_set_keepalive(&n->device, p, 25, w->now_ns);
	assert_int_equal(n->sent[WIRE_INITIATION], SILENT);
	n->clock_step_ns = NS_PER_MS;
	for (unsigned i = 0; i < 3; i++) {
		w->now_ns += SECONDS(1);
		n->sent[WIRE_INITIATION] = 0;
		if (i == 0)
			node_new_key(n);
		else if (i == 1)
			device_zero_all(&n->device, w->now_ns);
		else
			device_set_up(&n->device, false, w->now_ns);
		device_set_up(&n->device, true, w->now_ns);
		assert_int_equal(n->sent[WIRE_INITIATION], 0);
		assert_int_equal(n->begun_count, 0);
		w->now_ns++;
		assert_true(tick_in_turns(n) >= SILENT / 6);
		assert_int_equal(n->sent[WIRE_INITIATION], SILENT);
	}
	world_free(w);
}

static void peers_and_slots(void **state)
{
	enum { MANY = 1000 };
	struct world *w = world_new(1, 1);
	struct node *n = &w->nodes[0];
	struct device *d = &n->device;
	struct peer **peers = calloc(MANY, sizeof(*peers)), *p;
	uint8_t key[WIRE_KEY_LEN];
	unsigned i = 0;

	(void)state;
	assert_non_null(peers);
	for (i = 0; i < MANY; i++) {
		node_random(n, key, sizeof(key));
		assert_int_equal(device_peer_add(d, key, &peers[i]), 0);
		assert_int_equal(peers[i]->slot, i);
		assert_ptr_equal(device_find(d, key), peers[i]);
	}
	assert_int_equal(device_peer_add(d, key, &p), -EEXIST);
	for (i = 0, p = d->first; p; p = p->list_next)
		assert_ptr_equal(p, peers[i++]);
	assert_int_equal(i, MANY);
	memcpy(key, peers[500]->remote.public, sizeof(key));
	device_peer_remove(d, peers[500]);
	assert_null(device_find(d, key));
	n->peer_error = -ENOSPC; /* the map is full: nothing has changed */
	assert_int_equal(device_peer_add(d, key, &p), -ENOSPC);
	assert_int_equal(d->peer_count, MANY - 1);
	n->peer_error = 0;
	assert_int_equal(device_peer_add(d, key, &p), 0);
	assert_int_equal(p->slot, 500); /* used again */
	assert_ptr_equal(d->last, p);	/* but last in order */
	device_peer_set_name(d, p, "a name that is much longer than the room there is for it");
	assert_int_equal(strlen(p->name), PEER_NAME_LEN - 1);
	device_peers_clear(d);
	assert_int_equal(d->peer_count, 0);
	assert_null(d->first);
	assert_int_equal(n->peers_begun, 0);
	free(peers);
	world_free(w);
}

/* What waited for a peer that is removed is counted, with what was dropped before. */
static void removal_counts_what_waited(void **state)
{
	struct pair t = meet();

	(void)state;
	t.w->loss_percent = 100;
	for (unsigned i = 0; i < 7; i++)
		node_send(t.a, t.ab);
	assert_int_equal(t.ab->stage.count, 7);
	device_peer_remove(&t.a->device, t.ab);
	assert_int_equal(t.a->device.counts[REASON_no_session], 7);
	world_free(t.w);
}

static void prefixes(void **state)
{
	struct pair t = connected();
	struct prefix p = { .family = AF_INET, .length = 8, .addr = { 10 } };
	uint8_t addr[4] = { 10, 1, 2, 3 };

	(void)state;
	assert_int_equal(device_peer_allow(&t.a->device, t.ab, &p), 0);
	assert_ptr_equal(allowedips_lookup4(t.a->device.allowed, addr), t.ab);
	device_peer_disallow(&t.a->device, t.ab, &p);
	assert_null(allowedips_lookup4(t.a->device.allowed, addr));
	assert_int_equal(device_peer_allow(&t.a->device, t.ab, &p), 0);
	device_peer_remove(&t.a->device, t.ab); /* with all that it has */
	assert_null(allowedips_lookup4(t.a->device.allowed, addr));
	assert_int_equal(t.a->begun_count, 0);
	world_free(t.w);
}

/* What the world refuses ----------------------------------------------------------------------- */

/* No message with an index that is not known leaves; the next try may work. */
static void full_maps(void **state)
{
	struct pair t = meet();

	(void)state;
	t.a->index_error = -ENOSPC;
	node_send(t.a, t.ab);
	assert_int_equal(initiations(&t), 0);
	node_check(t.a);
	t.a->index_error = 0;
	t.b->index_error = -ENOSPC;
	world_pass(t.w, 6);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	assert_int_equal(t.b->sent[WIRE_RESPONSE], 0);
	assert_int_equal(t.b->last, REASON_no_resources);
	t.b->index_error = 0;
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 1);
	assert_talking(&t);
	world_free(t.w);
}

/* The session cannot be published when the response comes: as if it had not come. */
static void full_map_at_response(void **state)
{
	struct pair t = meet();
	struct datagram response;

	(void)state;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.0015);
	response = intercept(t.w, WIRE_RESPONSE);
	t.a->index_error = -ENOSPC;
	assert_int_equal(node_input(t.a, &response), REASON_no_resources);
	assert_int_equal(t.a->begun_count, 0);
	node_check(t.a);
	t.a->index_error = 0;
	world_pass(t.w, 6);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

static void unreachable_network(void **state)
{
	struct pair t = meet();

	(void)state;
	t.a->send_error = -ENETUNREACH;
	node_send(t.a, t.ab);
	world_pass(t.w, 12);
	assert_int_equal(t.ab->tx_bytes, 0); /* nothing went, nothing is counted */
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_RETRY], 2);
	t.a->send_error = 0;
	world_pass(t.w, 5);
	assert_int_equal(t.b->received_data, 1);
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
		cmocka_unit_test(retries_and_gives_up),
		cmocka_unit_test(gives_up_though_answering),
		cmocka_unit_test(renewed_by_the_initiator),
		cmocka_unit_test(renewed_after_receiving),
		cmocka_unit_test(expires),
		cmocka_unit_test(passive_keepalive),
		cmocka_unit_test(unanswered),
		cmocka_unit_test(persistent_keepalive),
		cmocka_unit_test(persistent_through_an_outage),
		cmocka_unit_test(roaming),
		cmocka_unit_test(private_key_changed),
		cmocka_unit_test(own_key),
		cmocka_unit_test(psk_changed),
		cmocka_unit_test(zero_all),
		cmocka_unit_test(stopped_for_long),
		cmocka_unit_test(many_timers_at_once),
		cmocka_unit_test(many_handshakes_at_once),
		cmocka_unit_test(peers_and_slots),
		cmocka_unit_test(removal_counts_what_waited),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(full_maps),
		cmocka_unit_test(full_map_at_response),
		cmocka_unit_test(unreachable_network),
	};

	return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
