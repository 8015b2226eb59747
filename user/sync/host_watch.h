/* SPDX-License-Identifier: MIT */
/*
 * host_watch.h - watches the host's network by netlink, and notifies other modules of changes:
 *
 *   address, link ─▶ mapsync (the addresses whose packets XDP handles), nexthops, and the data
 *                    plane, which may choose other NICs
 *   MAC of a NIC  ─▶ the loader, because XDP handles only frames to this MAC
 *   forwarding    ─▶ mapsync
 *   route, rule   ─▶ nexthops, and the data plane
 *   neighbour     ─▶ nexthops, for the peers behind this neighbour
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_HOST_WATCH_H
#define WGXDP_HOST_WATCH_H

#include "dataplane/dataplane.h"
#include "sync/mapsync.h"
#include "sync/nexthops.h"

struct host_watch {
	struct netlink_watch *watch;
	struct loop *loop;
	struct dataplane *dataplane;
	struct mapsync *mapsync;
	struct nexthops *nexthops;
};

/* Subscribes to the events. Call this early, so that no change is missed while the daemon starts.
 * @dataplane, @mapsync and @nexthops may still be uninitialized. Returns 0 or -errno. */
int host_watch_open(struct host_watch *w, struct loop *loop, struct dataplane *dataplane,
		    struct mapsync *mapsync, struct nexthops *nexthops);
/* Begins to read the events and to notify the modules. Returns 0 or -errno. */
int host_watch_start(struct host_watch *w);
void host_watch_close(struct host_watch *w); /* does nothing if never opened */

#endif
