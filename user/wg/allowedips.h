/* SPDX-License-Identifier: MIT */
/*
 * allowedips.h - cryptokey routing, [W] 2: prefix -> peer, longest match over all peers.
 * A path-compressed binary trie for each family; the twin of the BPF LPM maps.
 *
 * One writer (control thread), lock-free readers between two quiescent points: nodes are
 * published whole and retired through the callback.
 */
#ifndef WGXDP_ALLOWEDIPS_H
#define WGXDP_ALLOWEDIPS_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/indextab.h"
#include "wg/prefix.h"

struct peer;
struct allowedips;

/* A list of one peer's prefixes, in the order in which it got them; a member of struct peer. */
struct allowedips_list {
	struct allowedips_node *first, *last;
	uint32_t count;
};

struct allowedips *allowedips_new(retire_fn retire, void *ctx);
void allowedips_free(struct allowedips *a);

/* Gives @p (host bits are masked here) to @peer, taking it from whoever has it; @list is @peer's.
 * Given to its holder again it stays where it was in the order; if that is on another list, it goes to
 * the end of @list, and lookups see nothing of that.
 * Returns 0, -EINVAL for a bad family or length, -ENOMEM, -ENOSPC at ALLOWED_IPS_MAX; on error
 * nothing has changed. Control thread. */
int allowedips_insert(struct allowedips *a, const struct prefix *p, struct peer *peer,
		      struct allowedips_list *list);

/* Takes exactly @p from @peer, if it is the holder. Returns true if it was. Control thread. */
bool allowedips_remove(struct allowedips *a, const struct prefix *p, struct peer *peer);

/* Takes all prefixes on @list, and calls @fn (may be NULL) for each that is gone. Control thread. */
void allowedips_remove_all(struct allowedips *a, struct allowedips_list *list,
			   void (*fn)(void *ctx, const struct prefix *p), void *ctx);

/* Puts all of @from at the end of @to; who holds what stays. Control thread. */
void allowedips_relist(struct allowedips_list *from, struct allowedips_list *to);

/* Calls @fn for each prefix on @list, in order, until it returns non-zero; returns that or 0. */
int allowedips_each(const struct allowedips_list *list,
		    int (*fn)(void *ctx, const struct prefix *p), void *ctx);

/* The peer with the longest prefix that holds the address (network order), or NULL. Any thread. */
struct peer *allowedips_lookup4(const struct allowedips *a, const uint8_t addr[static 4]);
struct peer *allowedips_lookup6(const struct allowedips *a, const uint8_t addr[static 16]);

/* Entries of one family. */
uint32_t allowedips_count(const struct allowedips *a, uint8_t family);

#endif
