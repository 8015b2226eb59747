/* SPDX-License-Identifier: MIT */
/*
 * nexthop.c - which way to an endpoint.
 *
 *   endpoint ─▶ route ─┬─▶ none, or to ourselves ───────────────────────────────▶ udp
 *                      ├─▶ by a link that is no NIC of ours, or has no MACs ────▶ udp
 *                      └─▶ by a NIC of ours ─▶ neighbour ─┬─▶ not valid yet ────▶ udp, pending
 *                                                         └─▶ valid ────────────▶ direct
 *
 * What leaves directly is seen by nobody who keeps the neighbour fresh, so the kernel is told to.
 */
#include "io/nexthop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TTL 64 /* the kernel's default, which the UDP path has */

static bool has_local(const struct endpoint *e)
{
	return e->remote.sa.sa_family == AF_INET ? e->local.v4.s_addr != 0
						 : !IN6_IS_ADDR_UNSPECIFIED(&e->local.v6);
}

/* The sticky source is dropped when it is not ours any more, and when the route now leaves by
 * another interface than the one on which it was used: that route has a source of its own. */
static int find_route(const struct nexthop_env *env, struct endpoint *e, struct netlink_route *r)
{
	int err = netlink_route(env->nl, e, env->fwmark, r);
	bool moved = !err && has_local(e) && e->ifindex && r->ifindex != e->ifindex;

	if (err == -EINVAL || moved) {
		endpoint_forget_local(e);
		err = netlink_route(env->nl, e, env->fwmark, r);
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

/* Why packets of this route cannot leave directly whatever the neighbour is, or NULL. */
static const char *obstacle(const struct nexthop_env *env, const struct endpoint *e,
			    const struct netlink_route *r, struct netlink_link *link)
{
	if (r->local)
		return "the endpoint is this host";
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

/* Out of memory the entry stays managed after us: the host loses an ARP request now and then. */
static void remember(struct nexthop_managed *m, uint32_t ifindex, uint8_t family,
		     const uint8_t *addr)
{
	struct nexthop_neighbour *list = m->list;

	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		list = reallocarray(m->list, m->cap, sizeof(*list));
		if (!list) {
			m->cap = m->count;
			return;
		}
		m->list = list;
	}
	list[m->count] = (struct nexthop_neighbour){.ifindex = ifindex, .family = family};
	memcpy(list[m->count++].addr, addr, family == AF_INET ? 4 : 16);
}

void nexthop_release(struct netlink *nl, struct nexthop_managed *m)
{
	for (unsigned i = 0; i < m->count; i++)
		netlink_neighbour_release(nl, m->list[i].ifindex, m->list[i].family,
					  m->list[i].addr);
	free(m->list);
	*m = (struct nexthop_managed){0};
}

static const char *find_neighbour(const struct nexthop_env *env, const struct endpoint *e,
				  const struct netlink_route *r, uint8_t mac[static 6],
				  bool *pending)
{
	bool v4 = e->remote.sa.sa_family == AF_INET;
	uint8_t family = v4 ? AF_INET : AF_INET6;
	const uint8_t *addr =
		v4 ? (const uint8_t *)&e->remote.v4.sin_addr : e->remote.v6.sin6_addr.s6_addr;
	int err, manage_err;

	if (r->has_gateway) {
		family = r->gateway_family;
		addr = r->gateway;
	}
	/* Managed first: what is valid now must stay so, what is not gets under way. */
	manage_err = netlink_neighbour_manage(env->nl, r->ifindex, family, addr);
	if (manage_err == 1)
		remember(env->managed, r->ifindex, family, addr);
	err = netlink_neighbour(env->nl, r->ifindex, family, addr, mac);
	if (!err)
		return NULL;
	*pending = manage_err >= 0;
	return manage_err < 0 ? "the next hop's MAC is unknown and may not be asked for"
			  : "the next hop's MAC is being resolved";
}

struct encap *nexthop_resolve(const struct nexthop_env *env, const struct endpoint *e,
			      bool *pending, const char **why)
{
	struct encap_hop hop = {.source_port = env->source_port, .ttl = TTL};
	struct endpoint to = *e;
	struct netlink_route r = {0};
	struct netlink_link link = {0};
	const char *obstructed = "there is no route to the endpoint";
	bool resolving = false;
	struct encap *new;

	if (find_route(env, &to, &r) == 0)
		obstructed = obstacle(env, &to, &r, &link);
	if (!obstructed)
		obstructed = find_neighbour(env, &to, &r, hop.next_hop_mac, &resolving);

	new = encap_new(&to, r.mtu < UINT16_MAX ? (uint16_t)r.mtu : UINT16_MAX);
	if (!new)
		return NULL;
	if (!obstructed) {
		hop.ifindex = r.ifindex;
		memcpy(hop.source_mac, link.mac, sizeof(hop.source_mac));
		encap_set_direct(new, &hop);
	}
	*pending = resolving;
	*why = obstructed;
	return new;
}
