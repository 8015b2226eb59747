/* SPDX-License-Identifier: MIT */
/*
 * test_reply_wait.c - a worker that has sent a packet waits a short time for the reply before it
 * sleeps. This file tests when it waits and for how long (reply_wait.h), with a simulated clock.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

/* A look is one poll() and the sched_yield() after it (reply_wait.h). Each look takes step_ns,
 * except the look with the number slow_look, which takes slow_ns. */
static uint64_t fake_ns, step_ns, slow_ns;
static unsigned looks, yields, slow_look;

static int read_clock(clockid_t id, struct timespec *ts)
{
	assert_int_equal(id, CLOCK_MONOTONIC);
	*ts = (struct timespec){ (time_t)(fake_ns / (1000 * MS)), (long)(fake_ns % (1000 * MS)) };
	return 0;
}

static int look(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	assert_int_equal(timeout_ms, 0); /* must not sleep */
	looks++;
	fake_ns += looks == slow_look ? slow_ns : step_ns;
	return poll(fds, n, 0);
}

static int yield(void)
{
	yields++;
	return 0;
}

#define clock_gettime read_clock
#define poll look
#define sched_yield yield
#include "path/reply_wait.c" /* NOLINT(bugprone-suspicious-include) */
#undef clock_gettime
#undef poll
#undef sched_yield
#include "path/worker.c" /* NOLINT(bugprone-suspicious-include) */

static int inside, outside; /* only a message at outside counts as the reply */
static struct pollfd fds[2];

static int begin(void **state)
{
	(void)state;
	inside = eventfd(0, EFD_NONBLOCK);
	outside = eventfd(0, EFD_NONBLOCK);
	fds[0] = (struct pollfd){ .fd = inside, .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = outside, .events = POLLIN };
	fake_ns = 5000 * MS;
	step_ns = 2 * US;
	looks = yields = slow_look = 0;
	return inside < 0 || outside < 0;
}

static int end(void **state)
{
	(void)state;
	close(inside);
	close(outside);
	return 0;
}

static void set_ready(int fd, bool ready)
{
	eventfd_t count;

	if (ready)
		eventfd_write(fd, 1);
	else
		eventfd_read(fd, &count);
}

/* Calls reply_wait() until it waits. Returns how many calls before that did not wait. @reply:
 * whether the wait gets a reply. The calls are 1 s apart, so the limit on the share of time that
 * all waits may take does not matter. */
static unsigned left_out(struct reply_wait *r, bool reply)
{
	unsigned n = 0;

	set_ready(outside, reply);
	for (looks = 0; !looks; n++) {
		bool came;

		fake_ns += 1000 * MS;
		came = reply_wait(r, fds, 2, 1);
		assert_int_equal(came, looks && reply);
	}
	set_ready(outside, false);
	return n - 1;
}

/* 1. A wait ends when a descriptor is ready. The revents say which descriptors are ready. The wait
 * counts as answered only if `outside` is ready. */
static void test_ready(void **state)
{
	static const struct {
		bool inside, outside;
		unsigned misses;
	} table[] = { { false, true, 2 }, { true, true, 2 }, { true, false, 5 } };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reply_wait r = { .misses = 4 };

		set_ready(inside, table[i].inside);
		set_ready(outside, table[i].outside);
		looks = 0;
		assert_true(reply_wait(&r, fds, 2, 1));
		assert_int_equal(looks, 1);
		assert_int_equal(fds[0].revents != 0, table[i].inside);
		assert_int_equal(fds[1].revents != 0, table[i].outside);
		assert_int_equal(r.misses, table[i].misses);
		set_ready(inside, false);
		set_ready(outside, false);
	}
}

/* 2. A wait without a reply ends after 0.2 ms, or when one look took at least 0.05 ms. Between the
 * looks, other threads get the CPU. If one look took at least 0.2 ms, there are no further waits
 * for some time. */
