/* SPDX-License-Identifier: MIT */
#include "sync/endpoint_rank.h"

#include <arpa/inet.h>
#include <string.h>

/* Returns true if @a is a global address that RFC 6724 2.1 prefers to IPv4. Its policy table gives
 * unique local, 6to4 and Teredo addresses a lower precedence than IPv4. The obsolete prefixes ::/96
 * and 3ffe::/16 also have a lower precedence, but are not checked here. */
static bool is_global_v6(const uint8_t a[static 16])
{
	static const uint8_t teredo[4] = { 0x20, 0x01, 0, 0 };

	return (a[0] & 0xfe) != 0xfc && !(a[0] == 0xfe && a[1] & 0x80) &&
	       !(a[0] == 0x20 && a[1] == 0x02) && memcmp(a, teredo, sizeof(teredo)) != 0;
}

unsigned endpoint_rank(struct netlink *nl, const struct endpoint *e,
		       const struct netlink_flow *flow, uint32_t tunnel)
{
	struct netlink_route route;

	if (netlink_route(nl, e, flow, &route) ||
	    (tunnel && route.ifindex == tunnel && !route.local))
		return 0;
	if (e->remote.sa.sa_family == AF_INET6 && route.has_source &&
	    is_global_v6(e->remote.v6.sin6_addr.s6_addr) && is_global_v6(route.source))
		return 2;
	return 1;
}

struct endpoint endpoint_best(const struct endpoint *list, unsigned count, uint16_t port,
			      unsigned (*rank)(void *ctx, const struct endpoint *e), void *ctx)
{
	struct endpoint best = { 0 };
	unsigned best_rank = 0;

	for (unsigned i = 0; i < count; i++) {
		struct endpoint e = list[i];
		unsigned r;

		e.remote.v4.sin_port = htons(port); /* IPv6 has the port at this offset, too */
		r = rank(ctx, &e);
		if (i && r <= best_rank)
			continue;
		best = e;
		best_rank = r;
	}
	return best;
}
