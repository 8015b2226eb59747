/* SPDX-License-Identifier: MIT */
/* test_timers.c - each deadline in section 6 of the WireGuard paper. The clock is a number, and
 * each test begins at T0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "wg/timers.h"
#include "wgxdp/limits.h"

#define T0 (5000 * NS_PER_S)
#define AT(s) (T0 + (uint64_t)((s)*1e9))

static struct timers fresh(void)
{
	struct timers t;

	memset(&t, 0xff, sizeof(t));
	t.persistent_s = 0;
	atomic_init(&t.watched, false);
	timers_reset(&t);
	t.attempts = 0;
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
	return t;
}

/* Checks that nothing is due before @at, that exactly the timers in @due are due at @at, and that
 * they are due only once. */
static void expect(struct timers *t, uint64_t at, unsigned due)
{
	assert_int_equal(timers_next(t, at - 1), at);
	assert_int_equal(timers_due(t, at - 1), 0);
	assert_int_equal(timers_due(t, at), due);
	assert_int_equal(timers_due(t, at), 0);
}

static void nothing(void **state)
{
	struct timers t = fresh();

	(void)state;
	assert_int_equal(timers_due(&t, TIMERS_NEVER - 1), 0);
	assert_true(timers_may_initiate(&t, 1));
	assert_false(timers_sent(&t, false, T0)); /* a keepalive needs no answer */
	assert_false(timers_received(&t, false, T0));
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
}

static void unanswered(void **state)
{
	struct timers t = fresh();

	(void)state;
	assert_true(timers_sent(&t, true, T0));
	assert_false(timers_sent(&t, true, AT(3))); /* the time of the first packet counts */
	expect(&t, AT(15), TIMERS_NEW_HANDSHAKE);
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);

	assert_true(timers_sent(&t, true, AT(20)));
	assert_false(timers_received(&t, false, AT(21))); /* a keepalive is an answer */
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
	assert_int_equal(timers_due(&t, AT(100)), 0);
	assert_true(timers_sent(&t, true, AT(30)));
	expect(&t, AT(45), TIMERS_NEW_HANDSHAKE);
}

/* TIMERS_NEW_HANDSHAKE is delayed by the jitter of the last initiation, so that two sides do not
 * begin in the same millisecond again and again. */
static void unanswered_with_jitter(void **state)
{
	struct timers t = fresh();

	(void)state;
	timers_initiation_sent(&t, T0, 123);
	timers_handshake_done(&t); /* ends the retries but keeps the jitter */
	timers_sent(&t, true, AT(1));
	expect(&t, AT(16.123), TIMERS_NEW_HANDSHAKE);
	timers_sent(&t, true, AT(20));
	timers_initiation_sent(&t, AT(21), REKEY_TIMEOUT_JITTER_MS); /* draws a new jitter */
	timers_handshake_done(&t);
	expect(&t, AT(35.334), TIMERS_NEW_HANDSHAKE);
	timers_received(&t, true, AT(40)); /* a passive keepalive has no jitter */
	expect(&t, AT(50), TIMERS_KEEPALIVE);
	timers_reset(&t);
	timers_sent(&t, true, AT(60));
	expect(&t, AT(75), TIMERS_NEW_HANDSHAKE);
}

static void passive_keepalive(void **state)
{
	struct timers t = fresh();

	(void)state;
	assert_true(timers_received(&t, true, T0));
	assert_false(timers_received(&t, true, AT(9)));
	expect(&t, AT(10), TIMERS_KEEPALIVE);
	timers_sent(&t, false, AT(10));
	/* A keepalive needs no keepalive in return. */
	assert_int_equal(timers_next(&t, AT(10)), TIMERS_NEVER);

	assert_true(timers_received(&t, true, AT(20)));
	timers_sent(&t, true, AT(22)); /* data that we send replaces the keepalive */
	assert_int_equal(timers_next(&t, AT(28)), AT(22 + 15));
}

static void persistent_keepalive(void **state)
{
	struct timers t = fresh();

	(void)state;
	t.persistent_s = 25;
	assert_int_equal(timers_next(&t, T0), 0); /* nothing was ever sent: due at once */
	assert_int_equal(timers_due(&t, T0), TIMERS_PERSISTENT);
	/* due one interval later, even if nothing could be sent */
	expect(&t, AT(25), TIMERS_PERSISTENT);
	timers_sent(&t, false, AT(30));
	assert_int_equal(timers_due(&t, AT(50)), 0);
	timers_received(&t, false, AT(40)); /* traffic in either direction delays the keepalive */
	expect(&t, AT(65), TIMERS_PERSISTENT);
	t.persistent_s = 0;
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
	assert_int_equal(timers_due(&t, AT(1000)), 0);
	t.persistent_s = UINT16_MAX;
	timers_sent(&t, false, AT(1000));
	expect(&t, AT(1000 + UINT16_MAX), TIMERS_PERSISTENT);
}

