/* SPDX-License-Identifier: MIT */
/*
 * test_rules.c - tests the limits in section 6 of the WireGuard paper exactly at their edges. The
 * last column names the tests:
 *
 *   messages      either side renews the session after 2^60 messages;       messages_*
 *                 it ends after 2^64 - 2^13 - 1 messages
 *   time          the initiator renews after 120 s; a session ends          age
 *                 after 180 s
 *   retries       after 5 s and up to 334 ms of jitter                      jitter
 *   initiations   a peer may send at most 50 a second                       flood
 *   keepalives    unanswered data causes one keepalive;                     *_keepalives
 *                 a keepalive causes none
 */
#include "pair.h"

#include "wg/device_private.h"

static struct session *current(const struct peer *p)
{
	return atomic_load(&p->current);
}

/* Sets the counter of the next message that is sent to @p. */
static void set_counter(const struct peer *p, uint64_t counter)
{
	atomic_store(&current(p)->send_counter, counter);
}

/* Waits until the previous handshake is so long ago that either node may begin another one. */
static void past_the_last_try(struct pair *t)
{
	world_pass(t->w, REKEY_TIMEOUT_S + 1);
}

static void messages_renew_by(struct pair *t, struct node *n, struct peer *p)
{
	past_the_last_try(t);
	n->sent[WIRE_INITIATION] = 0;
	set_counter(p, REKEY_AFTER_MESSAGES - 2);
	node_send(n, p); /* 2^60 - 2 is the counter of message number 2^60 - 1 */
	assert_int_equal(n->sent[WIRE_INITIATION], 0);
	node_send(n, p);
	assert_int_equal(n->sent[WIRE_INITIATION], 1);
	world_pass(t->w, 1);
	assert_true(atomic_load(&current(p)->send_counter) < 10);
	assert_talking(t);
}

static void messages_renew(void **state)
{
	struct pair t = connected();

	(void)state;
	assert_true(current(t.ab)->initiator);
	messages_renew_by(&t, t.a, t.ab);
	messages_renew_by(&t, t.b, t.ba); /* the responder renews, too */
	assert_true(current(t.ba)->initiator);
	world_free(t.w);
}

static void messages_end(void **state)
{
	struct pair t = connected();
	unsigned heard;

	(void)state;
	past_the_last_try(&t);
	t.w->loss_percent = 100;
	set_counter(t.ab, REKEY_AFTER_MESSAGES);
	node_send(t.a, t.ab); /* requests a handshake, which is not answered */
	t.w->loss_percent = 0;
	heard = t.b->received_data;
	set_counter(t.ab, REJECT_AFTER_MESSAGES - 1);
	node_send(t.a, t.ab);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->received_data, heard + 1); /* the message with the last counter */
	node_send(t.a, t.ab);
	peer_timers_keepalive(&t.a->device, t.ab, t.w->now_ns);
	world_pass(t.w, 0.1);
	assert_int_equal(t.b->received_data, heard + 1);
	assert_int_equal(t.ab->stage.count, 1);
	world_pass(t.w, 6); /* the waiting packet leaves under the new session */
	assert_int_equal(t.b->received_data, heard + 2);
	world_free(t.w);
}

/* Lets node a send one packet, and takes the message out of the network. */
static struct datagram packet_of(struct pair *t)
{
	node_send(t->a, t->ab);
	return intercept(t->w, WIRE_DATA);
}

static void age(void **state)
{
	struct pair t = connected();
	uint64_t born = current(t.ba)->born_ns; /* the responder's session begins first */
	struct datagram early, late;

	(void)state;
	world_pass(t.w, 60);	 /* no keepalive is owed any more */
	t.w->loss_percent = 100; /* all renewals fail */
	world_run(t.w, born + SECONDS(REKEY_AFTER_TIME_S));
	node_send(t.b, t.ba); /* time alone never makes the responder renew */
	assert_int_equal(t.b->sent[WIRE_INITIATION], 0);
	world_run(t.w, current(t.ab)->born_ns + SECONDS(REKEY_AFTER_TIME_S) - 1);
	node_send(t.a, t.ab);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 1);
	world_run(t.w, t.w->now_ns + 1);
	node_send(t.a, t.ab);
	assert_int_equal(t.a->sent[WIRE_INITIATION], 2);

	world_run(t.w, born + SECONDS(REJECT_AFTER_TIME_S) - SECONDS(0.5));
	t.w->loss_percent = 0;
	early = packet_of(&t);
	late = packet_of(&t);
	t.w->now_ns = born + SECONDS(REJECT_AFTER_TIME_S) - 1;
	t.b->received_data = 0;
	node_open(t.b, &early);
	assert_int_equal(t.b->received_data, 1);
	t.w->now_ns = born + SECONDS(REJECT_AFTER_TIME_S);
	node_open(t.b, &late);
	assert_int_equal(t.b->received_data, 1);
	assert_false(session_may_send(current(t.ba), t.w->now_ns));
	world_free(t.w);
}

