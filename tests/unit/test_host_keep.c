/* SPDX-License-Identifier: MIT */
/* test_host_keep.c - how often keep.c restores settings that other programs remove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "host/keep.c" /* NOLINT(bugprone-suspicious-include) */

#define MS 1000000ULL

static int missing; /* what fake_check() reports: number of missing settings, or -errno */
static unsigned checks;
static bool damaged_seen;
static bool lasting; /* if true, the test itself calls keep_checked(), and fake_check() does not */
static struct keep *flushed; /* if not NULL, nftables is flushed during each check */

/* The code under test measures how long a check takes: from the @now_ns that on_timer() gets to
 * loop_now_ns() in keep_checked(). The tests pass a @now_ns in the future, so that each check seems
 * to take no time. */
static void fake_check(void *ctx, bool damaged)
{
	checks++;
	damaged_seen = damaged;
	if (flushed) { /* does what keep_forget_nft() would do */
		flushed->damaged = true;
		keep_check_soon(flushed);
	}
	if (!lasting)
		keep_checked(ctx, missing);
}

static void fresh(struct keep *k, struct loop *loop, uint64_t now_ns)
{
	*k = (struct keep){
		.loop = loop,
		.check = fake_check,
		.ctx = k,
		.tokens = KEEP_AT_ONCE,
		.token_ns = now_ns,
	};
	loop_timer_init(&k->timer, loop, on_timer, k);
	checks = 0;
}

static void end(struct keep *k, struct loop *loop)
{
	loop_timer_done(&k->timer);
	loop_free(loop);
}

/* Another program keeps removing the settings. The first ten restorations are not delayed, and then
 * there is one every 3 s. After a pause, another ten are not delayed. */
static void fight(void **state)
{
	struct loop *loop = loop_new();
	uint64_t now_ns = loop_now_ns() + 1000 * NS_PER_SECOND;
	struct keep k;

	(void)state;
	fresh(&k, loop, now_ns);
	missing = 1;
	for (unsigned i = 0; i < KEEP_AT_ONCE; i++, now_ns += 50 * MS) {
		assert_true(k.not_before_ns <= now_ns);
		assert_false(k.fighting);
		on_timer(&k, now_ns);
	}
	for (unsigned i = 0; i < 5; i++) {
		uint64_t last_ns = k.not_before_ns;

		assert_true(k.fighting);
		assert_in_range(k.not_before_ns - now_ns, 2 * NS_PER_SECOND, 4 * NS_PER_SECOND);
		now_ns = k.not_before_ns + MS;
		on_timer(&k, now_ns);
		assert_int_equal(k.not_before_ns - last_ns, KEEP_TOKEN_NS);
	}
	now_ns += (KEEP_AT_ONCE + 1) * KEEP_TOKEN_NS;
	on_timer(&k, now_ns);
	assert_false(k.fighting);
	assert_int_equal(k.tokens, KEEP_AT_ONCE - 1);
	end(&k, loop);
}

/* Only a restoration takes a token (keep.h). A check that finds nothing missing takes none. */
static void nothing_missing(void **state)
{
	struct loop *loop = loop_new();
	uint64_t now_ns = loop_now_ns() + 1000 * NS_PER_SECOND;
	struct keep k;

	(void)state;
	fresh(&k, loop, now_ns);
	missing = 0;
	for (unsigned i = 0; i < 100; i++)
		on_timer(&k, now_ns += 50 * MS);
	assert_int_equal(k.tokens, KEEP_AT_ONCE);
	assert_int_equal(checks, 100);
	end(&k, loop);
}

/* If a check fails to restore the settings, it is repeated after 1, 2, 4, ... 32 s. If the nftables
 * tables may be damaged, @damaged is true in each check until one succeeds. */
static void failing(void **state)
{
	static const unsigned waits_s[] = { 1, 2, 4, 8, 16, 32, 32 };
	struct loop *loop = loop_new();
	uint64_t now_ns = loop_now_ns() + 1000 * NS_PER_SECOND;
	struct keep k;

	(void)state;
	fresh(&k, loop, now_ns);
	missing = -EIO;
	k.damaged = true;
	for (size_t i = 0; i < sizeof(waits_s) / sizeof(waits_s[0]); i++) {
		on_timer(&k, now_ns);
		assert_true(damaged_seen);
		assert_int_equal(k.not_before_ns - now_ns, waits_s[i] * NS_PER_SECOND);
		assert_true(loop_timer_armed(&k.timer));
		now_ns = k.not_before_ns;
	}
	missing = 1;
	on_timer(&k, now_ns);
	assert_true(damaged_seen);
	assert_false(k.damaged);
	assert_int_equal(k.failures, 0);
	end(&k, loop);
}

/* A program that flushes nftables during each check does not make the checks more frequent, whether
 * the checks succeed or fail. After each check, k.damaged is still set. */
static void flushed_during_checks(void **state)
{
	struct loop *loop = loop_new();
	uint64_t now_ns = loop_now_ns() + 1000 * NS_PER_SECOND;
	struct keep k;

	(void)state;
	fresh(&k, loop, now_ns);
	flushed = &k;
	missing = 1;
	k.not_before_ns = now_ns; /* so that keep_check_soon() does not use the real clock */
	for (unsigned i = 0; i < KEEP_AT_ONCE + 5; i++) {
		k.timer.at_ns = LOOP_NEVER; /* fire_timers() does this before it calls on_timer() */
		on_timer(&k, now_ns);
		assert_true(k.damaged);
		assert_true(loop_timer_armed(&k.timer));
		assert_true(k.timer.at_ns >= k.not_before_ns);
		now_ns = k.not_before_ns + MS;
	}
	assert_true(k.fighting);
	missing = -EIO;
	k.timer.at_ns = LOOP_NEVER;
	on_timer(&k, now_ns);
	assert_true(k.damaged);
	assert_int_equal(k.timer.at_ns, now_ns + NS_PER_SECOND);
	flushed = NULL;
	end(&k, loop);
}

/* While a check runs, or while the settings are being changed, no other check begins. If an event
 * requests a check meanwhile, this check follows afterwards. */
static void held(void **state)
{
	struct loop *loop = loop_new();
	uint64_t now_ns = loop_now_ns() + 1000 * NS_PER_SECOND;
	struct keep k;

	(void)state;
	fresh(&k, loop, now_ns);
	missing = 0;
	lasting = true;
	on_timer(&k, now_ns);
	keep_check_soon(&k);
	assert_false(loop_timer_armed(&k.timer));
	keep_checked(&k, 0);
	assert_true(loop_timer_armed(&k.timer));
	keep_hold(&k);
	assert_false(loop_timer_armed(&k.timer));
	keep_release(&k);
	assert_true(loop_timer_armed(&k.timer));
	loop_timer_cancel(&k.timer);
	keep_hold(&k);
	keep_release(&k);
	assert_false(loop_timer_armed(&k.timer));
	assert_int_equal(checks, 1);
	lasting = false;
	end(&k, loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fight),   cmocka_unit_test(nothing_missing),
		cmocka_unit_test(failing), cmocka_unit_test(flushed_during_checks),
		cmocka_unit_test(held),
	};

	return cmocka_run_group_tests_name("host_keep", tests, NULL, NULL);
}
