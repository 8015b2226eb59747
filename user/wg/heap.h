/* SPDX-License-Identifier: MIT */
/*
 * heap.h - the peers of a device that have a deadline, earliest first: a binary heap over
 * peer->deadline_ns. peer->heap_at is the peer's index in the heap, so that the peer can be moved
 * in O(log n).
 *
 *              at[0]                  the deadline of at[i] is never later than those of its
 *             /     \                 children at[2i + 1] and at[2i + 2]
 *         at[1]     at[2]
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_HEAP_H
#define WGXDP_HEAP_H

#include <stdint.h>

struct peer;

struct heap {
	struct peer **at;
	uint32_t len, cap;
};

/* Makes room for @cap peers in total. heap_set() relies on this room and cannot fail. Returns 0 or
 * -ENOMEM. */
int heap_reserve(struct heap *h, uint32_t cap);
void heap_done(struct heap *h);

/* Sets the deadline of @p (BOOTTIME, ns), and adds @p to the heap or moves it. If @deadline_ns is
 * TIMERS_NEVER, removes @p from the heap. */
void heap_set(struct heap *h, struct peer *p, uint64_t deadline_ns);

/* Returns the peer with the earliest deadline, or NULL. */
struct peer *heap_first(const struct heap *h);

#endif
