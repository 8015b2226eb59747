/* SPDX-License-Identifier: MIT */
/*
 * allowedips.h - cryptokey routing ([W] 2): prefix -> peer, by the longest match over
 * all peers. There is one path-compressed binary trie per family (allowedips.c has a picture). The
 * BPF maps allowed4 and allowed6 hold the same entries.
 *
 * There is one writer (the control thread) and any number of readers, which take no lock. A reader
 * uses a result only until its next quiescent point (path/qsbr.h). A node of the trie is complete
 * when it is published, and is given to the retire callback when it is removed.
 */
#ifndef WGXDP_ALLOWEDIPS_H
#define WGXDP_ALLOWEDIPS_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/indextab.h"
#include "wg/prefix.h"

struct peer;
struct allowedips;

/* The prefixes of one peer, in the order in which the peer got them; a member of struct peer. */
struct allowedips_list {
	struct allowedips_node *first, *last;
	uint32_t count;
};

/* Returns empty tries, or NULL when out of memory. @ctx is passed to @retire. */
struct allowedips *allowedips_new(retire_fn retire, void *ctx);
/* Frees the tries. No reader may be left. Does nothing if @a is NULL. */
void allowedips_free(struct allowedips *a);

/* Gives the prefix @p, whose host bits are ignored, to @peer. If another peer has @p, that peer
 * loses it. @list is one of @peer's lists. If @p is on @list already, @p keeps its place in the
 * order. Otherwise @p leaves the list that held it, and is appended to @list. Returns 0, -EINVAL
 * for an invalid prefix, -ENOMEM, or -ENOSPC at ALLOWED_IPS_MAX. After an error nothing has
 * changed. Only the control thread calls this function. */
int allowedips_insert(struct allowedips *a, const struct prefix *p, struct peer *peer,
		      struct allowedips_list *list);

/* Removes the prefix @p if @peer has exactly this prefix. Returns true if @p was removed. Only the
 * control thread calls this function. */
bool allowedips_remove(struct allowedips *a, const struct prefix *p, struct peer *peer);

/* Removes all prefixes on @list, and calls @fn (which may be NULL) after removing each. Only the
 * control thread calls this function. */
void allowedips_remove_all(struct allowedips *a, struct allowedips_list *list,
			   void (*fn)(void *ctx, const struct prefix *p), void *ctx);

/* Moves all prefixes of @from to the end of @to, a list of the same peer. Only the control thread
 * calls it. */
void allowedips_relist(struct allowedips_list *from, struct allowedips_list *to);

/* Calls @fn for each prefix on @list, in order, until @fn returns a value other than 0. Returns the
 * last value of @fn, or 0 if the list is empty. Only the control thread calls this
 * function. */
int allowedips_each(const struct allowedips_list *list,
		    int (*fn)(void *ctx, const struct prefix *p), void *ctx);

/* Return the peer with the longest prefix that contains the address (network order), or NULL. Any
 * thread may call them. */
struct peer *allowedips_lookup4(const struct allowedips *a, const uint8_t addr[static 4]);
struct peer *allowedips_lookup6(const struct allowedips *a, const uint8_t addr[static 16]);

/* Returns the number of prefixes of one family. Only the control thread calls it. */
uint32_t allowedips_count(const struct allowedips *a, uint8_t family);

#endif
