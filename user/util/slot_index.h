/* SPDX-License-Identifier: MIT */
/*
 * slot_index.h - which slots (of peers) have a given key? Each slot has one key or none; many slots
 * may share a key. All operations are O(1) for slots of one key.
 *
 *   key ──hash──▶ bucket ─▶ slot 7 ─▶ slot 3 ─▶ ...      chained through the array of slots
 *
 * The hash is keyed with a random secret, because keys are chosen by strangers. One thread.
 */
#ifndef WGXDP_SLOT_INDEX_H
#define WGXDP_SLOT_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_INDEX_KEY_MAX 24
#define SLOT_INDEX_NONE UINT32_MAX

struct slot_index {
	struct slot_index_entry *entries; /* by slot */
	uint32_t entry_count;
	uint32_t *buckets;
	uint32_t bucket_count; /* a power of two, or 0 */
	uint32_t used;	       /* slots that have a key */
	uint8_t secret[16];
};

/* All zero is a valid empty index but for its secret, which this fills in. */
void slot_index_init(struct slot_index *x);
void slot_index_done(struct slot_index *x); /* fine if all zero */

/* Gives @slot the key of @len bytes (at most SLOT_INDEX_KEY_MAX) in place of the one that it has.
 * Returns 0, or -ENOMEM: the slot has no key then. */
int slot_index_put(struct slot_index *x, uint32_t slot, const void *key, size_t len);
void slot_index_remove(struct slot_index *x, uint32_t slot); /* fine if it has none */

/* True if @slot has that key. */
bool slot_index_has(const struct slot_index *x, uint32_t slot, const void *key, size_t len);
/* The key of @slot and its length, or NULL. */
const void *slot_index_key(const struct slot_index *x, uint32_t slot, size_t *len);

/* Walks the slots of a key, in no order; SLOT_INDEX_NONE ends it. The walk may remove the slot that
 * it is at only after it has asked for the next one. */
uint32_t slot_index_first(const struct slot_index *x, const void *key, size_t len);
uint32_t slot_index_next(const struct slot_index *x, uint32_t slot);

#endif