static void retries(void **state)
{
	struct timers t = fresh();
	uint64_t now = T0;
	unsigned tries = 1;

	(void)state;
	timers_initiation_sent(&t, now, 0);
	assert_false(timers_may_initiate(&t, AT(5) - 1));
	assert_true(timers_may_initiate(&t, AT(5)));
	for (;; tries++) {
		uint64_t at = now + 5 * NS_PER_S + (tries == 1 ? 0 : 100 * NS_PER_MS);

		if (at >= AT(90))
			break;
		expect(&t, at, TIMERS_RETRY);
		now = at;
		timers_initiation_sent(&t, now, 100);
		assert_int_equal(t.attempts, tries + 1);
	}
	assert_in_range(tries, 17, 18);
	assert_int_equal(timers_due(&t, now + 6 * NS_PER_S), TIMERS_GIVE_UP);
	expect(&t, now + (6 + ZERO_AFTER_TIME_S) * NS_PER_S, TIMERS_ZERO);
	assert_int_equal(t.attempts, 0);

	/* after the retries were given up, a new handshake is retried again */
	timers_initiation_sent(&t, AT(2000), REKEY_TIMEOUT_JITTER_MS);
	expect(&t, AT(2005.334), TIMERS_RETRY);
}

/* [W] 6.4: retries end after 90 s. The 90 s start again when another packet needs a
 * session. */
static void retries_go_on_for_data(void **state)
{
	struct timers t = fresh();

	(void)state;
	timers_initiation_sent(&t, T0, 0);
	timers_handshake_wanted(&t, AT(4));
	/* The next initiation is due exactly REKEY_TIMEOUT_S after the last one. */
	assert_int_equal(timers_next(&t, T0), AT(5));
	t.retry_at_ns = AT(93.9);
	assert_int_equal(timers_due(&t, AT(93.9)), TIMERS_RETRY);
	t.retry_at_ns = AT(94);
	assert_int_equal(timers_due(&t, AT(94)), TIMERS_GIVE_UP);
}

/* A request for a handshake within REKEY_TIMEOUT_S of the last initiation or response is delayed
 * and not lost. */
static void wanted_too_early(void **state)
{
	struct timers t = fresh();

	(void)state;
	timers_response_sent(&t, T0);
	assert_false(timers_may_initiate(&t, AT(1)));
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
	timers_handshake_wanted(&t, AT(1));
	expect(&t, AT(5), TIMERS_RETRY);
	timers_handshake_wanted(&t, AT(2));
	timers_handshake_done(&t);
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
}

static void give_up_owes_nothing(void **state)
{
	struct timers t = fresh();

	(void)state;
	timers_initiation_sent(&t, T0, 0);
	t.retry_at_ns = AT(91);
	timers_received(&t, true, AT(90));
	assert_int_equal(timers_due(&t, AT(91)), TIMERS_GIVE_UP);
	expect(&t, AT(91 + 540), TIMERS_ZERO);
}

static void zero(void **state)
{
	struct timers t = fresh();

	(void)state;
	timers_session_begun(&t, T0);
	timers_session_begun(&t, AT(120)); /* the 540 s are counted from the newest session */
	expect(&t, AT(120 + 540), TIMERS_ZERO);
	t.index_reap_ns = AT(700);
	expect(&t, AT(700), TIMERS_REAP);
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
}

static void several_at_once(void **state)
{
	struct timers t = fresh();

	(void)state;
	t.persistent_s = 1;
	timers_sent(&t, true, T0);
	timers_session_begun(&t, T0);
	atomic_store(&t.owed_since_ns, T0);
	timers_initiation_sent(&t, AT(0), 0);
	t.index_reap_ns = AT(185);
	assert_int_equal(timers_next(&t, T0), AT(1));
	assert_int_equal(timers_due(&t, AT(600)), TIMERS_GIVE_UP | TIMERS_NEW_HANDSHAKE |
							  TIMERS_PERSISTENT | TIMERS_ZERO |
							  TIMERS_REAP);
}

