/* SPDX-License-Identifier: MIT */
/*
 * names.h - gives endpoint_names.h what it needs in the daemon: the clock, two resolvers in the
 * namespace where the daemon started (one with the fwmark, one without), and the routes. Control
 * thread.
 */
#ifndef WGXDP_NAMES_H
#define WGXDP_NAMES_H

#include "sync/endpoint_names.h"
#include "sync/nexthops.h"

struct names {
	struct endpoint_names endpoints;
	struct loop *loop;
	struct nexthops *nexthops;
	const struct dataplane *dataplane;
	struct resolver *plain;
	struct resolver *marked; /* NULL: not needed so far */
	struct loop_timer timer; /* endpoint_names_next() */
};

/* All pointers are borrowed. 0 or -ENOMEM. */
int names_init(struct names *n, struct loop *loop, struct device *device, struct nexthops *nexthops,
	       const struct dataplane *dataplane);
void names_done(struct names *n); /* fine if all zero */

/* Before each wait of the loop: arms the timer. */
void names_before_wait(struct names *n);

#endif
