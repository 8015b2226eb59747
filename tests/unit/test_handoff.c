/* SPDX-License-Identifier: MIT */
/* test_handoff.c - the rings from a worker to the control thread: notes (requests and reports) and
 * handshake messages arrive complete and in order, a full ring refuses more, lost notes are
 * reported, and no wakeup is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "path/handoff.h"
#include "wgxdp/limits.h"

static bool readable(const struct handoff *h)
{
	struct pollfd fd = { .fd = handoff_fd(h), .events = POLLIN };

	return poll(&fd, 1, 0) == 1;
}

static void test_wakes_once(void **state)
{
	struct handoff *h = handoff_new();
	struct note n = { .kind = NOTE_WATCH, .slot = 7 };

	(void)state;
	handoff_kick(h);
	assert_false(readable(h)); /* the ring is empty, so nobody is woken */
	assert_true(handoff_note(h, &n));
	assert_false(readable(h)); /* no wakeup before handoff_kick() */
	handoff_kick(h);
	assert_true(readable(h));
	handoff_clear(h);
	assert_false(readable(h));
	assert_true(handoff_take_note(h, &n));
	assert_int_equal(n.slot, 7);
	assert_false(handoff_take_note(h, &n));
	handoff_note(h, &n);
	handoff_kick(h);
	assert_true(readable(h)); /* after handoff_clear(), the next note causes another wakeup */
	handoff_free(h);
}

static void test_messages(void **state)
{
	struct handoff *h = handoff_new();
	struct endpoint from = { .ifindex = 3 };
	struct handshake_message m;
	uint8_t data[sizeof(struct wire_initiation) + 1] = { 1, 2, 3 };

	(void)state;
	assert_false(handoff_message(h, &from, data, sizeof(data))); /* longer than any message */
	assert_true(handoff_message(h, &from, data, 3));
	assert_int_equal(handoff_messages_waiting(h), 1);
	assert_true(handoff_take_message(h, &m));
	assert_int_equal(m.len, 3);
	assert_memory_equal(m.data, data, 3);
	assert_int_equal(m.from.ifindex, 3);
	assert_false(handoff_take_message(h, &m));
	handoff_free(h);
}

static void test_full(void **state)
{
	struct handoff *h = handoff_new();
	struct endpoint from = { .ifindex = 0 };
	struct handshake_message m;
	uint8_t data[4];

	(void)state;
	for (uint32_t i = 0; i < HANDSHAKE_QUEUE_LEN; i++) {
		memcpy(data, &i, sizeof(i));
		assert_true(handoff_message(h, &from, data, sizeof(data)));
	}
	assert_false(handoff_message(h, &from, data, sizeof(data)));
	assert_int_equal(handoff_messages_waiting(h), HANDSHAKE_QUEUE_LEN);
	for (uint32_t i = 0; i < HANDSHAKE_QUEUE_LEN; i++) {
		assert_true(handoff_take_message(h, &m));
		assert_memory_equal(m.data, &i, sizeof(i));
	}
	assert_true(handoff_message(h, &from, data, sizeof(data)));
	handoff_free(h);
}

/* If the ring has no room, the note is lost, and handoff_notes_lost() returns true once. */
static void test_notes_lost(void **state)
{
	struct handoff *h = handoff_new();
	struct note n = { .kind = NOTE_WANT_HANDSHAKE };
	unsigned room = 0;

	(void)state;
	assert_false(handoff_notes_lost(h));
	while (handoff_note(h, &n))
		room++;
	handoff_kick(h);
	assert_true(readable(h));
	assert_true(handoff_notes_lost(h));
	assert_false(handoff_notes_lost(h));
	while (handoff_take_note(h, &n))
		room--;
	assert_int_equal(room, 0);
	assert_true(handoff_note(h, &n));
	assert_false(handoff_notes_lost(h));
	handoff_free(h);
}

enum { NOTES = 200000 };

static void *producer(void *arg)
{
	struct handoff *h = arg;

	for (uint32_t i = 0; i < NOTES;) {
		struct note n = { .kind = NOTE_CONFIRMED, .index = i };

		i += handoff_note(h, &n);
		if (i % 3 == 0 || i == NOTES)
			handoff_kick(h);
	}
	return NULL;
}

/* This thread waits in poll() whenever it has emptied the ring, so a lost wakeup would make poll()
 * time out. */
static void test_no_lost_wakeup(void **state)
{
	struct handoff *h = handoff_new();
	struct pollfd fd = { .fd = handoff_fd(h), .events = POLLIN };
	uint32_t expected = 0;
	pthread_t thread;
	struct note n;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, producer, h), 0);
	while (expected < NOTES) {
		assert_int_equal(poll(&fd, 1, 10000), 1);
		handoff_clear(h);
		while (handoff_take_note(h, &n))
			assert_int_equal(n.index, expected++);
	}
	pthread_join(thread, NULL);
	handoff_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wakes_once),     cmocka_unit_test(test_messages),
		cmocka_unit_test(test_full),	       cmocka_unit_test(test_notes_lost),
		cmocka_unit_test(test_no_lost_wakeup),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
