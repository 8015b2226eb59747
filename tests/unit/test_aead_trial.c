/* SPDX-License-Identifier: MIT */
/*
 * test_aead_trial.c - the measurement of the backends, with a clock that only the backends of the
 * test advance.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <time.h>

static int read_clock(clockid_t id, struct timespec *ts);
#define clock_gettime read_clock
#include "crypto/aead_trial.c" /* NOLINT(bugprone-suspicious-include) */
#undef clock_gettime

static uint64_t clock_ns;
static char order[2 * N_TURNS * N_RUNS + 1]; /* which backend ran: a letter for each run */
static size_t runs;

static int read_clock(clockid_t id, struct timespec *ts)
{
	(void)id;
	*ts = (struct timespec){ (time_t)(clock_ns / NS_PER_S), (long)(clock_ns % NS_PER_S) };
	return 0;
}

/* Every run takes 10 us, but run number @fast of a backend, counted from 0, takes 7 us. */
static void run_backend(char letter, size_t fast, size_t n)
{
	size_t number = 0;

	assert_int_equal(n, N_PACKETS);
	assert_in_range(runs, 0, sizeof(order) - 2);
	for (size_t i = 0; i < runs; i++)
		number += order[i] == letter;
	order[runs++] = letter;
	clock_ns += number == fast ? 7000 : 10000;
}

static void seal_a(struct aead_job *jobs, size_t n)
{
	assert_int_equal(jobs[n - 1].len, PACKET_LEN);
	run_backend('a', 3, n); /* run 3 is in the first turn */
}

static void seal_b(struct aead_job *jobs, size_t n)
{
	assert_int_equal(jobs[0].head_len, 0);
	run_backend('b', N_TURNS * N_RUNS - 1, n); /* the last run of all */
}

static void seal_c(struct aead_job *jobs, size_t n)
{
	(void)jobs;
	run_backend('c', SIZE_MAX, n); /* no run is fast */
}

static const struct aead_backend a = { .name = "a", .seal_batch = seal_a };
static const struct aead_backend b = { .name = "b", .seal_batch = seal_b };
static const struct aead_backend c = { .name = "c", .seal_batch = seal_c };

/* 1. The shortest run of any turn counts. */
static void test_shortest(void **state)
{
	static const struct aead_backend *const two[] = { &a, &b };
	static const struct aead_backend *const one[] = { &c };
	uint64_t ns[2];

	(void)state;
	runs = 0;
	clock_ns = 3 * NS_PER_S - 50000; /* the seconds change during the measurement */
	aead_trial(two, 2, ns);
	assert_int_equal(ns[0], 7000);
	assert_int_equal(ns[1], 7000);
	runs = 0;
	aead_trial(one, 1, ns);
	assert_int_equal(ns[0], 10000);
	assert_int_equal(runs, N_TURNS * N_RUNS);
}

/* 2. The backends take turns, so that a slow phase of the CPU does not cover all runs of one
 * backend. */
static void test_turns(void **state)
{
	static const struct aead_backend *const two[] = { &a, &b };
	char want[sizeof(order)] = "";
	uint64_t ns[2];

	(void)state;
	for (int turn = 0; turn < N_TURNS; turn++) {
		memset(want + strlen(want), 'a', N_RUNS);
		memset(want + strlen(want), 'b', N_RUNS);
	}
	memset(order, 0, sizeof(order));
	runs = 0;
	aead_trial(two, 2, ns);
	assert_string_equal(order, want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shortest),
		cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
