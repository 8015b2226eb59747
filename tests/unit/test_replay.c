/* SPDX-License-Identifier: MIT */
/* test_replay.c - tests all edges of the window, then compares the window with a plain
 * implementation. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg/replay.h"

#define WINDOW (REPLAY_WINDOW_BITS - 64)
#define LAST (REJECT_AFTER_MESSAGES - 1)

struct step {
	uint64_t counter;
	int expected;
};

static void play(const struct step *steps, size_t n)
{
	struct replay r = { 0 };

	for (size_t i = 0; i < n; i++) {
		int got = replay_accept(&r, steps[i].counter);

		if (got != steps[i].expected)
			fail_msg("step %zu, counter %llu: %d instead of %d", i,
				 (unsigned long long)steps[i].counter, got, steps[i].expected);
	}
}

#define PLAY(...)                                                                                  \
	do {                                                                                       \
		const struct step steps[] = { __VA_ARGS__ };                                       \
		play(steps, sizeof(steps) / sizeof(steps[0]));                                     \
	} while (0)

static void start(void **state)
{
	(void)state;
	PLAY({ 0, 0 }, { 0, -EALREADY }, { 1, 0 }, { 1, -EALREADY }, { 0, -EALREADY });
	PLAY({ 1, 0 }, { 0, 0 }, { 0, -EALREADY }); /* the first counter need not be 0 */
	PLAY({ 63, 0 }, { 64, 0 }, { 62, 0 }, { 65, 0 }, { 64, -EALREADY }, { 63, -EALREADY });
}

static void edge(void **state)
{
	(void)state;
	PLAY({ WINDOW, 0 }, { 0, 0 }, { 0, -EALREADY }); /* counter 0 is just inside the window */
	PLAY({ WINDOW + 1, 0 }, { 0, -ERANGE }, { 1, 0 }, { 1, -EALREADY });
	PLAY({ 0, 0 }, { WINDOW, 0 }, { 0, -EALREADY }, { WINDOW + 1, 0 }, { 0, -ERANGE });
	PLAY({ 9, 0 }, { 8, 0 }, { 7, 0 }, { 7, -EALREADY }, { WINDOW + 8, 0 }, { 7, -ERANGE },
	     { 8, -EALREADY }, { 10, 0 });
	/* counters around the size of a word, of the bitmap, and of two bitmaps */
	PLAY({ REPLAY_WINDOW_BITS - 1, 0 }, { REPLAY_WINDOW_BITS, 0 },
	     { REPLAY_WINDOW_BITS, -EALREADY }, { 63, -ERANGE }, { 64, 0 }, { 64, -EALREADY },
	     { REPLAY_WINDOW_BITS + 1, 0 }, { 64, -ERANGE }, { 65, 0 });
	PLAY({ 2 * REPLAY_WINDOW_BITS + 63, 0 }, { REPLAY_WINDOW_BITS + 127, 0 },
	     { REPLAY_WINDOW_BITS + 126, -ERANGE });
}

static void far_ahead(void **state)
{
	(void)state;
	PLAY({ 5, 0 }, { 5 + REPLAY_WINDOW_BITS, 0 }, { 5, -ERANGE },
	     { 5 + REPLAY_WINDOW_BITS - WINDOW, 0 }, { 5 + REPLAY_WINDOW_BITS, -EALREADY });
	PLAY({ 100, 0 }, { 1ULL << 40, 0 }, { (1ULL << 40) - WINDOW, 0 },
	     { (1ULL << 40) - WINDOW - 1, -ERANGE }, { 100, -ERANGE });
	/* the words that held counters 1 to 3 are reused for the last three counters, and hold no
	 * old bits */
	PLAY({ 1, 0 }, { 2, 0 }, { 3, 0 }, { 64 * REPLAY_WINDOW_BITS + 3, 0 },
	     { 64 * REPLAY_WINDOW_BITS + 2, 0 }, { 64 * REPLAY_WINDOW_BITS + 1, 0 });
}

static void limit(void **state)
{
	(void)state;
	/* refused counters change nothing, so the counter 0 is accepted afterwards */
	PLAY({ REJECT_AFTER_MESSAGES, -ERANGE }, { UINT64_MAX, -ERANGE },
	     { UINT64_MAX - 1, -ERANGE }, { REJECT_AFTER_MESSAGES + 1, -ERANGE }, { 0, 0 });
	PLAY({ LAST, 0 }, { LAST, -EALREADY }, { LAST - 1, 0 }, { LAST - WINDOW, 0 },
	     { LAST - WINDOW - 1, -ERANGE }, { REJECT_AFTER_MESSAGES, -ERANGE }, { 0, -ERANGE });
}

static void in_order_and_reversed(void **state)
{
	struct replay r = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 3 * REPLAY_WINDOW_BITS; i++)
		assert_int_equal(replay_accept(&r, i), 0);
	r = (struct replay){ 0 };
	for (uint64_t i = WINDOW + 1; i-- > 0;)
		assert_int_equal(replay_accept(&r, i), 0);
	for (uint64_t i = WINDOW + 1; i-- > 0;)
		assert_int_equal(replay_accept(&r, i), -EALREADY);
}

/* The plain implementation uses one byte per counter. */
static void random_against_simple(void **state)
{
	enum { SPAN = 1 << 17 };
	uint8_t *seen = calloc(SPAN, 1);
	struct replay r = { 0 };
	uint64_t newest = 0, base = 0;

	(void)state;
	assert_non_null(seen);
	srandom(6479);
	for (unsigned i = 0; i < 400000; i++) {
		uint64_t counter = base + (uint64_t)random() % (random() % 8 ? 300 : 12000);
		int expected = 0;

		base += random() % 4 == 0;
		if (counter >= SPAN)
			break;
		if (counter + WINDOW < newest)
			expected = -ERANGE;
		else if (seen[counter])
			expected = -EALREADY;
		assert_int_equal(replay_accept(&r, counter), expected);
		if (!expected) {
			seen[counter] = 1;
			newest = counter > newest ? counter : newest;
		}
	}
	assert_in_range(newest, 4 * REPLAY_WINDOW_BITS, SPAN);
	free(seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start),
		cmocka_unit_test(edge),
		cmocka_unit_test(far_ahead),
		cmocka_unit_test(limit),
		cmocka_unit_test(in_order_and_reversed),
		cmocka_unit_test(random_against_simple),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
