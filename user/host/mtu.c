/* SPDX-License-Identifier: MIT */
#include "host/mtu.h"

#include "conf/conf.h"
#include "io/netlink.h"

/* IPv6, UDP, header and tag of a data message: 40 + 8 + 16 + 16. wg-quick(8) subtracts the same. */
#define OVERHEAD 80
#define PATH_MTU_DEFAULT 1500
#define MTU_MIN 1280		   /* RFC 8200 5 */
#define MTU_MAX (65535 - OVERHEAD) /* a larger packet would not fit into a UDP datagram */

uint32_t mtu_for_path(uint32_t path_mtu)
{
	if (!path_mtu)
		path_mtu = PATH_MTU_DEFAULT;
	if (path_mtu < MTU_MIN + OVERHEAD)
		return MTU_MIN;
	return path_mtu < MTU_MAX + OVERHEAD ? path_mtu - OVERHEAD : MTU_MAX;
}

/* Returns the path MTU of @route; 0 if the path does not leave this host or leads into the
 * tunnel. */
static uint32_t path_mtu(struct netlink *nl, const struct netlink_route *route, uint32_t tunnel)
{
	struct netlink_link link;

	if (route->local || route->ifindex == tunnel ||
	    netlink_link(nl, NULL, route->ifindex, &link) || link.loopback)
		return 0;
	return route->mtu;
}

uint32_t mtu_choose(struct netlink *nl, const struct conf *conf, uint32_t mark, uint32_t tunnel)
{
	const struct netlink_flow flow = { mark, htons(conf->listen_port) };
	struct netlink_route route;
	uint32_t mtu = 0, one;

	for (uint32_t i = 0; i < conf->peer_count; i++) {
		const struct endpoint *e = &conf->peers[i].endpoint;

		if (e->remote.sa.sa_family == AF_UNSPEC || netlink_route(nl, e, &flow, &route))
			continue;
		one = path_mtu(nl, &route, tunnel);
		if (one && (!mtu || one < mtu))
			mtu = one;
	}
	if (!mtu && !netlink_default_route(nl, AF_INET, &flow, &route))
		mtu = path_mtu(nl, &route, tunnel);
	return mtu_for_path(mtu);
}
