/* SPDX-License-Identifier: MIT */
/* test_session.c - a session ends after a time, after a number of messages, and when it is revoked.
 * session_take_counters() returns each counter only once, even to two threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "wg/session.h"
#include "wgxdp/limits.h"

#define BORN (1000 * NS_PER_S)
#define AFTER(s) (BORN + (s)*NS_PER_S)

static struct session *make(bool initiator)
{
	struct noise_keys keys;
	struct session *s;

	memset(keys.send, 1, sizeof(keys.send));
	memset(keys.recv, 2, sizeof(keys.recv));
	s = session_new(NULL, &keys, initiator, 3, 4, BORN);
	assert_non_null(s);
	assert_memory_equal(s->send_key, keys.send, sizeof(keys.send));
	assert_memory_equal(s->recv_key, keys.recv, sizeof(keys.recv));
	return s;
}

static void time_limits(void **state)
{
	struct session *ours = make(true), *theirs = make(false);

	(void)state;
	/* a clock that is slightly behind does not make a session unusable */
	assert_true(session_may_send(ours, BORN - 1));
	assert_true(session_may_receive(ours, BORN - 1));
	assert_true(session_may_send(ours, AFTER(180) - 1));
	assert_true(session_may_receive(ours, AFTER(180) - 1));
	assert_false(session_may_send(ours, AFTER(180)));
	assert_false(session_may_receive(ours, AFTER(180)));

	assert_false(session_renew_after_send(ours, AFTER(120) - 1));
	assert_true(session_renew_after_send(ours, AFTER(120)));
	assert_false(session_renew_after_send(theirs, AFTER(179)));
	assert_false(session_renew_after_receive(ours, AFTER(165) - 1));
	assert_true(session_renew_after_receive(ours, AFTER(165)));
	assert_false(session_renew_after_receive(theirs, AFTER(179)));
	session_free(ours);
	session_free(theirs);
	session_free(NULL);
}

static void message_limits(void **state)
{
	static const struct {
		uint64_t next;
		unsigned n;
		bool ok;
	} cases[] = {
		{ 0, 1, true },
		{ 0, 64, true },
		{ REJECT_AFTER_MESSAGES - 1, 1, true },
		{ REJECT_AFTER_MESSAGES - 1, 2, false },
		{ REJECT_AFTER_MESSAGES - 64, 64, true },
		{ REJECT_AFTER_MESSAGES - 64, 65, false },
		{ REJECT_AFTER_MESSAGES, 1, false },
		{ REJECT_AFTER_MESSAGES, 0, true },
		{ UINT64_MAX, 1, false },
		{ UINT64_MAX, 0, false },
	};
	struct session *s = make(false);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t first = 12345;

		atomic_store(&s->send_counter, cases[i].next);
		assert_int_equal(session_take_counters(s, cases[i].n, &first), cases[i].ok);
		assert_int_equal(first, cases[i].ok ? cases[i].next : 12345);
		if (cases[i].ok)
			assert_int_equal(atomic_load(&s->send_counter), cases[i].next + cases[i].n);
		else
			assert_false(session_may_send(s, BORN));
	}
	atomic_store(&s->send_counter, REJECT_AFTER_MESSAGES - 1);
	assert_true(session_may_send(s, BORN));
	atomic_store(&s->send_counter, REJECT_AFTER_MESSAGES);
	assert_false(session_may_send(s, BORN));
	assert_true(session_may_receive(s, BORN));

	/* [W] 6.2: after this many messages either side renews the session */
	atomic_store(&s->send_counter, REKEY_AFTER_MESSAGES - 1);
	assert_false(session_renew_after_send(s, BORN));
	atomic_store(&s->send_counter, REKEY_AFTER_MESSAGES);
	assert_true(session_renew_after_send(s, BORN));
	session_free(s);
}

static void revoked(void **state)
{
	struct session *s = make(true);

	(void)state;
	atomic_store(&s->revoked, true);
	assert_false(session_may_send(s, BORN));
	assert_false(session_may_receive(s, BORN));
	session_free(s);
}

enum { TAKES = 20000 };

struct taker {
	struct session *session;
	uint64_t firsts[TAKES];
	unsigned accepted;
};

static void *take(void *arg)
{
	struct taker *t = arg;

	for (unsigned i = 0; i < TAKES; i++) {
		if (!session_take_counters(t->session, 3, &t->firsts[i]))
			return NULL;
		session_lock(t->session);
		t->accepted += replay_accept(&t->session->replay, t->firsts[i]) == 0;
		session_unlock(t->session);
	}
	return t;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Two threads never get the same counter, and the lock keeps the replay window consistent. This
 * test also runs under TSan. */
static void two_threads(void **state)
{
	struct taker *takers = calloc(2, sizeof(*takers));
	uint64_t *all = calloc(2 * TAKES, sizeof(*all));
	struct session *s = make(true);
	pthread_t thread;
	void *ret;

	(void)state;
	assert_true(takers && all);
	takers[0].session = takers[1].session = s;
	assert_int_equal(pthread_create(&thread, NULL, take, &takers[1]), 0);
	assert_non_null(take(&takers[0]));
	pthread_join(thread, &ret);
	assert_non_null(ret);
	for (unsigned i = 0; i < 2 * TAKES; i++)
		all[i] = takers[i / TAKES].firsts[i % TAKES];
	qsort(all, 2 * TAKES, sizeof(*all), by_value);
	for (unsigned i = 0; i < 2 * TAKES; i++)
		assert_int_equal(all[i], 3 * i);
	free(all);
	free(takers);
	session_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_limits),
		cmocka_unit_test(message_limits),
		cmocka_unit_test(revoked),
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
