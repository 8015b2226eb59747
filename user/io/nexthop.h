/* SPDX-License-Identifier: MIT */
/*
 * nexthop.h - resolves an endpoint to a struct encap: queries route, source and neighbour, and
 * finds out whether AF_XDP can send to the endpoint through one of the NICs. The control thread
 * calls this.
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
	uint8_t ttl;	      /* TTL of IPv4 packets whose route sets none */
	const uint32_t *nics; /* the ifindices of NICs on which AF_XDP may send */
	unsigned nic_count;
	uint32_t tunnel; /* ifindex of the tunnel interface; 0 = it is in another namespace */
	struct neighbours *neighbours;
	uint32_t user; /* slot of the peer, the @user for neighbours_use() */
};

/* Resolves @e. If there is no usable route or neighbour, the encap is for the UDP socket only, and
 * its member @why names the reason. If the neighbour is being resolved, the kernel notifies later
 * (NETLINK_CHANGED_NEIGHBOUR). Returns NULL when out of memory. */
struct encap *nexthop_resolve(const struct nexthop_env *env, const struct endpoint *e);

#endif
