/* SPDX-License-Identifier: MIT */
/*
 * nexthop.h - turns an endpoint into an encap: asks for route, source and neighbour, and finds out
 * whether AF_XDP can send on an attached NIC. Control thread.
 */
#ifndef WGXDP_NEXTHOP_H
#define WGXDP_NEXTHOP_H

#include "io/encap.h"
#include "io/neighbours.h"
#include "io/netlink.h"

struct nexthop_env {
	struct netlink *nl;
	uint32_t fwmark;
	__be16 source_port;
	uint8_t ttl;	      /* of IPv4 packets whose route sets none */
	const uint32_t *nics; /* ifindices that take AF_XDP tx */
	unsigned nic_count;
	uint32_t tunnel; /* ifindex of our own interface; 0 = in another namespace */
	struct neighbours *neighbours;
	uint32_t user; /* of the neighbour that is found; see neighbours_use() */
};

/* Resolves @e. Without a usable route or neighbour the encap is for the UDP path only, and its @why
 * says so. A neighbour that is being resolved causes a NETLINK_CHANGED_NEIGHBOUR later. Returns
 * NULL when out of memory. */
struct encap *nexthop_resolve(const struct nexthop_env *env, const struct endpoint *e);

#endif
