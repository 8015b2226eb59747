/* SPDX-License-Identifier: MIT */
/*
 * heap.h - the peers of a device that have a deadline, earliest first: a binary heap over
 * peer->deadline_ns, with each peer's place in peer->heap_at so that it can be moved in O(log n).
 * Control thread only.
 */
#ifndef WGXDP_HEAP_H
#define WGXDP_HEAP_H

#include <stdint.h>

struct peer;

struct heap {
	struct peer **at;
	uint32_t len, cap;
};

/* Room for @cap peers in all, so that heap_set() cannot fail. Returns 0 or -ENOMEM. */
int heap_reserve(struct heap *h, uint32_t cap);
void heap_done(struct heap *h);

/* Enters, moves or (with TIMERS_NEVER) takes out @p. */
void heap_set(struct heap *h, struct peer *p, uint64_t deadline_ns);

/* The peer with the earliest deadline, or NULL. */
struct peer *heap_first(const struct heap *h);

#endif
