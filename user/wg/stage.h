/* SPDX-License-Identifier: MIT */
/*
 * stage.h - the packets of a peer that wait for a session: at most STAGED_PER_PEER per peer, and
 * STAGED_TOTAL packets and STAGED_BYTES over all peers. The oldest packet of the peer is dropped
 * first. A staged packet is a copy on the heap, so it does not occupy a frame of AF_XDP memory.
 * Workers push and take packets; the control thread reads the count and purges. Each stage has a
 * spin lock. A packet for a peer with a live session and an empty stage is sent without being
 * staged.
 */
#ifndef WGXDP_STAGE_H
#define WGXDP_STAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct staged {
	struct staged *next;
	uint32_t len;
	uint8_t data[]; /* an inner IP packet of @len bytes, and room for its padding */
};

struct stage {
	atomic_flag lock;
	_Atomic uint16_t count; /* number of packets; may be read without the lock */
	struct staged *first, *last;
};

void stage_init(struct stage *s);

/* Appends a copy of the @len bytes at @packet. Returns how many packets were dropped: first the
 * oldest packets of this peer, and then the new packet if there is still no room. Any thread may
 * call it. */
unsigned stage_push(struct stage *s, const void *packet, uint32_t len);

/* Removes up to @max packets, the oldest first, and returns them as a list. Sets *@n to their
 * number. The caller frees each packet with stage_drop(). Any thread may call it. */
struct staged *stage_take(struct stage *s, unsigned max, unsigned *n);
/* Frees a packet that stage_take() has returned, sent or not. Any thread may call it. */
void stage_drop(struct staged *packet);

/* Drops all packets. Returns their number. Any thread may call it. */
unsigned stage_purge(struct stage *s);

#endif
