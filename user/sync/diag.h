/* SPDX-License-Identifier: MIT */
/*
 * diag.h - what is said while debugging is on: handshakes that fail, packets that are refused, with
 * the peer where it is known and the address where it is not. Control thread.
 *
 * Of each kind DIAG_PER_S lines a second are written. What a second had beyond that is said in one line
 * at its end: for a kind that is counted as drops by as many as were counted, also of those that BPF
 * or a worker did not even tell us of.
 */
#ifndef WGXDP_DIAG_H
#define WGXDP_DIAG_H

#include "path/handoff.h"
#include "wg/device.h"
#include "wgxdp/maps.h"

#define DIAG_PER_S 5

/* Kinds: those of device events, then these, of which DIAG_DROP is one for each reason. */
#define DIAG_UNALLOWED DEVICE_EVENTS
#define DIAG_DROP (DEVICE_EVENTS + 1)
#define DIAG_KINDS (DIAG_DROP + REASON_COUNT)

struct daemon;

struct diag {
	uint64_t until_ns[DIAG_KINDS];	/* the end of the second that is counted; 0 = none is */
	uint64_t said[DIAG_KINDS];	/* in it */
	uint64_t all[DIAG_KINDS];	/* in it, told to us */
	uint64_t dropped[REASON_COUNT]; /* anywhere, when a second of that reason last ended */
};

/* Debugging on or off, from now on. */
void diag_set(struct daemon *n, bool on);
bool diag_is_on(void);

/* For struct device_ops. */
void diag_event(struct daemon *n, enum device_event event, const struct peer *peer,
		const struct endpoint *from);
/* @peer sent an inner packet from @source. */
void diag_unallowed(struct daemon *n, const struct peer *peer, const struct endpoint *source);
/* A sample of what died in BPF. */
void diag_sample(struct daemon *n, const struct event *e);

/* Ends the seconds that are over, and when the next one is; UINT64_MAX = none. */
void diag_tick(struct daemon *n, uint64_t now_ns);
uint64_t diag_next(const struct daemon *n);

#endif
