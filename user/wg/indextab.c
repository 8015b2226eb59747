/* SPDX-License-Identifier: MIT */
/*
 * indextab.c - a hash table with open addressing, at most half full. Indices are drawn at random by
 * us, so their low bits serve as the hash, and no other host can make them collide.
 *
 *   table ──▶ slots[]: NULL | gone | ──▶ entry { index, peer, session }
 *
 * Readers load the table, then a slot, then the session, each with acquire. The writer stores each
 * pointer with release, after the object that it points to is complete. The only member of an entry
 * that ever changes is the session. A deleted slot points to `gone` and not to NULL, because a
 * search ends at a NULL slot. When live and gone slots fill half of a table, the live entries are
 * moved to a new table.
 */
#include "wg/indextab.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "wgxdp/limits.h"

#define SLOTS_MIN 64

struct entry {
	uint32_t index;
	struct peer *peer;
	_Atomic(struct session *) session; /* NULL: the handshake is still pending */
};

struct table {
	uint32_t mask;
	uint32_t used; /* number of slots that are not NULL; only for the writer */
	_Atomic(struct entry *) slots[];
};

struct indextab {
	_Atomic(struct table *) table;
	uint32_t count;
	retire_fn retire;
	void *ctx;
};

static struct entry gone; /* its address marks a deleted slot */

static struct table *table_new(uint32_t slots)
{
	struct table *t = calloc(1, sizeof(*t) + slots * sizeof(t->slots[0]));

	if (t)
		t->mask = slots - 1;
	return t;
}

struct indextab *indextab_new(retire_fn retire, void *ctx)
{
	struct indextab *t = calloc(1, sizeof(*t));
	struct table *table = table_new(SLOTS_MIN);

	if (!t || !table)
		goto fail;
	t->retire = retire;
	t->ctx = ctx;
	atomic_init(&t->table, table);
	return t;
fail:
	free(table);
	free(t);
	return NULL;
}

/* The acquire pairs with the release in insert_entry(). */
static struct entry *slot_at(const struct table *t, uint32_t i)
{
	return atomic_load_explicit(&t->slots[i & t->mask], memory_order_acquire);
}

void indextab_free(struct indextab *t)
{
	struct table *table;

	if (!t)
		return;
	table = atomic_load_explicit(&t->table, memory_order_relaxed);
	for (uint32_t i = 0; i <= table->mask; i++)
		if (slot_at(table, i) != &gone)
			free(slot_at(table, i));
	free(table);
	free(t);
}

/* Returns the entry of @index, or NULL. Sets *@slot to the entry's slot, unless @slot is NULL. */
static struct entry *find_entry(const struct indextab *t, uint32_t index, uint32_t *slot)
{
	/* pairs with the release in make_room_for_entry() */
	struct table *table = atomic_load_explicit(&t->table, memory_order_acquire);
	struct entry *e;

	for (uint32_t i = index; (e = slot_at(table, i)); i++) {
		if (e == &gone || e->index != index)
			continue;
		if (slot)
			*slot = i & table->mask;
		return e;
	}
	return NULL;
}

/* Puts @e into the first free slot at or after the slot of its hash. The table always has a free
 * slot. */
static void insert_entry(struct table *table, struct entry *e)
{
	struct entry *old;
	uint32_t i = e->index;

	while ((old = slot_at(table, i)) && old != &gone)
		i++;
	if (!old)
		table->used++;
	/* pairs with the acquire in slot_at() */
	atomic_store_explicit(&table->slots[i & table->mask], e, memory_order_release);
}

/* Makes room for one more entry. If the table would then be more than half full of used slots,
 * replaces the table by one that has no gone slots and whose size fits the number of entries.
 * Returns 0 or -ENOMEM. */
static int make_room_for_entry(struct indextab *t)
{
	struct table *old = atomic_load_explicit(&t->table, memory_order_relaxed), *new;
	uint32_t slots = SLOTS_MIN;

	if ((old->used + 1) * 2 <= old->mask + 1)
		return 0;
	while (slots < (t->count + 1) * 4)
		slots *= 2;
	new = table_new(slots);
	if (!new)
		return -ENOMEM;
	for (uint32_t i = 0; i <= old->mask; i++)
		if (slot_at(old, i) && slot_at(old, i) != &gone)
			insert_entry(new, slot_at(old, i));
	/* pairs with the acquire in find_entry() */
	atomic_store_explicit(&t->table, new, memory_order_release);
	t->retire(t->ctx, old, free);
	return 0;
}

int indextab_add(struct indextab *t, uint32_t index, struct peer *peer, struct session *session)
{
	struct entry *e;

	if (find_entry(t, index, NULL))
		return -EEXIST;
	if (t->count >= SESSIONS_MAX)
		return -ENOSPC;
	if (make_room_for_entry(t))
		return -ENOMEM;
	e = malloc(sizeof(*e));
	if (!e)
		return -ENOMEM;
	e->index = index;
	e->peer = peer;
	atomic_init(&e->session, session);
	insert_entry(atomic_load_explicit(&t->table, memory_order_relaxed), e);
	t->count++;
	return 0;
}

void indextab_promote(struct indextab *t, uint32_t index, struct session *session)
{
	struct entry *e = find_entry(t, index, NULL);

	/* pairs with the acquire in indextab_session() */
	if (e)
		atomic_store_explicit(&e->session, session, memory_order_release);
}

void indextab_del(struct indextab *t, uint32_t index)
{
	uint32_t slot;
	struct entry *e = find_entry(t, index, &slot);
	struct table *table;

	if (!e)
		return;
	table = atomic_load_explicit(&t->table, memory_order_relaxed);
	atomic_store_explicit(&table->slots[slot], &gone, memory_order_release);
	t->count--;
	t->retire(t->ctx, e, free);
}

struct session *indextab_session(const struct indextab *t, uint32_t index)
{
	struct entry *e = find_entry(t, index, NULL);

	/* pairs with the release in indextab_promote() */
	return e ? atomic_load_explicit(&e->session, memory_order_acquire) : NULL;
}

struct peer *indextab_peer(const struct indextab *t, uint32_t index)
{
	struct entry *e = find_entry(t, index, NULL);

	return e ? e->peer : NULL;
}

bool indextab_has(const struct indextab *t, uint32_t index)
{
	return find_entry(t, index, NULL);
}

size_t indextab_count(const struct indextab *t)
{
	return t->count;
}
