/* SPDX-License-Identifier: MIT */
/* test_job.c - a job runs in its own thread, or in job_start() if no thread can be created.
 * Afterwards the loop calls the job's callback, here ended(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

static bool no_threads; /* if true, pthread_create() fails as if RLIMIT_NPROC were reached */

static int create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *ctx)
{
	return no_threads ? EAGAIN : pthread_create(thread, attr, fn, ctx);
}

#define pthread_create create
#include "util/job.c" /* NOLINT(bugprone-suspicious-include) */

struct world {
	struct loop *loop;
	struct job job;
	pthread_t thread; /* the thread that ran the last job */
	bool signals_blocked;
	unsigned runs, ends, repeats;
};

static void run(void *ctx)
{
	struct world *w = ctx;
	sigset_t blocked;

	w->thread = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	w->signals_blocked = sigismember(&blocked, SIGTERM) == 1;
	w->runs++;
}

static void ended(void *ctx)
{
	struct world *w = ctx;

	w->ends++;
	if (w->repeats && w->repeats--)
		job_start(&w->job, run, w);
}

static int open_world(void **state)
{
	static struct world w;

	w = (struct world){ .loop = loop_new() };
	assert_int_equal(job_init(&w.job, w.loop, ended, &w), 0);
	*state = &w;
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;

	no_threads = false;
	job_done(&w->job);
	loop_free(w->loop);
	return 0;
}

/* The callback ended() may start the next job. */
static void in_loop(void **state)
{
	struct world *w = *state;

	w->repeats = 2;
	job_start(&w->job, run, w);
	while (w->ends < 3)
		assert_int_equal(loop_once(w->loop), 0);
	assert_int_equal(w->runs, 3);
	assert_false(pthread_equal(w->thread, pthread_self()));
	assert_true(w->signals_blocked);
}

/* If no thread can be created, job_start() itself calls run(). The loop still calls ended(). */
static void without_thread(void **state)
{
	struct world *w = *state;
	sigset_t blocked;

	no_threads = true;
	job_start(&w->job, run, w);
	assert_int_equal(w->runs, 1);
	assert_int_equal(w->ends, 0);
	assert_true(pthread_equal(w->thread, pthread_self()));
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	assert_false(sigismember(&blocked, SIGTERM));
	assert_int_equal(loop_once(w->loop), 0);
	assert_int_equal(w->ends, 1);
	job_start(&w->job, run, w);
	job_wait(&w->job);
	assert_int_equal(w->ends, 2);
	no_threads = false;
	job_start(&w->job, run, w);
	while (w->ends < 3)
		assert_int_equal(loop_once(w->loop), 0);
	assert_false(pthread_equal(w->thread, pthread_self()));
}

/* job_wait() calls ended() itself, so the loop does not call it again. */
static void waited(void **state)
{
	struct world *w = *state;

	job_wait(&w->job);
	assert_int_equal(w->ends, 0);
	job_start(&w->job, run, w);
	job_wait(&w->job);
	assert_int_equal(w->runs, 1);
	assert_int_equal(w->ends, 1);
	job_start(&w->job, run, w);
	while (w->ends < 2)
		assert_int_equal(loop_once(w->loop), 0);
	assert_int_equal(w->runs, 2);
}

/* job_done() waits for the thread, and ended() is not called. */
static void abandoned(void **state)
{
	struct world *w = *state;

	job_start(&w->job, run, w);
	job_done(&w->job);
	assert_int_equal(w->runs, 1);
	assert_int_equal(w->ends, 0);
	job_done(&w->job);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_loop, open_world, close_world),
		cmocka_unit_test_setup_teardown(without_thread, open_world, close_world),
		cmocka_unit_test_setup_teardown(waited, open_world, close_world),
		cmocka_unit_test_setup_teardown(abandoned, open_world, close_world),
	};

	return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
