/* SPDX-License-Identifier: MIT */
#include "witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wgxdp/limits.h"

static uint64_t witness_id(const uint8_t key[static AEAD_KEY_LEN])
{
	uint64_t id;

	memcpy(&id, key, sizeof(id));
	return id | 1; /* never 0 */
}

/* Returns the slot of @key, or a free slot. */
static struct derived *witness_slot(const struct witness *t, const uint8_t key[static AEAD_KEY_LEN])
{
	unsigned i = (unsigned)(witness_id(key) >> 8) & (t->derived_cap - 1);

	while (t->derived[i].born_ns && memcmp(t->derived[i].send_key, key, AEAD_KEY_LEN))
		i = (i + 1) & (t->derived_cap - 1);
	return &t->derived[i];
}

struct derived *witness_find(const struct witness *t, const uint8_t key[static AEAD_KEY_LEN])
{
	struct derived *d = witness_slot(t, key);

	return d->born_ns ? d : NULL;
}

static void witness_grow(struct witness *t)
{
	struct witness old = *t;

	t->derived_cap *= 2;
	t->derived = calloc(t->derived_cap, sizeof(*t->derived));
	assert_non_null(t->derived);
	for (unsigned i = 0; i < old.derived_cap; i++)
		if (old.derived[i].born_ns)
			*witness_slot(t, old.derived[i].send_key) = old.derived[i];
	free(old.derived);
}

void witness_derived(struct witness *t, unsigned node, const struct session *s,
		     const uint8_t own[static WIRE_KEY_LEN], uint64_t now_ns)
{
	struct derived *d;

	if (t->derived_count * 2 >= t->derived_cap)
		witness_grow(t);
	d = witness_slot(t, s->send_key);
	assert_false(d->born_ns);
	d->born_ns = now_ns;
	d->node = node;
	d->local_index = s->local_index;
	d->remote_index = s->remote_index;
	memcpy(d->send_key, s->send_key, sizeof(d->send_key));
	memcpy(d->recv_key, s->recv_key, sizeof(d->recv_key));
	memcpy(d->own, own, sizeof(d->own));
	memcpy(d->remote, s->peer->remote.public, sizeof(d->remote));
	t->derived_count++;
}

bool witness_matched(const struct witness *t, const struct session *s)
{
	const struct derived *mine = witness_find(t, s->send_key);
	const struct derived *theirs = witness_find(t, s->recv_key);

	return mine && theirs && mine->node != theirs->node &&
	       !memcmp(theirs->recv_key, mine->send_key, AEAD_KEY_LEN) &&
	       !memcmp(theirs->own, mine->remote, WIRE_KEY_LEN) &&
	       !memcmp(theirs->remote, mine->own, WIRE_KEY_LEN) &&
	       theirs->local_index == mine->remote_index &&
	       theirs->remote_index == mine->local_index &&
	       !memcmp(s->peer->remote.public, mine->remote, WIRE_KEY_LEN);
}

static bool witness_insert(struct witness *t, uint64_t what, uint64_t number)
{
	unsigned mask = t->seen_cap - 1;
	unsigned i = (unsigned)((what ^ number * 0x9e3779b97f4a7c15ULL) >> 20) & mask;

	for (; t->seen[i].what; i = (i + 1) & mask)
		if (t->seen[i].what == what && t->seen[i].number == number)
			return false;
	t->seen[i] = (struct seen){ what, number };
	t->seen_count++;
	return true;
}

/* Records the pair @what, @number. Returns true if the pair is new. */
static bool witness_first(struct witness *t, uint64_t what, uint64_t number)
{
	struct witness old = *t;

	if (t->seen_count * 2 >= t->seen_cap) {
		t->seen_cap *= 2;
		t->seen_count = 0;
		t->seen = calloc(t->seen_cap, sizeof(*t->seen));
		assert_non_null(t->seen);
		for (unsigned i = 0; i < old.seen_cap; i++)
			if (old.seen[i].what)
				witness_insert(t, old.seen[i].what, old.seen[i].number);
		free(old.seen);
	}
	return witness_insert(t, what, number);
}

void witness_sealed(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns)
{
	const struct derived *d = witness_find(t, s->send_key);

	assert_true(witness_matched(t, s));
	assert_true(now_ns < d->born_ns + REJECT_AFTER_TIME_S * NS_PER_S);
	assert_true(counter < REJECT_AFTER_MESSAGES);
	assert_int_equal(s->remote_index, d->remote_index);
	assert_true(witness_first(t, witness_id(s->send_key), counter));
}

void witness_opened(struct witness *t, const struct session *s, uint64_t counter, uint64_t now_ns)
{
	const struct derived *d = witness_find(t, s->send_key);

	assert_true(witness_matched(t, s));
	assert_true(now_ns < d->born_ns + REJECT_AFTER_TIME_S * NS_PER_S);
	assert_true(witness_first(t, ~witness_id(s->recv_key), counter));
}

void witness_init(struct witness *t)
{
	*t = (struct witness){ .derived_cap = 64, .seen_cap = 1024 };
	t->derived = calloc(t->derived_cap, sizeof(*t->derived));
	t->seen = calloc(t->seen_cap, sizeof(*t->seen));
	assert_non_null(t->derived);
	assert_non_null(t->seen);
}

void witness_done(struct witness *t)
{
	free(t->derived);
	free(t->seen);
}