/* The jitter is not always the same, uses its whole range, and never exceeds it. */
static void jitter(void **state)
{
	struct pair t = meet();
	uint64_t last, gap, least = UINT64_MAX, most = 0;

	(void)state;
	t.w->loss_percent = 100;
	node_send(t.a, t.ab);
	for (unsigned tries = 1; tries <= 1000; tries++) {
		last = t.w->now_ns;
		node_send(t.a, t.ab); /* so that retries continue */
		while (t.a->sent[WIRE_INITIATION] == tries)
			world_run(t.w, device_next(&t.a->device));
		gap = t.w->now_ns - last;
		least = gap < least ? gap : least;
		most = gap > most ? gap : most;
	}
	assert_in_range(least, SECONDS(REKEY_TIMEOUT_S), SECONDS(REKEY_TIMEOUT_S + 0.005));
	assert_in_range(most, SECONDS(REKEY_TIMEOUT_S + 0.329), SECONDS(REKEY_TIMEOUT_S + 0.334));
	assert_int_equal(t.a->events[DEVICE_HANDSHAKE_GIVEN_UP], 0);
	world_free(t.w);
}

/* A misbehaving peer with valid keys sends a hundred new initiations in a second. Only
 * INITIATIONS_PER_SECOND of them are accepted. */
static void flood(void **state)
{
	struct pair t = meet();
	unsigned taken = 0;
	struct datagram dg;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		device_zero_all(&t.a->device, t.w->now_ns);
		device_want_handshake(&t.a->device, t.ab, t.w->now_ns);
		t.a->unix_offset_ns += SECONDS(1); /* each initiation has a newer timestamp */
		dg = intercept(t.w, WIRE_INITIATION);
		taken += node_input(t.b, &dg) == REASON_none;
		if (t.w->queue)
			free(world_unqueue(t.w)); /* the response */
		t.w->now_ns += 10 * NS_PER_MS;
	}
	assert_int_equal(taken, INITIATIONS_PER_SECOND);
	assert_int_equal(t.b->device.counts[REASON_rate_limited], 100 - INITIATIONS_PER_SECOND);
	assert_int_equal(t.b->begun_count, 1); /* each session replaced the previous one */
	world_free(t.w);
}

/* After any exchange of data, at most one side sends a keepalive, and nothing else is sent. */
static void no_keepalives_for_keepalives(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 4; what++) {
		struct pair t = connected();
		unsigned expected = what == 1 || what == 2;

		world_pass(t.w, 30);
		t.a->received_empty = t.b->received_empty = 0;
		if (what & 1)
			node_send(t.a, t.ab);
		if (what & 2) {
			world_pass(t.w, 3);
			/* node b answers, and then node a owes the keepalive */
			node_send(t.b, t.ba);
			expected = 1;
		}
		world_pass(t.w, 85); /* before either side is due to renew */
		assert_int_equal(t.a->received_empty + t.b->received_empty, expected);
		assert_int_equal(initiations(&t), 1);
		world_free(t.w);
	}
}

/* If more data arrives while a keepalive is owed, the kernel's driver and wireguard-go send a
 * second keepalive 10 s after the first. They may also send persistent keepalives often. We answer
 * none of these. */
static void keepalives_of_others(void **state)
{
	struct pair t = connected();
	unsigned sent;

	(void)state;
	node_send(t.a, t.ab);
	world_pass(t.w, 5);
	node_send(t.a, t.ab);
	sent = t.a->sent[WIRE_DATA];
	/* 10 s after the first data message, b sends a keepalive, as other implementations do. */
	world_pass(t.w, 5.1);
	/* Other implementations send a second keepalive 10 s later, and may send persistent ones.
	 * Our device sends neither, so the test sends them for b. */
	world_pass(t.w, 10);
	peer_timers_keepalive(&t.b->device, t.ba, t.w->now_ns);
	for (unsigned i = 0; i < 12; i++) {
		world_pass(t.w, 5);
		peer_timers_keepalive(&t.b->device, t.ba, t.w->now_ns);
	}
	world_pass(t.w, 1);
	assert_int_equal(t.a->received_empty, 14);
	assert_int_equal(t.a->sent[WIRE_DATA], sent);
	assert_int_equal(initiations(&t), 1);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_renew),
		cmocka_unit_test(messages_end),
		cmocka_unit_test(age),
		cmocka_unit_test(jitter),
		cmocka_unit_test(flood),
		cmocka_unit_test(no_keepalives_for_keepalives),
		cmocka_unit_test(keepalives_of_others),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
