/* SPDX-License-Identifier: MIT */
/*
 * names.h - connects endpoint_names.h with the daemon: with the clock, the routes, and two
 * resolvers (one with the fwmark, one without) in the namespace in which the daemon started.
 * Only the control thread calls these functions.
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
	struct resolver *marked; /* NULL = not needed so far */
	struct loop_timer timer; /* fires at endpoint_names_next() */
};

/* Borrows all pointers. Returns 0 or -ENOMEM. */
int names_init(struct names *n, struct loop *loop, struct device *device, struct nexthops *nexthops,
	       const struct dataplane *dataplane);
void names_done(struct names *n); /* does nothing if *n is all zero */

/* Arms the timer. Call this before each wait of the loop. */
void names_before_wait(struct names *n);

#endif
