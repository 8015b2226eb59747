/* SPDX-License-Identifier: MIT */
/*
 * test_handshake_rx.c - the control thread handles several messages in one turn of its loop. The
 * linker replaces loop_now_ns() in handshake_rx.c by a clock that advances with each reading, as if
 * the thread was delayed between two messages.
 */
#include "pair.h"
#include "path/handoff.h"
#include "sync/handshake_rx.h"
#include "util/loop.h"

static uint64_t clock_ns, delay_ns;

uint64_t __wrap_loop_now_ns(void);
uint64_t __wrap_loop_now_ns(void)
{
	return clock_ns += delay_ns;
}

/* Delivers two initiations from node a to node b in one turn of the loop. Returns how many
 * responses node b sent. */
static unsigned responses(struct pair *t)
{
	struct loop *loop = loop_new();
	struct handshake_rx rx;
	struct handshake_rx_config config = { .loop = loop, .device = &t->b->device };

	assert_non_null(loop);
	assert_int_equal(handshake_rx_init(&rx, &config), 0);
	t->w->loss_percent = 100;
	node_send(t->a, t->ab);
	world_pass(t->w, REKEY_TIMEOUT_S + 1);
	for (unsigned i = 1; i <= 2; i++) {
		const struct datagram *dg = &t->w->history[i];

		assert_int_equal(dg->data[0], WIRE_INITIATION);
		assert_true(handoff_message(rx.inbox, &dg->from, dg->data, (uint16_t)dg->len));
	}
	clock_ns = t->w->now_ns;
	loop_timer_arm(&rx.rest_timer, 0);
	assert_int_equal(loop_once(loop), 0);
	assert_false(handoff_messages_waiting(rx.inbox));
	handshake_rx_done(&rx);
	loop_free(loop);
	return t->b->sent[WIRE_RESPONSE];
}

/* A peer's next initiation may arrive while the thread is delayed. The rate limit uses the time at
 * which this initiation is handled, not the time at which the turn of the loop began. */
static void initiation_after_a_delay(void **state)
{
	struct pair t = meet();

	(void)state;
	delay_ns = NS_PER_S / INITIATIONS_PER_SECOND + NS_PER_MS;
	assert_int_equal(responses(&t), 2);
	assert_int_equal(t.b->device.counts[REASON_rate_limited], 0);
	world_free(t.w);
}

static void initiations_at_once(void **state)
{
	struct pair t = meet();

	(void)state;
	delay_ns = 0;
	assert_int_equal(responses(&t), 1);
	assert_int_equal(t.b->device.counts[REASON_rate_limited], 1);
	world_free(t.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(initiation_after_a_delay),
		cmocka_unit_test(initiations_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
