/* SPDX-License-Identifier: MIT */
/* test_qsbr.c - a retired object is freed when, and only when, no online reader can hold it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>

#include "path/qsbr.h"

static unsigned freed;

static void count_free(void *object)
{
	freed++;
	free(object);
}

static void test_nobody_online(void **state)
{
	struct qsbr *g = qsbr_new();

	(void)state;
	freed = 0;
	qsbr_retire(g, malloc(1), count_free);
	assert_int_equal(freed, 0); /* not freed before qsbr_collect() */
	assert_false(qsbr_collect(g));
	assert_int_equal(freed, 1);
	qsbr_free(g);
}

static void test_online_reader_holds(void **state)
{
	struct qsbr *g = qsbr_new();

	(void)state;
	freed = 0;
	qsbr_online(g, 3);
	qsbr_retire(g, malloc(1), count_free);
	assert_true(qsbr_collect(g));
	assert_int_equal(freed, 0);
	qsbr_quiescent(g, 3);
	assert_false(qsbr_collect(g));
	assert_int_equal(freed, 1);
	qsbr_retire(g, malloc(1), count_free);
	assert_true(qsbr_collect(g));
	qsbr_offline(g, 3);
	assert_false(qsbr_collect(g));
	assert_int_equal(freed, 2);
	qsbr_free(g);
}

static void test_the_slowest_decides(void **state)
{
	struct qsbr *g = qsbr_new();

	(void)state;
	freed = 0;
	qsbr_online(g, 0);
	qsbr_online(g, QSBR_READERS_MAX - 1);
	qsbr_retire(g, malloc(1), count_free);
	qsbr_quiescent(g, 0);
	qsbr_retire(g, malloc(1), count_free);
	assert_true(qsbr_collect(g));
	assert_int_equal(freed, 0);
	qsbr_quiescent(g, QSBR_READERS_MAX - 1);
	assert_true(qsbr_collect(g)); /* reader 0 may hold the second object but not the first */
	assert_int_equal(freed, 1);
	qsbr_quiescent(g, 0);
	assert_false(qsbr_collect(g));
	assert_int_equal(freed, 2);
	qsbr_offline(g, 0);
	qsbr_offline(g, QSBR_READERS_MAX - 1);
	qsbr_free(g);
}

static void test_free_frees_all(void **state)
{
	struct qsbr *g = qsbr_new();

	(void)state;
	freed = 0;
	for (int i = 0; i < 100; i++)
		qsbr_retire(g, malloc(1), count_free);
	qsbr_free(g);
	assert_int_equal(freed, 100);
}

/* Readers follow a published pointer while the pointer is replaced again and again. A sanitizer
 * reports any object that is freed too early. */
enum { READERS = 2, ROUNDS = 20000 };

struct shared {
	struct qsbr *g;
	_Atomic(uint64_t *) published;
	_Atomic bool stop;
};

struct reader_arg {
	struct shared *s;
	unsigned id;
	uint64_t sum;
};

static void *reader(void *arg)
{
	struct reader_arg *r = arg;

	qsbr_online(r->s->g, r->id);
	for (unsigned turn = 0; !atomic_load(&r->s->stop); turn++) {
		r->sum += *atomic_load_explicit(&r->s->published, memory_order_acquire);
		if (turn % 7 == 0) {
			qsbr_offline(r->s->g, r->id);
			qsbr_online(r->s->g, r->id);
		} else {
			qsbr_quiescent(r->s->g, r->id);
		}
	}
	qsbr_offline(r->s->g, r->id);
	return NULL;
}

static uint64_t *new_value(uint64_t value)
{
	uint64_t *v = malloc(sizeof(*v));

	assert_non_null(v);
	*v = value;
	return v;
}

static void free_value(void *object)
{
	*(uint64_t *)object = UINT64_MAX; /* a reader that still uses the object gets a wrong sum */
	free(object);
}

static void test_readers_and_a_writer(void **state)
{
	struct shared s = { .g = qsbr_new() };
	struct reader_arg args[READERS];
	pthread_t threads[READERS];

	(void)state;
	atomic_store(&s.published, new_value(0));
	for (unsigned i = 0; i < READERS; i++) {
		args[i] = (struct reader_arg){ .s = &s, .id = i };
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &args[i]), 0);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		qsbr_retire(s.g, atomic_exchange(&s.published, new_value(0)), free_value);
		qsbr_collect(s.g);
	}
	atomic_store(&s.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(args[i].sum, 0);
	}
	free(atomic_load(&s.published));
	qsbr_free(s.g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_online),
		cmocka_unit_test(test_online_reader_holds),
		cmocka_unit_test(test_the_slowest_decides),
		cmocka_unit_test(test_free_frees_all),
		cmocka_unit_test(test_readers_and_a_writer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
