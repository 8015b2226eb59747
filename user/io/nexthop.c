/* SPDX-License-Identifier: MIT */
/*
 * nexthop.c - finds out how packets reach an endpoint.
 *
 *   endpoint ─▶ route ─┬─▶ none, or to this host ──────────────────────────────▶ UDP socket
 *                      ├─▶ into the tunnel itself ─────────────────────────────▶ UDP socket
 *                      ├─▶ via a link that is not attached, or has no MACs ────▶ UDP socket
 *                      └─▶ via an attached NIC ▶ neighbour ─┬─▶ not yet valid ─▶ UDP socket
 *                                                           └─▶ valid ─────────▶ AF_XDP
 *
 * An attached NIC is one on which this daemon has AF_XDP sockets. neighbours.h keeps the kernel's
 * neighbour entry fresh as long as a peer uses it.
 */
#include "io/nexthop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool has_local(const struct endpoint *e)
{
	return e->remote.sa.sa_family == AF_INET ? e->local.v4.s_addr != 0
						 : !IN6_IS_ADDR_UNSPECIFIED(&e->local.v6);
}

struct wanted {
	uint32_t ifindex;
	uint8_t family;
	const void *addr;
};

static int compare_address(void *ctx, uint32_t ifindex, uint8_t family, const uint8_t *addr)
{
	const struct wanted *w = ctx;

	return ifindex == w->ifindex && family == w->family &&
	       !memcmp(addr, w->addr, family == AF_INET ? 4 : 16);
}

/* Returns true if the sticky source, e->local, is an address of the interface e->ifindex, on which
 * a message to this address last arrived. */
static bool source_is_on_last_link(const struct nexthop_env *env, const struct endpoint *e)
{
	struct wanted w = { e->ifindex, (uint8_t)e->remote.sa.sa_family, &e->local };

	return netlink_addresses(env->nl, compare_address, &w) == 1;
}

/* Queries the route and fills in the source, e->local. A source that is already set (the sticky
 * source) is dropped in two cases: this host no longer has the address; or the address belongs to
 * the interface e->ifindex, but the route now leads through another interface. The address of a
 * third interface, such as the loopback interface, is kept, because it suits every route. */
static int find_route(const struct nexthop_env *env, struct endpoint *e, struct netlink_route *r)
{
	const struct netlink_flow flow = { env->fwmark, env->source_port };
	int err = netlink_route(env->nl, e, &flow, r);
	bool moved = !err && has_local(e) && e->ifindex && r->ifindex != e->ifindex &&
		     source_is_on_last_link(env, e);

	if (err == -EINVAL || moved) {
		endpoint_forget_local(e);
		err = netlink_route(env->nl, e, &flow, r);
	}
	if (err || has_local(e) || !r->has_source)
		return err;
	if (e->remote.sa.sa_family == AF_INET)
		memcpy(&e->local.v4, r->source, sizeof(e->local.v4));
	else
		memcpy(&e->local.v6, r->source, sizeof(e->local.v6));
	return 0;
}

static bool is_nic(const struct nexthop_env *env, uint32_t ifindex)
{
	for (unsigned i = 0; i < env->nic_count; i++)
		if (env->nics[i] == ifindex)
			return true;
	return false;
}

/* Returns why AF_XDP cannot send packets of this route, or NULL. Does not check the neighbour. */
static const char *obstacle(const struct nexthop_env *env, const struct endpoint *e,
			    const struct netlink_route *r, struct netlink_link *link)
{
	if (r->local)
		return "the endpoint is this host";
	if (r->ifindex == env->tunnel)
		return "the route to the endpoint leads into the tunnel itself";
	if (!is_nic(env, r->ifindex))
		return "the route leaves by an interface without AF_XDP";
	if (r->encapsulated)
		return "the route adds headers of its own";
	if (!has_local(e))
		return "no source address is known";
	if (netlink_link(env->nl, NULL, r->ifindex, link))
		return "the interface is gone";
	if (!link->up || !link->running)
		return "the interface is down";
	if (!link->has_mac || link->no_arp)
		return "the interface has no Ethernet neighbours";
	return NULL;
}

static struct encap_next next_of(const struct endpoint *e, const struct netlink_route *r)
{
	bool v4 = e->remote.sa.sa_family == AF_INET;
	struct encap_next next = {
		.ifindex = r->ifindex,
		.family = r->has_gateway ? r->gateway_family
			  : v4		 ? AF_INET
					 : AF_INET6,
	};

	if (r->has_gateway)
		memcpy(next.addr, r->gateway, sizeof(next.addr));
	else if (v4)
		memcpy(next.addr, &e->remote.v4.sin_addr, 4);
	else
		memcpy(next.addr, &e->remote.v6.sin6_addr, 16);
	return next;
}

/* Returns the TTL that the kernel would give to packets of the UDP sockets: the TTL of the route,
 * else the hop limit of the link (IPv6) or the TTL of the host (IPv4). */
static uint8_t ttl_of(const struct nexthop_env *env, const struct endpoint *e,
		      const struct netlink_route *r, const struct netlink_link *link)
{
	if (r->hoplimit)
		return r->hoplimit;
	return e->remote.sa.sa_family == AF_INET ? env->ttl : link->hop_limit6;
}

/* Fills in @mac and returns NULL, or returns the reason why the MAC is not known. */
static const char *find_neighbour(const struct nexthop_env *env, const struct encap_next *next,
				  uint8_t mac[static 6])
{
	switch (neighbours_use(env->neighbours, env->user, next, mac)) {
	case 0:
		return NULL;
	case -EINPROGRESS:
		return "the next hop's MAC is being resolved";
	default:
		return "the next hop's MAC cannot be resolved";
	}
}

struct encap *nexthop_resolve(const struct nexthop_env *env, const struct endpoint *e)
{
	struct encap_hop hop = { .source_port = env->source_port };
	struct endpoint to = *e;
	struct netlink_route r = { 0 };
	struct netlink_link link = { 0 };
	struct encap_next next = { 0 };
	const char *why = "there is no route to the endpoint";
	struct encap *new;

	if (find_route(env, &to, &r) == 0)
		why = obstacle(env, &to, &r, &link);
	if (!why) {
		next = next_of(&to, &r);
		why = find_neighbour(env, &next, hop.next_hop_mac);
	} else {
		neighbours_drop(env->neighbours, env->user);
	}

	new = encap_new(&to, r.mtu < UINT16_MAX ? (uint16_t)r.mtu : UINT16_MAX);
	if (!new)
		return NULL;
	new->requested = *e;
	new->next = next;
	new->via_tunnel = r.ifindex != 0 && r.ifindex == env->tunnel && !r.local;
	new->source_port = env->source_port;
	new->why = why;
	if (!why) {
		hop.ifindex = r.ifindex;
		hop.ttl = ttl_of(env, &to, &r, &link);
		memcpy(hop.source_mac, link.mac, sizeof(hop.source_mac));
		encap_set_xsk_ok(new, &hop);
	}
	return new;
}
