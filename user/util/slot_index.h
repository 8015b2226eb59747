/* SPDX-License-Identifier: MIT */
/*
 * slot_index.h - finds the peers that have a given key, such as an address. A peer is named by its
 * slot, a small number. Each slot has one key or none; many slots may have the same key. All
 * operations are O(1).
 *
 *   key ──hash──▶ bucket ─▶ slot 7 ─▶ slot 3 ─▶ ...      chained through the array of slots
 *
 * The hash is keyed with a random secret, because other hosts may choose the keys. Only one thread
 * may use an index.
 */
#ifndef WGXDP_SLOT_INDEX_H
#define WGXDP_SLOT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_INDEX_KEY_MAX 24
#define SLOT_INDEX_NONE UINT32_MAX

struct slot_index {
	struct slot_index_entry *entries; /* one for each slot */
	uint32_t entry_count;
	uint32_t *buckets;
	uint32_t bucket_count; /* a power of two, or 0 */
	uint32_t used;	       /* number of slots that have a key */
	uint8_t secret[16];
};

/* Makes an empty index. A struct that is all zero is also a valid empty index, but has no
 * secret. */
void slot_index_init(struct slot_index *x);
void slot_index_done(struct slot_index *x); /* does nothing if *x is all zero */

/* Sets the key of @slot to the @len bytes at @key, at most SLOT_INDEX_KEY_MAX. Returns 0, or
 * -ENOMEM, in which case the slot has no key. */
int slot_index_put(struct slot_index *x, uint32_t slot, const void *key, size_t len);
/* Removes the key of @slot. Does nothing if @slot has no key. */
void slot_index_remove(struct slot_index *x, uint32_t slot);

/* Returns true if the key of @slot is the @len bytes at @key. */
bool slot_index_has(const struct slot_index *x, uint32_t slot, const void *key, size_t len);
/* Returns the key of @slot and sets *@len to its length, or returns NULL. */
const void *slot_index_key(const struct slot_index *x, uint32_t slot, size_t *len);

/* Walk the slots of a key, in any order; SLOT_INDEX_NONE is the end. A caller that removes a slot
 * during the walk must get the next slot first. */
uint32_t slot_index_first(const struct slot_index *x, const void *key, size_t len);
uint32_t slot_index_next(const struct slot_index *x, uint32_t slot);

#endif
