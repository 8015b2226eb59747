/* SPDX-License-Identifier: MIT */
/*
 * test_peer_timers.c - the timers of two devices, a and b, with the simulated clock and network of
 * world.h.
 */
#include "pair.h"

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
		/* The device has cleared the source address, so that routing chooses a new one. */
		assert_int_equal(t.ab->endpoint.local.v4.s_addr, 0);
	}
	/* The two changes: meet() set the endpoint, and the device cleared the source address. */
	assert_int_equal(t.a->endpoint_changes, 2);
	/* From the third initiation on, the device has reported that no answer came. */
	assert_int_equal(t.a->unanswered, 15);
	assert_int_equal(t.ab->stage.count, STAGED_PER_PEER);
	world_pass(t.w, 12);
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_GIVEN_UP], 1);
	assert_int_equal(t.ab->stage.count, 0);
	assert_int_equal(t.a->device.counts[REASON_no_session], STAGED_PER_PEER);
	assert_in_range(t.a->sent[WIRE_INITIATION], 17, 18);
	assert_int_equal(t.a->begun_count, 1);
	world_pass(t.w, ZERO_AFTER_TIME_S);
	assert_int_equal(t.a->begun_count, 0); /* the pending handshake has ended, too */
	assert_in_range(t.a->sent[WIRE_INITIATION], 17, 18);

	t.w->loss_percent = 0;
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->received_data, 1);
	world_free(t.w);
}

/* The other side begins handshakes and never receives our response. This delays the retries of
 * our own handshake, but we still give up that handshake in time. */
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
	assert_int_equal(t.a->begun_count, 2); /* the previous and the current session */
	assert_int_equal(t.b->begun_count, 2);
	assert_int_equal(t.b->received_data, 1 + 119 + 3); /* the renewal lost no packet */
	chatter(&t, t.a, 70);
	assert_int_equal(t.a->begun_count, 1); /* the previous session's index is released */
	assert_int_equal(t.b->begun_count, 1);
	world_free(t.w);
}

/* If an initiator only receives, it renews its session at 165 s. Keepalives do not trigger a
 * renewal. */
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
	assert_int_equal(t.a->begun_count, 1); /* the index is still in its grace period */
	world_pass(t.w, INDEX_GRACE_S);
	assert_int_equal(t.a->begun_count, 0);
	assert_null(atomic_load(&t.ab->current));
	world_run(t.w, SECONDS(1000 + 540));
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 0);
	world_pass(t.w, 1);
	assert_int_equal(t.a->events[DEVICE_KEYS_WIPED], 1);
	assert_int_equal(device_next(&t.a->device), TIMERS_NEVER);
	chatter(&t, t.b, 1); /* begins a new handshake */
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
	world_pass(t.w, 60); /* node b sends no keepalive in return */
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
	/* node a does not learn that node b has no keys any more */
	device_zero_all(&t.b->device, t.w->now_ns);
	t.ab->endpoint.local.v4.s_addr = htonl(0x0a000001);
	t.ab->endpoint.ifindex = 7;
	since = t.w->now_ns;
	node_send(t.a, t.ab);
	world_pass(t.w, 14.9);
	assert_int_equal(initiations(&t), 1);
	assert_int_equal(t.ab->endpoint.local.v4.s_addr, htonl(0x0a000001));
	t.w->loss_percent = 100; /* without answers, nothing sets the source address again */
	while (initiations(&t) == 1)
		world_run(t.w, world_next(t.w));
	assert_in_range(t.w->now_ns - since, SECONDS(15), SECONDS(15.334));
	/* The device has cleared the source address, so that routing chooses a new one. */
	assert_int_equal(t.ab->endpoint.local.v4.s_addr, 0);
	assert_int_equal(t.ab->endpoint.ifindex, 0);
	t.w->loss_percent = 0;
	world_pass(t.w, 5.4);
	world_pass(t.w, 0.1);
	assert_talking(&t);
	world_free(t.w);
}

/* device_peer_redirect() sets a new address of the peer. It sends an initiation to that address at
 * once if a packet waits for the peer or is unanswered, or if persistent keepalives are on.
 * Otherwise it sends nothing. */
