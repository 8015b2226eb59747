/* SPDX-License-Identifier: MIT */
/* test_indextab.c - compares the table with a plain array while the table grows and shrinks, and
 * looks indices up in another thread while the table changes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "wg/indextab.h"
#include "wgxdp/limits.h"

/* The addresses of these bytes serve as pointers to peers and sessions. The bytes are not used. */
static char things[1000];
#define PEER(i) ((struct peer *)&things[i])
#define SESSION(i) ((struct session *)&things[500 + (i)])

struct retired {
	struct retired *next;
	void *object;
	void (*free_fn)(void *);
};

/* Keeps retired objects until the test calls release(), as if a reader might still use them. */
static void retire(void *ctx, void *object, void (*free_fn)(void *))
{
	struct retired *r = malloc(sizeof(*r)), **list = ctx;

	assert_non_null(r);
	*r = (struct retired){ *list, object, free_fn };
	*list = r;
}

static void release(struct retired **list)
{
	struct retired *r;

	while ((r = *list)) {
		*list = r->next;
		r->free_fn(r->object);
		free(r);
	}
}

static void life_of_an_index(void **state)
{
	struct retired *retired = NULL;
	struct indextab *t = indextab_new(retire, &retired);

	(void)state;
	assert_non_null(t);
	assert_false(indextab_has(t, 7));
	assert_int_equal(indextab_add(t, 7, PEER(1), NULL), 0);
	assert_int_equal(indextab_add(t, 7, PEER(2), NULL), -EEXIST);
	assert_ptr_equal(indextab_peer(t, 7), PEER(1));
	assert_null(indextab_session(t, 7)); /* a pending handshake has no session */
	indextab_promote(t, 7, SESSION(1));
	assert_ptr_equal(indextab_session(t, 7), SESSION(1));
	assert_ptr_equal(indextab_peer(t, 7), PEER(1));
	indextab_promote(t, 8, SESSION(1)); /* promoting an unknown index does nothing */
	indextab_del(t, 8);
	assert_int_equal(indextab_count(t), 1);
	indextab_del(t, 7);
	indextab_del(t, 7);
	assert_false(indextab_has(t, 7));
	assert_null(indextab_session(t, 7));
	assert_null(indextab_peer(t, 7));
	assert_int_equal(indextab_count(t), 0);
	assert_int_equal(indextab_add(t, UINT32_MAX, PEER(3), SESSION(3)), 0);
	assert_int_equal(indextab_add(t, 0, PEER(4), SESSION(4)), 0);
	assert_ptr_equal(indextab_session(t, UINT32_MAX), SESSION(3));
	assert_ptr_equal(indextab_session(t, 0), SESSION(4));
	indextab_free(t);
	indextab_free(NULL);
	release(&retired);
}

/* The low bits of the indices have only 37 different values, so that long probe sequences with
 * deleted slots occur. */
static void random_against_array(void **state)
{
	/* At the end of a phase, the table holds about 70 % or 30 % of the keys. */
	enum { KEYS = 2048, PHASE = 7500, STEPS = 8 * PHASE };
	struct {
		uint32_t index;
		int thing;
	} *all = calloc(KEYS, sizeof(*all));
	struct retired *retired = NULL;
	struct indextab *t = indextab_new(retire, &retired);
	size_t count = 0;

	(void)state;
	assert_true(all && t);
	srandom(54);
	for (unsigned i = 0; i < KEYS; i++) {
		all[i].index = (i << 20) | (i % 37);
		all[i].thing = -1;
	}
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)random() % KEYS;
		bool growing = step / PHASE % 2 == 0;

		if (random() % 10 < (growing ? 7 : 3)) {
			int thing = (int)(random() % 500);
			int err = indextab_add(t, all[i].index, PEER(thing), SESSION(thing));

			assert_int_equal(err, all[i].thing < 0 ? 0 : -EEXIST);
			count += !err;
			all[i].thing = err ? all[i].thing : thing;
		} else {
			indextab_del(t, all[i].index);
			count -= all[i].thing >= 0;
			all[i].thing = -1;
		}
		i = (unsigned)random() % KEYS;
		assert_ptr_equal(indextab_session(t, all[i].index),
				 all[i].thing < 0 ? NULL : SESSION(all[i].thing));
		assert_ptr_equal(indextab_peer(t, all[i].index),
				 all[i].thing < 0 ? NULL : PEER(all[i].thing));
		assert_int_equal(indextab_count(t), count);
		if (step % 1000 == 0)
			release(&retired);
	}
	indextab_free(t);
	release(&retired);
	free(all);
}

static void full(void **state)
{
	struct retired *retired = NULL;
	struct indextab *t = indextab_new(retire, &retired);

	(void)state;
	for (uint32_t i = 0; i < SESSIONS_MAX; i++)
		assert_int_equal(indextab_add(t, i * 0x9e3779b1U, PEER(0), NULL), 0);
	assert_int_equal(indextab_add(t, SESSIONS_MAX * 0x9e3779b1U, PEER(0), NULL), -ENOSPC);
	indextab_del(t, 0);
	assert_int_equal(indextab_add(t, SESSIONS_MAX * 0x9e3779b1U, PEER(0), NULL), 0);
	indextab_free(t);
	release(&retired);
}

struct reader {
	struct indextab *table;
	atomic_bool stop;
	unsigned looks;
};

/* The index i * 64 is always in the table if i is even. If i is odd, the other thread keeps adding
 * and deleting it. */
static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct session *s;

	do {
		for (uint32_t i = 0; i < 200; i++) {
			s = indextab_session(r->table, i * 64);
			if (i % 2 == 0 ? s != SESSION(i) : s && s != SESSION(i))
				return NULL;
		}
		r->looks++;
	} while (!atomic_load(&r->stop));
	return r;
}

static void beside_a_reader(void **state)
{
	struct retired *retired = NULL;
	struct reader r = { .table = indextab_new(retire, &retired) };
	pthread_t thread;
	void *ret;

	(void)state;
	for (uint32_t i = 0; i < 200; i += 2)
		assert_int_equal(indextab_add(r.table, i * 64, PEER(i), SESSION(i)), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
	for (unsigned round = 0; round < 100; round++) {
		for (uint32_t i = 1; i < 200; i += 2)
			assert_int_equal(indextab_add(r.table, i * 64, PEER(i), NULL), 0);
		for (uint32_t i = 1; i < 200; i += 2)
			indextab_promote(r.table, i * 64, SESSION(i));
		for (uint32_t i = 1; i < 200; i += 2)
			indextab_del(r.table, i * 64);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, &ret);
	assert_non_null(ret);
	assert_true(r.looks);
	indextab_free(r.table);
	release(&retired);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life_of_an_index),
		cmocka_unit_test(random_against_array),
		cmocka_unit_test(full),
		cmocka_unit_test(beside_a_reader),
	};

	return cmocka_run_group_tests_name("indextab", tests, NULL, NULL);
}