static void reset(void **state)
{
	struct timers t = fresh();

	(void)state;
	t.persistent_s = 7;
	timers_sent(&t, true, T0);
	timers_received(&t, true, T0);
	timers_initiation_sent(&t, T0, 0);
	timers_session_begun(&t, T0);
	t.index_reap_ns = T0;
	timers_reset(&t);
	assert_int_equal(t.persistent_s, 7);
	assert_true(timers_may_initiate(&t, T0));
	t.persistent_s = 0;
	assert_int_equal(timers_next(&t, T0), TIMERS_NEVER);
}

/* If a packet starts a timer, timers_sent() and timers_received() return true, so that the worker
 * notifies the control thread. If the control thread will look at the timers within 10 s anyway,
 * both functions return false. */
static void watched(void **state)
{
	struct timers t = fresh();

	(void)state;
	assert_true(timers_sent(&t, true, T0));
	assert_false(timers_received(&t, true, AT(1)));
	assert_int_equal(timers_next(&t, AT(1)), AT(11));
	timers_sent(&t, false, AT(2));
	assert_false(timers_received(&t, true, AT(3)));

	/* At 11 s the control thread learns that data was received at 3 s and a keepalive is
	 * owed. */
	assert_int_equal(timers_due(&t, AT(11)), 0);
	assert_int_equal(timers_next(&t, AT(11)), AT(13));
	assert_int_equal(timers_due(&t, AT(13)), TIMERS_KEEPALIVE);

	/* Nothing is owed or unanswered any more, so the next packet must wake the control
	 * thread. */
	timers_sent(&t, false, AT(13));
	assert_int_equal(timers_next(&t, AT(13)), TIMERS_NEVER);
	assert_true(timers_sent(&t, true, AT(14)));

	/* The data sent at 14 s must be answered before 29 s. But data that arrives at 14.5 s makes
	 * a keepalive due at 24.5 s, and the worker does not notify the control thread of this
	 * data. The control thread therefore looks at the timers at 24 s. */
	assert_int_equal(timers_next(&t, AT(14)), AT(24));
	assert_false(timers_received(&t, true, AT(14.5)));
	assert_int_equal(timers_next(&t, AT(24)), AT(24.5));
}

enum { ROUNDS = 20000 };

static struct {
	struct timers t;
	_Atomic uint64_t now_ns;
	_Atomic bool noted, done;
} shared;

static void *worker(void *arg)
{
	(void)arg;
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		atomic_store(&shared.now_ns, i);
		if (timers_received(&shared.t, true, i))
			atomic_store(&shared.noted, true);
		timers_sent(&shared.t, false, i);
		/* Let the control thread often look at the timers while nothing is owed. */
		if (i % 64 == 0)
			sched_yield();
	}
	atomic_store(&shared.now_ns, ROUNDS + 1);
	if (timers_received(&shared.t, true, ROUNDS + 1))
		atomic_store(&shared.noted, true);
	atomic_store(&shared.done, true);
	return NULL;
}

/* A worker and the control thread run at the same time. Whatever the order of their steps, the
 * control thread must in the end know the last deadline, or have planned to look at the timers
 * before that deadline. */
static void no_deadline_is_lost(void **state)
{
	uint64_t next = TIMERS_NEVER, last = ROUNDS + 1 + 10 * NS_PER_S;
	pthread_t thread;
	bool done;

	(void)state;
	shared.t = fresh();
	assert_int_equal(pthread_create(&thread, NULL, worker, NULL), 0);
	do {
		done = atomic_load(&shared.done);
		if (atomic_exchange(&shared.noted, false))
			next = timers_next(&shared.t, atomic_load(&shared.now_ns));
	} while (!done);
	pthread_join(thread, NULL);
	assert_true(next <= last);
	if (next < last)
		next = timers_next(&shared.t, next);
	assert_int_equal(next, last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing),
		cmocka_unit_test(unanswered),
		cmocka_unit_test(unanswered_with_jitter),
		cmocka_unit_test(passive_keepalive),
		cmocka_unit_test(persistent_keepalive),
		cmocka_unit_test(retries),
		cmocka_unit_test(retries_go_on_for_data),
		cmocka_unit_test(wanted_too_early),
		cmocka_unit_test(give_up_owes_nothing),
		cmocka_unit_test(zero),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(reset),
		cmocka_unit_test(watched),
		cmocka_unit_test(no_deadline_is_lost),
	};

	return cmocka_run_group_tests_name("timers", tests, NULL, NULL);
}
