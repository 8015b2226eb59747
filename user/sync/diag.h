/* SPDX-License-Identifier: MIT */
/*
 * diag.h - while debugging is on, logs protocol events, such as failed handshakes, and dropped
 * packets. A line names the peer if the peer is known, else the address. Only the control thread
 * calls these functions.
 *
 *   protocol core ── diag_event ──────┐
 *   workers ──────── diag_unallowed ──┼─▶ at most DIAG_PER_S lines a second of each kind
 *   BPF's ring `events` (samples) ────┘   ... and one line with the number of lines left out
 *
 * Packets that are dropped for the same reason share one limit and one number of lines left out.
 * For drops, this number comes from the drop counter of the reason. The counter includes drops that
 * BPF or a worker did not report to this module. Therefore the line with this number names only the
 * reason of the drops.
 */
#ifndef WGXDP_DIAG_H
#define WGXDP_DIAG_H

#include "util/log.h"
#include "util/loop.h"
#include "wg/device.h"
#include "wgxdp/maps.h"

#define DIAG_PER_S 5

/* Numbers of the kinds of lines: first the events of the device, then DIAG_UNALLOWED, then
 * DIAG_DROP + the drop reason. */
#define DIAG_UNALLOWED DEVICE_EVENTS
#define DIAG_DROP (DEVICE_EVENTS + 1)
#define DIAG_KINDS (DIAG_DROP + REASON_COUNT)

struct dataplane;

struct diag {
	struct loop *loop;
	struct dataplane *dataplane;
	enum log_level quiet_level; /* log level while debugging is off */
	struct loop_timer second_timer;
	/* Rate limits; limit_of() in diag.c returns the index for a kind of line. */
	uint64_t until_ns[DIAG_KINDS];	/* end of the current second; 0 = no second has begun */
	uint64_t said[DIAG_KINDS];	/* lines written in the current second */
	uint64_t all[DIAG_KINDS];	/* occurrences in the current second */
	uint64_t dropped[REASON_COUNT]; /* the drop counters as new_drops() last read them */
};

/* Initialises @d. @quiet_level is the log level while debugging is off. */
void diag_init(struct diag *d, struct loop *loop, struct dataplane *dataplane,
	       enum log_level quiet_level);
void diag_done(struct diag *d); /* does nothing if never initialized */

/* Begins to read the ring `events`, to which the BPF programs write samples of dropped packets.
 * Returns 0 or -errno. */
int diag_watch(struct diag *d);

/* Turns debugging on or off. */
void diag_set(struct diag *d, bool on);
bool diag_is_on(void);

/* Logs an event of the device. Called through struct device_ops. */
void diag_event(struct diag *d, enum device_event event, const struct peer *peer,
		const struct endpoint *from);
/* Logs that @peer sent an inner packet whose source address @source is not an allowed IP of
 * @peer. */
void diag_unallowed(struct diag *d, const struct peer *peer, const struct endpoint *source);
/* Logs that the kernel refused UDP segmentation (GSO) of datagrams to @peer, and the errno @error.
 * Logs this even while debugging is off. */
void diag_no_gso(const struct peer *peer, int error);

#endif
