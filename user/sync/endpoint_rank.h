/* SPDX-License-Identifier: MIT */
/*
 * endpoint_rank.h - chooses one of several addresses of a peer. The rules are those of
 * getaddrinfo(3), but the addresses are ranked by the routes of the outer packets. These packets
 * carry the fwmark and must not enter the tunnel. Only the control thread calls these functions.
 */
#ifndef WGXDP_ENDPOINT_RANK_H
#define WGXDP_ENDPOINT_RANK_H

#include "io/netlink.h"

/* Returns the rank of @e: 0 if @e has no route, or a route into @tunnel (an ifindex; 0 = no
 * tunnel); 2 for a global IPv6 address that is reached from a global address (RFC 6724 prefers it
 * to IPv4); else 1. */
unsigned endpoint_rank(struct netlink *nl, const struct endpoint *e,
		       const struct netlink_flow *flow, uint32_t tunnel);

/* Returns the address in @list for which @rank returns the highest number, or the first of several
 * with this number, and sets its port to @port (host order). @count is at least 1. */
struct endpoint endpoint_best(const struct endpoint *list, unsigned count, uint16_t port,
			      unsigned (*rank)(void *ctx, const struct endpoint *e), void *ctx);

#endif