static void redirected(void **state)
{
	struct pair t = meet();
	struct endpoint elsewhere = world_address(200, 51820);
	unsigned sent;

	(void)state;
	device_peer_redirect(&t.a->device, t.ab, &elsewhere, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 0); /* no packet waits for the peer */
	node_send(t.a, t.ab);
	world_pass(t.w, 1);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	device_peer_redirect(&t.a->device, t.ab, &t.b->address, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->received_data, 1); /* the packet that waited */
	assert_true(t.ab->timers.last_received_ns);

	world_pass(t.w, 30);
	sent = t.a->sent[WIRE_INITIATION];
	device_peer_redirect(&t.a->device, t.ab, &elsewhere, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_INITIATION], sent); /* the peer has answered everything */
	node_send(t.a, t.ab);
	device_peer_redirect(&t.a->device, t.ab, &t.b->address, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_INITIATION], sent + 1); /* one unanswered packet */
	world_pass(t.w, 30);
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns);
	sent = t.a->sent[WIRE_INITIATION];
	device_peer_redirect(&t.a->device, t.ab, &elsewhere, t.w->now_ns);
	assert_int_equal(t.a->sent[WIRE_INITIATION], sent + 1);
	world_free(t.w);
}

static void persistent_keepalive(void **state)
{
	struct pair t = meet();
	unsigned before;

	(void)state;
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns); /* starts a handshake */
	world_pass(t.w, 1);
	assert_int_equal(t.a->sent[WIRE_DATA], 1);
	world_pass(t.w, 23.9);
	assert_int_equal(t.a->sent[WIRE_DATA], 1);
	world_pass(t.w, 0.2);
	assert_int_equal(t.a->sent[WIRE_DATA], 2);
	node_send(t.b, t.ba); /* traffic in either direction delays the keepalive */
	world_pass(t.w, 9);
	node_send(t.b, t.ba);
	world_pass(t.w, 24.9); /* meanwhile node a sends only its passive keepalive */
	assert_int_equal(t.a->sent[WIRE_DATA], 3);
	assert_int_equal(t.b->sent[WIRE_DATA], 2);

	device_peer_set_keepalive(&t.a->device, t.ab, 0, t.w->now_ns);
	world_pass(t.w, 100);
	assert_int_equal(t.a->sent[WIRE_DATA], 3);
	device_peer_set_keepalive(&t.a->device, t.ab, 25, t.w->now_ns); /* sends a keepalive */
	assert_int_equal(t.a->sent[WIRE_DATA], 4);
	/* keepalives were already on, so none is sent at once */
	device_peer_set_keepalive(&t.a->device, t.ab, 20, t.w->now_ns);
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

/* With a persistent keepalive the device never gives up for good. After an attempt of 90 s fails,
 * it waits for one keepalive interval and begins the next attempt. */
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

/* The process is stopped for 200 s. Then all timers are due at once, but the keepalive must not use
 * an expired key. A packet that the other side sent under the old key must not be accepted. */
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

/* Adds @count peers that never answer, each with its own key. */
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

/* Calls device_tick() until nothing is due, and checks that no call begins more work after
 * PASS_TURN_NS. Returns the number of calls. */
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

/* The timers of many peers expire at once, and handling each takes a millisecond. Between two calls
 * of device_tick() the device answers the handshake of another peer. Every peer's timer is handled
 * once. */
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

/* After a new private key, after a suspend, and when the device is up again, every peer needs a
 * handshake. The old keys are wiped immediately, but the handshakes are slow, so device_tick()
 * begins them later, over several calls. */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retries_and_gives_up),
		cmocka_unit_test(gives_up_though_answering),
		cmocka_unit_test(renewed_by_the_initiator),
		cmocka_unit_test(renewed_after_receiving),
		cmocka_unit_test(expires),
		cmocka_unit_test(passive_keepalive),
		cmocka_unit_test(unanswered),
		cmocka_unit_test(redirected),
		cmocka_unit_test(persistent_keepalive),
		cmocka_unit_test(persistent_through_an_outage),
		cmocka_unit_test(stopped_for_long),
		cmocka_unit_test(many_timers_at_once),
		cmocka_unit_test(many_handshakes_at_once),
	};

	return cmocka_run_group_tests_name("peer timers", tests, NULL, NULL);
}
