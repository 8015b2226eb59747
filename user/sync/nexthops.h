/* SPDX-License-Identifier: MIT */
/*
 * nexthops.h - resolves peer->endpoint to peer->encap (the outer headers, or "through the UDP
 * socket"), publishes the encap for the workers, and updates it after these events:
 *
 *   endpoint set or roamed ─▶ nexthops_peer, at once; session begun ─▶ nexthops_met
 *   a router sends ICMP "too big" ─▶ the peers at the destination, 10 ms later
 *
 *   a neighbour changed ────────▶ the peers behind it, at once if they are few, else in the next
 *                                 round
 *   a route changed ────────────▶ the peers in its prefix, in the next round
 *   link, address, rule, IPsec  ▶ all peers, in the next round
 *   NEXTHOPS_EVERY_NS have passed ─▶ all peers, because the kernel sends no event when it learns
 *                                    or forgets a path MTU, or when a sysctl changes
 *
 * A round walks over all slots, 5 ms in each turn of the loop, and resolves the peers that a change
 * concerns. Changes during a round are handled in the next round. Rounds use at most a fifth of the
 * thread's time, so that thousands of route changes cannot delay handshakes.
 *
 * Only the control thread calls these functions.
 */
#ifndef WGXDP_NEXTHOPS_H
#define WGXDP_NEXTHOPS_H

#include "dataplane/dataplane.h"
#include "io/neighbours.h"
#include "io/netlink.h"
#include "io/nexthop.h"
#include "util/loop.h"
#include "util/slot_index.h"
#include "wg/device.h"

#define NEXTHOPS_INTERVAL_NS (50 * NS_PER_MS)
#define NEXTHOPS_EVERY_NS (30 * NS_PER_S)
#define NEXTHOPS_NARROWED_MAX 16
#define NEXTHOPS_PREFIXES_MAX 32
#define NEXTHOPS_HOPS_MAX 8

/* All pointers are borrowed and outlive the module. */
struct nexthops_config {
	struct loop *loop;
	struct device *device;
	struct qsbr *qsbr;
	struct netlink *netlink;
	const struct dataplane *dataplane;
	/* The callback for neighbours_init(), and its context. */
	void (*neighbour_managed)(void *ctx, const struct encap_next *next, bool managed);
	void *ctx;
};

/* The peers that a round resolves: all peers if @all is true, else the peers whose endpoints are in
 * one of the prefixes or behind one of the hops. */
struct nexthops_scope {
	bool all;
	unsigned prefix_count, hop_count;
	struct prefix prefixes[NEXTHOPS_PREFIXES_MAX];
	struct encap_next hops[NEXTHOPS_HOPS_MAX];
};

struct nexthops {
	struct nexthops_config config;
	struct neighbours neighbours; /* the next hops, and the peers behind each of them */
	struct slot_index remotes;    /* remote address -> slots of the peers at this address */
	uint32_t tunnel;	      /* ifindex of the tunnel; 0 = in another namespace */
	struct netlink *netfilter;    /* for conntrack queries; NULL = not open, or not supported */
	struct ipsec_watch *ipsec;    /* NULL = not watched */
	struct loop_timer ipsec_timer; /* reads the policies again */
	uint64_t ipsec_next_ns;	       /* the policies are not read again before this time */
	bool ipsec_bypassed;	       /* the log already says that AF_XDP bypasses IPsec */
	struct pmtu_watch *pmtu;       /* NULL = ICMP errors cannot be watched */
	struct endpoint narrowed[NEXTHOPS_NARROWED_MAX]; /* destinations of "too big" packets */
	unsigned narrowed_count;
	struct loop_timer narrowed_timer; /* resolves the peers at the narrowed destinations */
	struct loop_timer round_timer;	  /* begins a round, or continues it at next_slot */
	struct loop_timer refresh_timer;  /* requests a round of all peers */
	struct nexthops_scope next, now;  /* peers of the next and of the current round */
	uint32_t next_slot;		  /* slot that the round visits next; 0 = no round */
	uint64_t round_cost_ns;		  /* time that the current round has used */
	uint64_t quiet_until_ns;	  /* the next round does not begin before this time */
};

void nexthops_init(struct nexthops *n, const struct nexthops_config *config);
/* Releases neighbours and sockets. All peers must have been removed. */
void nexthops_done(struct nexthops *n);

/* Begins to watch ICMP errors about path MTUs, and changes of IPsec policies. */
void nexthops_watch(struct nexthops *n);

/* Sets the ifindex of the tunnel interface, or 0 if the interface is in another namespace. An
 * endpoint whose route leads to this ifindex cannot be reached, because outer packets must not
 * enter the tunnel. */
void nexthops_set_tunnel(struct nexthops *n, uint32_t ifindex);

/* Resolves the peer and publishes its encap now. */
void nexthops_peer(struct nexthops *n, struct peer *p);
/* Like nexthops_peer(), but called just after a handshake. If the flow to the peer then has no
 * conntrack entry, the host does not apply NAT to the flow. */
void nexthops_met(struct nexthops *n, struct peer *p);
/* Resolves the peer like nexthops_peer(), but only if workers have reported a new endpoint since
 * its encap was resolved. */
void nexthops_roamed(struct nexthops *n, struct peer *p);
/* Unpublishes the peer's encap, because the peer is being removed. */
void nexthops_forget(struct nexthops *n, struct peer *p);

/* Returns true if @from, the source of an authenticated message, can be the endpoint of a peer.
 * Returns false for a broadcast address. Returns false for an address of this host, except if the
 * message arrived on the loopback interface. */
bool nexthops_answerable(struct nexthops *n, const struct endpoint *from);

/* Returns the rank of an endpoint by its current route; see endpoint_rank.h. */
unsigned nexthops_rank(struct nexthops *n, const struct endpoint *e);

/* Resolves the peers behind a neighbour that has changed: now if they are few, else in the next
 * round. */
void nexthops_neighbour(struct nexthops *n, const struct netlink_neighbour_event *event);
/* Makes the next round resolve the peers whose endpoints are in @destination, because a route to
 * @destination has changed. */
void nexthops_route_changed(struct nexthops *n, const struct prefix *destination);
/* Requests a round of all peers, after a change that may concern any of them. */
void nexthops_changed(struct nexthops *n);
/* Begins a round of all peers now. */
void nexthops_now(struct nexthops *n);

#endif
