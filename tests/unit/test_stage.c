/* SPDX-License-Identifier: MIT */
/* test_stage.c - staged packets, which wait for a session of their peer: their order, the limit per
 * peer, the limit over all peers, and two threads at the same time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "wg/stage.h"
#include "wgxdp/limits.h"

static unsigned push(struct stage *s, uint32_t value)
{
	return stage_push(s, &value, sizeof(value));
}

static uint32_t value_of(const struct staged *packet)
{
	uint32_t value;

	assert_int_equal(packet->len, sizeof(value));
	memcpy(&value, packet->data, sizeof(value));
	return value;
}

/* Takes one packet. Returns UINT32_MAX if there is none. */
static uint32_t pop(struct stage *s)
{
	unsigned n;
	struct staged *packet = stage_take(s, 1, &n);
	uint32_t value = UINT32_MAX;

	assert_int_equal(n, packet ? 1 : 0);
	if (packet) {
		assert_null(packet->next);
		value = value_of(packet);
		stage_drop(packet);
	}
	return value;
}

static void in_order(void **state)
{
	struct staged *packet, *next;
	struct stage s;
	unsigned n;

	(void)state;
	stage_init(&s);
	assert_null(stage_take(&s, 5, &n));
	assert_int_equal(n, 0);
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(push(&s, i), 0);
	assert_int_equal(s.count, 10);
	assert_null(stage_take(&s, 0, &n));
	assert_int_equal(n, 0);
	packet = stage_take(&s, 4, &n);
	assert_int_equal(n, 4);
	for (uint32_t i = 0; i < 4; i++, packet = next) {
		assert_int_equal(value_of(packet), i);
		next = packet->next;
		stage_drop(packet);
	}
	assert_null(packet);
	assert_int_equal(pop(&s), 4);
	assert_int_equal(stage_purge(&s), 5);
	assert_int_equal(stage_purge(&s), 0);
	assert_int_equal(pop(&s), UINT32_MAX);
	assert_int_equal(push(&s, 77), 0);
	assert_int_equal(pop(&s), 77);
	assert_int_equal(s.count, 0);
}

static void oldest_goes(void **state)
{
	struct stage s;

	(void)state;
	stage_init(&s);
	for (uint32_t i = 0; i < STAGED_PER_PEER; i++)
		assert_int_equal(push(&s, i), 0);
	assert_int_equal(push(&s, 1000), 1);
	assert_int_equal(push(&s, 1001), 1);
	assert_int_equal(s.count, STAGED_PER_PEER);
	for (uint32_t i = 2; i < STAGED_PER_PEER; i++)
		assert_int_equal(pop(&s), i);
	assert_int_equal(pop(&s), 1000);
	assert_int_equal(pop(&s), 1001);
	assert_int_equal(s.count, 0);
}

/* When the packets of all peers have reached the common limit, a peer with staged packets loses its
 * own oldest packet, and a peer without staged packets cannot stage any. */
static void total(void **state)
{
	enum { PEERS = STAGED_TOTAL / STAGED_PER_PEER };
	struct stage *stages = calloc(PEERS + 1, sizeof(*stages)), *late = &stages[PEERS];
	struct staged *held;
	unsigned n;

	(void)state;
	assert_non_null(stages);
	for (unsigned i = 0; i <= PEERS; i++)
		stage_init(&stages[i]);
	for (unsigned i = 0; i < PEERS; i++)
		for (uint32_t j = 0; j < STAGED_PER_PEER; j++)
			assert_int_equal(push(&stages[i], j), 0);
	assert_int_equal(push(late, 1), 1);
	assert_int_equal(late->count, 0);
	held = stage_take(&stages[1], 1, &n); /* taken, but its memory is still in use */
	assert_int_equal(push(late, 1), 1);
	assert_int_equal(push(&stages[1], 500), 1); /* replaces the peer's own packet 1 */
	assert_int_equal(stages[1].count, STAGED_PER_PEER - 1);
	assert_int_equal(pop(&stages[1]), 2);
	assert_int_equal(push(late, 1), 0);
	assert_int_equal(push(late, 2), 1);
	assert_int_equal(pop(late), 2);
	stage_drop(held);
	for (unsigned i = 0; i < PEERS; i++)
		stage_purge(&stages[i]);
	/* all memory was returned */
	for (unsigned i = 0; i < PEERS; i++)
		for (uint32_t j = 0; j < STAGED_PER_PEER; j++)
			assert_int_equal(push(&stages[i], j), 0);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(stage_purge(&stages[i]), STAGED_PER_PEER);
	free(stages);
}

static unsigned push_big(struct stage *s)
{
	static const char packet[65535];

	return stage_push(s, packet, sizeof(packet));
}

/* The bytes of all peers are limited as well: eight peers with maximum-size packets reach the
 * limit. */
static void bytes(void **state)
{
	enum { PEERS = STAGED_BYTES / 65536 / STAGED_PER_PEER };
	struct stage stages[PEERS], late, small;
	unsigned pushed = 0;

	(void)state;
	stage_init(&late);
	stage_init(&small);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(push(&small, i), 0);
	for (unsigned i = 0; i < PEERS; i++) {
		stage_init(&stages[i]);
		while (stages[i].count < STAGED_PER_PEER && push_big(&stages[i]) == 0)
			pushed++;
	}
	assert_in_range(pushed, STAGED_BYTES / 65536 - 2, STAGED_BYTES / 65535);
	assert_int_equal(push_big(&late), 1);
	assert_int_equal(late.count, 0);
	assert_int_equal(push_big(&stages[0]), 1); /* replaces the peer's own packet */
	assert_int_equal(stages[0].count, STAGED_PER_PEER);
	/* The peer's three small packets are dropped, but a large one still does not fit. */
	assert_int_equal(push_big(&small), 4);
	stage_purge(&stages[0]);
	assert_int_equal(push_big(&late), 0);
	for (uint32_t i = 0; i < STAGED_PER_PEER; i++)
		assert_int_equal(push(&small, i), 0);
	stage_purge(&small);
	stage_purge(&late);
	for (unsigned i = 1; i < PEERS; i++)
		stage_purge(&stages[i]);
}

enum { PUSHES = 20000 };

static void *push_many(void *arg)
{
	uintptr_t dropped = 0;

	for (uint32_t i = 0; i < PUSHES; i++)
		dropped += push(arg, i);
	return (void *)dropped;
}

/* Each packet is either taken or dropped, never both, and packets are taken in order. */
static void two_threads(void **state)
{
	unsigned taken = 0;
	uint32_t value, last = 0;
	pthread_t thread;
	struct stage s;
	void *dropped;

	(void)state;
	stage_init(&s);
	assert_int_equal(pthread_create(&thread, NULL, push_many, &s), 0);
	for (unsigned i = 0; i < PUSHES; i++) {
		value = pop(&s);
		if (value == UINT32_MAX)
			continue;
		assert_true(!taken || value > last);
		last = value;
		taken++;
	}
	pthread_join(thread, &dropped);
	taken += stage_purge(&s);
	assert_int_equal(taken + (uintptr_t)dropped, PUSHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(oldest_goes),
		cmocka_unit_test(bytes),
		cmocka_unit_test(total), /* fails if an earlier test leaked */
		cmocka_unit_test(two_threads),
	};

	return cmocka_run_group_tests_name("stage", tests, NULL, NULL);
}
