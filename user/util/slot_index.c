/* SPDX-License-Identifier: MIT */
#include "util/slot_index.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64

struct slot_index_entry {
	uint32_t next, prev; /* slots before and after this one in its bucket's list */
	uint8_t len;	     /* 0 = the slot has no key */
	uint8_t key[SLOT_INDEX_KEY_MAX];
};

static uint32_t *bucket_of(const struct slot_index *x, const void *key, size_t len)
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, key, len, x->secret);
	return &x->buckets[hash & (x->bucket_count - 1)];
}

static void link_entry(struct slot_index *x, uint32_t slot)
{
	struct slot_index_entry *e = &x->entries[slot];
	uint32_t *head = bucket_of(x, e->key, e->len);

	e->prev = SLOT_INDEX_NONE;
	e->next = *head;
	if (*head != SLOT_INDEX_NONE)
		x->entries[*head].prev = slot;
	*head = slot;
}

/* Makes room for one more slot. Keeps at most one slot per bucket on average, so that a search
 * meets few slots with other keys. */
static int grow_buckets(struct slot_index *x)
{
	uint32_t count = x->bucket_count ? x->bucket_count * 2 : BUCKETS_MIN, *buckets;

	if (x->used < x->bucket_count)
		return 0;
	buckets = reallocarray(x->buckets, count, sizeof(*buckets));
	if (!buckets) /* the old buckets still work, with longer chains */
		return x->bucket_count ? 0 : -ENOMEM;
	x->buckets = buckets;
	x->bucket_count = count;
	for (uint32_t i = 0; i < count; i++)
		buckets[i] = SLOT_INDEX_NONE;
	for (uint32_t slot = 0; slot < x->entry_count; slot++)
		if (x->entries[slot].len)
			link_entry(x, slot);
	return 0;
}

static int grow_entries(struct slot_index *x, uint32_t slot)
{
	uint32_t count = x->entry_count ? x->entry_count : BUCKETS_MIN;
	struct slot_index_entry *entries;

	if (slot < x->entry_count)
		return 0;
	while (count <= slot)
		count *= 2;
	entries = reallocarray(x->entries, count, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	memset(entries + x->entry_count, 0, (count - x->entry_count) * sizeof(*entries));
	x->entries = entries;
	x->entry_count = count;
	return 0;
}

void slot_index_init(struct slot_index *x)
{
	*x = (struct slot_index){ 0 };
	randombytes_buf(x->secret, sizeof(x->secret));
}

void slot_index_done(struct slot_index *x)
{
	free(x->entries);
	free(x->buckets);
	*x = (struct slot_index){ 0 };
}

void slot_index_remove(struct slot_index *x, uint32_t slot)
{
	struct slot_index_entry *e = slot < x->entry_count ? &x->entries[slot] : NULL;

	if (!e || !e->len)
		return;
	if (e->prev == SLOT_INDEX_NONE)
		*bucket_of(x, e->key, e->len) = e->next;
	else
		x->entries[e->prev].next = e->next;
	if (e->next != SLOT_INDEX_NONE)
		x->entries[e->next].prev = e->prev;
	e->len = 0;
	x->used--;
}

int slot_index_put(struct slot_index *x, uint32_t slot, const void *key, size_t len)
{
	int err;

	slot_index_remove(x, slot);
	err = grow_entries(x, slot);
	if (!err)
		err = grow_buckets(x);
	if (err)
		return err;
	x->entries[slot].len = (uint8_t)len;
	memcpy(x->entries[slot].key, key, len);
	link_entry(x, slot);
	x->used++;
	return 0;
}

bool slot_index_has(const struct slot_index *x, uint32_t slot, const void *key, size_t len)
{
	const struct slot_index_entry *e = slot < x->entry_count ? &x->entries[slot] : NULL;

	return e && e->len == len && !memcmp(e->key, key, len);
}

const void *slot_index_key(const struct slot_index *x, uint32_t slot, size_t *len)
{
	const struct slot_index_entry *e = slot < x->entry_count ? &x->entries[slot] : NULL;

	if (!e || !e->len)
		return NULL;
	*len = e->len;
	return e->key;
}

static uint32_t find(const struct slot_index *x, uint32_t slot, const void *key, size_t len)
{
	while (slot != SLOT_INDEX_NONE && !slot_index_has(x, slot, key, len))
		slot = x->entries[slot].next;
	return slot;
}

uint32_t slot_index_first(const struct slot_index *x, const void *key, size_t len)
{
	return x->bucket_count ? find(x, *bucket_of(x, key, len), key, len) : SLOT_INDEX_NONE;
}

uint32_t slot_index_next(const struct slot_index *x, uint32_t slot)
{
	const struct slot_index_entry *e = &x->entries[slot];

	return find(x, e->next, e->key, e->len);
}
