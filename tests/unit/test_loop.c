/* SPDX-License-Identifier: MIT */
/* test_loop.c - timers of the event loop: they fire in order, each at most once in a turn of the
 * loop, and callbacks may arm and cancel them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/loop.h"
#include "wgxdp/limits.h"

static char fired[64]; /* the names of timers and descriptors, in the order of their callbacks */

static void note(const char *name)
{
	assert_true(strlen(fired) + strlen(name) < sizeof(fired));
	memcpy(fired + strlen(fired), name, strlen(name) + 1);
}

static void on_timer(void *ctx, uint64_t now_ns)
{
	assert_true(now_ns <= loop_now_ns());
	note(ctx);
}

static int begin(void **state)
{
	*state = loop_new();
	fired[0] = '\0';
	return *state ? 0 : -1;
}

static int end(void **state)
{
	loop_free(*state);
	return 0;
}

static void timers_fire_by_deadline(void **state)
{
	struct loop_timer a, b, c;

	loop_timer_init(&a, *state, on_timer, "a");
	loop_timer_init(&b, *state, on_timer, "b");
	loop_timer_init(&c, *state, on_timer, "c");
	loop_timer_arm(&a, 2);
	loop_timer_arm(&b, 1);
	assert_false(loop_timer_armed(&c));
	assert_int_equal(loop_once(*state), 0);
	assert_string_equal(fired, "ba");
	assert_false(loop_timer_armed(&a));
	loop_timer_arm(&c, 0);
	assert_int_equal(loop_once(*state), 0);
	assert_string_equal(fired, "bac");
}

static void sooner_never_delays(void **state)
{
	struct loop_timer a;

	loop_timer_init(&a, *state, on_timer, "a");
	loop_timer_arm(&a, 5);
	loop_timer_arm_sooner(&a, LOOP_NEVER - 1);
	assert_int_equal(a.at_ns, 5);
	loop_timer_arm_sooner(&a, 3);
	assert_int_equal(a.at_ns, 3);
	loop_timer_arm(&a, 7);
	assert_int_equal(a.at_ns, 7);
}

static void the_loop_waits_for_a_timer(void **state)
{
	uint64_t began_ns = loop_now_ns();
	struct loop_timer a;

	loop_timer_init(&a, *state, on_timer, "a");
	loop_timer_arm(&a, began_ns + 20 * NS_PER_MS);
	while (!*fired)
		assert_int_equal(loop_once(*state), 0);
	assert_true(loop_now_ns() >= began_ns + 20 * NS_PER_MS);
}

static struct loop_timer again, other;

static void arm_again(void *ctx, uint64_t now_ns)
{
	(void)now_ns;
	note(ctx);
	loop_timer_arm(&again, 0);
	loop_timer_cancel(&other);
}

static void on_fd(void *ctx, int fd, uint32_t events)
{
	(void)fd, (void)events;
	note(ctx);
}

/* A timer that arms itself for "now" fires only once in a turn of the loop. A ready descriptor is
 * handled before the timer fires again. */
static void once_a_turn(void **state)
{
	int fd = eventfd(1, 0);

	loop_timer_init(&again, *state, arm_again, "a");
	loop_timer_init(&other, *state, on_timer, "o");
	assert_int_equal(loop_add(*state, fd, EPOLLIN, on_fd, "f"), 0);
	loop_timer_arm(&again, 0);
	loop_timer_arm(&other, 1); /* cancelled by the callback that fires before it */
	assert_int_equal(loop_once(*state), 0);
	assert_int_equal(loop_once(*state), 0);
	assert_string_equal(fired, "fafa");
	loop_delete(*state, fd);
	close(fd);
}

static void a_timer_that_is_done_is_forgotten(void **state)
{
	struct loop_timer a, b, zero = { 0 };

	loop_timer_init(&a, *state, on_timer, "a");
	loop_timer_init(&b, *state, on_timer, "b");
	loop_timer_arm(&a, 0);
	loop_timer_arm(&b, 0);
	loop_timer_done(&a);
	loop_timer_done(&a);
	loop_timer_done(&zero);
	assert_int_equal(loop_once(*state), 0);
	assert_string_equal(fired, "b");
}

static void wait_hook(void *ctx)
{
	loop_timer_arm(ctx, 0);
	note("w");
}

static void before_wait_arms_timers(void **state)
{
	struct loop_timer a;

	loop_timer_init(&a, *state, on_timer, "a");
	loop_before_wait(*state, wait_hook, &a);
	assert_int_equal(loop_once(*state), 0);
	assert_int_equal(loop_once(*state), 0);
	assert_string_equal(fired, "wawa");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(timers_fire_by_deadline),		 TEST(sooner_never_delays),
		TEST(the_loop_waits_for_a_timer),	 TEST(once_a_turn),
		TEST(a_timer_that_is_done_is_forgotten), TEST(before_wait_arms_timers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
