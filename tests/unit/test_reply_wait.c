/* SPDX-License-Identifier: MIT */
/* test_reply_wait.c - the rules of reply_wait.h, and the wait itself with real descriptors. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "path/reply_wait.h"

#define US UINT64_C(1000)
#define S UINT64_C(1000000000)

/* Sends requests until a wait is due. Returns how many were not waited for. */
static unsigned skipped(struct reply_wait *r, uint64_t now_ns)
{
	unsigned n = 0;

	while (!reply_wait_due(r, now_ns))
		assert_true(++n < 1000);
	return n;
}

/* 1. After m waits without a reply, the next 2^m - 2 requests are not waited for; a reply ends
 * this. */
static void test_misses(void **state)
{
	static const unsigned left_out[] = { 0, 2, 6, 14, 30, 62, 126, 254, 254, 254 };
	struct reply_wait r = { 0 };
	uint64_t now_ns = S;

	(void)state;
	for (int again = 0; again < 2; again++) {
		assert_int_equal(skipped(&r, now_ns), 0);
		for (size_t m = 0; m < sizeof(left_out) / sizeof(left_out[0]); m++) {
			now_ns += S;
			reply_wait_record(&r, REPLY_WAIT_NS, false);
			assert_int_equal(skipped(&r, now_ns), left_out[m]);
		}
		reply_wait_record(&r, 50 * US, true);
	}
}

/* 2. All waits together take at most a fourth of the time, apart from a short burst. */
static void test_share(void **state)
{
	struct reply_wait r = { 0 };
	uint64_t waited_ns = 0, begin_ns = S, now_ns = begin_ns;

	(void)state;
	while (now_ns < begin_ns + S) {
		if (reply_wait_due(&r, now_ns)) {
			reply_wait_record(&r, 100 * US, true);
			waited_ns += 100 * US;
			now_ns += 100 * US;
		}
		now_ns += 10 * US;
	}
	assert_in_range(waited_ns, S / 5, S / REPLY_WAIT_SHARE + REPLY_WAIT_BURST_NS);
}

/* 3. Waits that take less than their share are all due. */
static void test_within_share(void **state)
{
	struct reply_wait r = { 0 };

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		assert_true(reply_wait_due(&r, S + i * 1000 * US));
		reply_wait_record(&r, 200 * US, true);
	}
}

struct descriptors {
	int inside, outside;
	struct pollfd fds[2];
};

static int open_descriptors(void **state)
{
	static struct descriptors d;

	d.inside = eventfd(0, EFD_NONBLOCK);
	d.outside = eventfd(0, EFD_NONBLOCK);
	d.fds[0] = (struct pollfd){ .fd = d.inside, .events = POLLIN };
	d.fds[1] = (struct pollfd){ .fd = d.outside, .events = POLLIN };
	*state = &d;
	return d.inside < 0 || d.outside < 0;
}

static int close_descriptors(void **state)
{
	struct descriptors *d = *state;

	close(d->inside);
	close(d->outside);
	return 0;
}

/* 4. The wait ends when a descriptor is ready, says which, and takes only a datagram from outside
 * for a reply. */
static void test_ready(void **state)
{
	static const struct {
		bool inside, outside, ready;
		unsigned misses;
	} table[] = {
		{ false, true, true, 0 },
		{ true, true, true, 0 },
		{ true, false, true, 1 },
		{ false, false, false, 1 },
	};
	struct descriptors *d = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct reply_wait r = { 0 };
		eventfd_t count;

		if (table[i].inside)
			eventfd_write(d->inside, 1);
		if (table[i].outside)
			eventfd_write(d->outside, 1);
		assert_int_equal(reply_wait(&r, d->fds, 2, 1), table[i].ready);
		assert_int_equal(d->fds[0].revents != 0, table[i].inside);
		assert_int_equal(d->fds[1].revents != 0, table[i].outside);
		assert_int_equal(r.misses, table[i].misses);
		eventfd_read(d->inside, &count);
		eventfd_read(d->outside, &count);
	}
}

/* 5. If no wait is due, the descriptors are not looked at, because the worker sleeps next. */
static void test_not_due(void **state)
{
	struct reply_wait r = { .misses = 2, .skip = 1 };
	struct descriptors *d = *state;

	d->fds[1].revents = 0;
	eventfd_write(d->outside, 1);
	assert_false(reply_wait(&r, d->fds, 2, 1));
	assert_int_equal(d->fds[1].revents, 0);
	assert_true(reply_wait(&r, d->fds, 2, 1));
	assert_int_equal(r.misses, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_misses),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_within_share),
		cmocka_unit_test_setup_teardown(test_ready, open_descriptors, close_descriptors),
		cmocka_unit_test_setup_teardown(test_not_due, open_descriptors, close_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
