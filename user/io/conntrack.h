/* SPDX-License-Identifier: MIT */
/*
 * conntrack.h - whether the host translates (NAT) the addresses of a flow of its own. Packets of
 * such a flow must not be sent by AF_XDP, which the NAT does not see. Control thread.
 */
#ifndef WGXDP_CONNTRACK_H
#define WGXDP_CONNTRACK_H

#include <linux/types.h>

#include "io/netlink.h"
#include "wg/endpoint.h"

/* Looks up the flow from e->local and @source_port to e->remote in the kernel's connection
 * tracking. @nl is of netlink_open_netfilter(), or NULL. Returns 1 if an address or a port of the
 * flow is translated, 0 if none is, -ENOENT if there is no entry or no tracking, or -errno. */
int conntrack_translates(struct netlink *nl, const struct endpoint *e, __be16 source_port);

#endif