static void test_limits(void **state)
{
	static const struct {
		unsigned slow_look;
		uint64_t slow_ns;
		unsigned looks, misses;
	} table[] = {
		{ 0, 0, 100, 1 },	   /* 100 looks of 2 us */
		{ 3, 50 * US - 1, 77, 1 }, /* a look of almost 50 us, and 76 looks of 2 us */
		{ 3, 50 * US, 3, 1 },	   /* another thread has run */
		{ 3, 200 * US - 1, 3, 1 }, /* another thread has run */
		{ 3, 200 * US, 3, 8 },	   /* the CPU is busy */
		{ 1, 4 * MS, 1, 8 },	   /* the CPU is busy */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reply_wait r = { 0 };

		looks = yields = 0;
		slow_look = table[i].slow_look;
		slow_ns = table[i].slow_ns;
		assert_false(reply_wait(&r, fds, 2, 1));
		assert_int_equal(looks, table[i].looks);
		assert_int_equal(yields, table[i].looks);
		assert_int_equal(r.misses, table[i].misses);
	}
}

/* 3. A wait without a reply adds 1 to r.misses, up to 8. A reply halves r.misses. If m misses are
 * left, the worker skips the next 2^m - 2 waits. */
static void test_misses(void **state)
{
	static const struct {
		bool reply;
		unsigned left_out;
	} table[] = {
		{ true, 0 },	{ false, 0 },  { false, 0 },  { false, 2 },   { false, 6 },
		{ false, 14 },	{ false, 30 }, { false, 62 }, { false, 126 }, { false, 254 },
		{ false, 254 }, { true, 254 }, { false, 14 }, { true, 30 },   { true, 2 },
		{ true, 0 },	{ true, 0 },   { false, 0 },  { false, 0 },   { true, 2 },
		{ true, 0 },
	};
	struct reply_wait r = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(left_out(&r, table[i].reply), table[i].left_out);
}

/* 4. All waits together take at most an eighth of the time plus 1 ms, even if every wait gets a
 * reply. */
static void test_share(void **state)
{
	uint64_t waited_ns = 0, begin_ns = fake_ns;
	struct reply_wait r = { 0 };

	(void)state;
	set_ready(outside, true);
	step_ns = 40 * US; /* each wait takes this long */
	while (fake_ns < begin_ns + 1000 * MS) {
		uint64_t before_ns = fake_ns;
		bool came = reply_wait(&r, fds, 2, 1);

		assert_int_equal(came, fake_ns > before_ns);
		waited_ns += fake_ns - before_ns;
		assert_in_range(waited_ns, 0, (fake_ns - begin_ns) / 8 + MS + step_ns);
		fake_ns += 10 * US;
	}
	assert_in_range(waited_ns, 120 * MS, 126 * MS + step_ns);
}

/* 5. If the waits take no more than an eighth of the time, no wait is skipped. */
static void test_within_share(void **state)
{
	struct reply_wait r = { 0 };

	(void)state;
	set_ready(outside, true);
	step_ns = 100 * US;
	for (unsigned i = 0; i < 10000; i++) {
		assert_true(reply_wait(&r, fds, 2, 1));
		fake_ns += 700 * US;
	}
}

/* 6. A worker waits only after a turn of its loop that did nothing but send one message. It never
 * waits if it has an AF_XDP socket or if the user turned waiting off. */
static void test_turns(void **state)
{
	static const struct {
		bool on;
		unsigned ports, moved, from_host, messages;
		bool expected;
	} table[] = {
		{ true, 0, 1, 1, 1, true },   { false, 0, 1, 1, 1, false },
		{ true, 1, 1, 1, 1, false },  { true, 0, 0, 0, 1, false }, /* AF_XDP; no packet */
		{ true, 0, 1, 0, 1, false },  /* one message was received */
		{ true, 0, 2, 1, 1, false },  /* one each way */
		{ true, 0, 2, 2, 1, false },  /* two packets */
		{ true, 0, 1, 1, 0, false },  /* a packet that was dropped or queued */
		{ true, 0, 1, 1, 45, false }, /* a large packet */
	};
	static struct worker w;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		w.config.reply_wait = table[i].on;
		w.port_count = table[i].ports;
		w.egress.packets[0].sent = table[i].messages;
		assert_int_equal(may_get_reply(&w, table[i].moved, table[i].from_host),
				 table[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ready, begin, end),
		cmocka_unit_test_setup_teardown(test_limits, begin, end),
		cmocka_unit_test_setup_teardown(test_misses, begin, end),
		cmocka_unit_test_setup_teardown(test_share, begin, end),
		cmocka_unit_test_setup_teardown(test_within_share, begin, end),
		cmocka_unit_test(test_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
