/* SPDX-License-Identifier: MIT */
/*
 * nexthops.h - peer->endpoint -> peer->encap (outer headers, or "by the UDP socket"), published for
 * the workers and kept true:
 *
 *   endpoint set or roamed ─▶ nexthops_peer, at once; session begun ─▶ nexthops_met
 *   a neighbour became valid, invalid, or has a new MAC ─▶ nexthops_neighbour ─▶ peers behind it
 *   links, addresses, routes or rules changed ─▶ nexthops_changed ─▶ all peers, some in each turn,
 *                                                and not more often than NEXTHOPS_INTERVAL_NS
 *   nothing for NEXTHOPS_EVERY_NS ─▶ all peers: the kernel tells nobody when it learns or forgets
 *                                    a path MTU, or when a sysctl changes
 *   a router says "too big" ─▶ the peers at that address, a moment later
 *
 * Control thread.
 */
#ifndef WGXDP_NEXTHOPS_H
#define WGXDP_NEXTHOPS_H

#include "dataplane/dataplane.h"
#include "io/netlink.h"
#include "io/nexthop.h"
#include "util/loop.h"
#include "wg/device.h"

#define NEXTHOPS_INTERVAL_NS (50 * NS_PER_MS)
#define NEXTHOPS_EVERY_NS (30 * NS_PER_S)
#define NEXTHOPS_NARROWED_MAX 16

/* All pointers are borrowed and outlive the module. */
struct nexthops_config {
	struct loop *loop;
	struct device *device;
	struct qsbr *qsbr;
	struct netlink *netlink;
	const struct dataplane *dataplane;
};

struct nexthops {
	struct nexthops_config config;
	struct nexthop_managed managed; /* neighbours that the kernel refreshes for us */
	uint32_t tunnel; /* ifindex of the tunnel in this namespace; 0: it is in another */
	struct netlink *netfilter; /* NULL: not opened yet, or the kernel has none */
	struct pmtu_watch *pmtu;   /* NULL: ICMP errors cannot be watched */
	struct endpoint narrowed[NEXTHOPS_NARROWED_MAX]; /* of which a router said "too big" */
	unsigned narrowed_count;
	struct loop_timer narrowed_timer; /* resolves the peers at them */
	struct loop_timer round_timer;	  /* resolves all peers, from next_slot on */
	uint32_t next_slot;		  /* 0: a round begins when the timer fires */
	bool again;			  /* something changed during the round */
	uint64_t last_round_ns;
};

void nexthops_init(struct nexthops *n, const struct nexthops_config *config);
/* Releases neighbours and sockets; all peers are gone. */
void nexthops_done(struct nexthops *n);

/* Begins to listen to what routers say of path MTUs. */
void nexthops_watch(struct nexthops *n);

/* The tunnel interface is in this namespace with @ifindex, or in another one (0): a route into it
 * leads into the tunnel itself. */
void nexthops_set_tunnel(struct nexthops *n, uint32_t ifindex);

/* Resolves and publishes now. */
void nexthops_peer(struct nexthops *n, struct peer *p);
/* The same, just after a handshake with the peer: conntrack has an entry for it now. */
void nexthops_met(struct nexthops *n, struct peer *p);
/* The same if workers have told that the peer roamed since it was last resolved. */
void nexthops_roamed(struct nexthops *n, struct peer *p);
/* Unpublishes: the peer is being removed. */
void nexthops_forget(struct nexthops *n, struct peer *p);

/* Can a host other than this one be at @from, from where an authenticated message came? */
bool nexthops_answerable(struct nexthops *n, const struct endpoint *from);

void nexthops_neighbour(struct nexthops *n, const struct netlink_neighbour_event *event);
/* Resolves all peers soon, because something changed. */
void nexthops_changed(struct nexthops *n);
/* Begins to resolve all peers at once. */
void nexthops_now(struct nexthops *n);

#endif
