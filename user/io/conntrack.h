/* SPDX-License-Identifier: MIT */
/*
 * conntrack.h - queries the kernel's connection tracking, for two reasons. AF_XDP must not send the
 * packets of an outer flow that the host translates (NAT). An ICMP error must quote the addresses
 * and ports that an inner packet had before its translation. The control thread calls these
 * functions.
 */
#ifndef WGXDP_CONNTRACK_H
#define WGXDP_CONNTRACK_H

#include <linux/types.h>

#include "io/netlink.h"
#include "wg/endpoint.h"

/* One direction of a flow. ICMP messages have an identifier instead of ports. */
struct conntrack_tuple {
	uint8_t family, protocol;
	uint8_t source[16], destination[16];
	union {
		__be16 source_port, id;
	};
	__be16 destination_port;
	uint8_t icmp_type;
};

/* Returns a handle for the functions below. The caller closes the handle with netlink_close().
 * Returns NULL if connections are not tracked, or on an error. */
struct netlink *conntrack_open(void);

/* Looks up the flow from e->local and @source_port to e->remote in the kernel's connection
 * tracking. @nl may be NULL. Returns 1 if an address or port of the flow is translated, 0 if none
 * is, -ENOENT if there is no entry or no tracking, or another -errno. */
int conntrack_translates(struct netlink *nl, const struct endpoint *e, __be16 source_port);

/* Finds the tuple that packets had before they were translated to @after. Supports TCP, UDP, SCTP,
 * UDP-Lite, DCCP, and echo requests and replies. Returns 0 and sets *@before, -ENOENT if there is
 * no entry, or another -errno. */
int conntrack_before(struct netlink *nl, const struct conntrack_tuple *after,
		     struct conntrack_tuple *before);

#endif
