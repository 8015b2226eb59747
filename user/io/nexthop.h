/* SPDX-License-Identifier: MIT */
/*
 * nexthop.h - from an endpoint to an encap: route, source, neighbour, and whether an attached NIC
 * can take it directly. Control thread.
 */
#ifndef WGXDP_NEXTHOP_H
#define WGXDP_NEXTHOP_H

#include "io/encap.h"
#include "io/netlink.h"

/* The neighbours that the kernel manages for us. */
struct nexthop_managed {
	struct encap_next *list;
	unsigned count, cap;
};

/* Lets go of all of them. */
void nexthop_release(struct netlink *nl, struct nexthop_managed *managed);

struct nexthop_env {
	struct netlink *nl;
	uint32_t fwmark;
	__be16 source_port;
	uint8_t ttl;	      /* of IPv4 packets where the route says nothing */
	const uint32_t *nics; /* ifindices that take AF_XDP tx */
	unsigned nic_count;
	uint32_t tunnel;		 /* ifindex of our own; 0 = it is in another namespace */
	struct nexthop_managed *managed; /* grows; see nexthop_release() */
};

/* Resolves @e. Always makes an encap: without a route or neighbour it is one for the UDP path.
 * *@pending is set when a neighbour is being resolved (a NETLINK_CHANGED_NEIGHBOUR change will follow).
 * *@why (static text) says why it is not direct, or NULL. Returns NULL when out of memory. */
struct encap *nexthop_resolve(const struct nexthop_env *env, const struct endpoint *e,
			      bool *pending, const char **why);

#endif
