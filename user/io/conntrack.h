/* SPDX-License-Identifier: MIT */
/*
 * conntrack.h - whether the host translates (NAT) the addresses of a flow of its own: what leaves by
 * AF_XDP would leave untranslated. Control thread.
 */
#ifndef WGXDP_CONNTRACK_H
#define WGXDP_CONNTRACK_H

#include <linux/types.h>

#include "io/netlink.h"
#include "wg/endpoint.h"

/* The entry of the flow from e->local and @source_port to e->remote, as the kernel's connection
 * tracking has it. @nl: of netlink_open_netfilter(), or NULL. Returns 1 if one of its addresses or
 * ports is translated, 0 if none is, -ENOENT if there is no entry or no tracking, or -errno. */
int conntrack_translates(struct netlink *nl, const struct endpoint *e, __be16 source_port);

#endif
