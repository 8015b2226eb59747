/* SPDX-License-Identifier: MIT */
/*
 * stage.h - packets that wait for a session: at most STAGED_PER_PEER a peer, STAGED_TOTAL and
 * STAGED_BYTES in all, oldest dropped first; copies on the heap, never UMEM frames. A small lock each: workers push and
 * take, the control thread counts and purges; no data message of a live session comes here.
 */
#ifndef WGXDP_STAGE_H
#define WGXDP_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct staged {
	struct staged *next;
	uint32_t len;
	uint8_t data[]; /* an inner IP packet, and WIRE_PADDING writable bytes after it */
};

struct stage {
	atomic_flag lock;
	_Atomic uint16_t count; /* readable without the lock */
	struct staged *first, *last;
};

void stage_init(struct stage *s);

/* Copies @len bytes of @packet to the end. Returns how many packets were dropped for it: the oldest
 * of this peer that had to make room, and this one itself when that was not enough. Any thread. */
unsigned stage_push(struct stage *s, const void *packet, uint32_t len);

/* Takes up to @max packets from the front as a list, in order; *@n says how many. The caller frees
 * each with stage_drop(). Any thread. */
struct staged *stage_take(struct stage *s, unsigned max, unsigned *n);
void stage_drop(struct staged *packet);

/* Drops all. Returns how many. Any thread. */
unsigned stage_purge(struct stage *s);

#endif
