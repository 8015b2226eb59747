/* SPDX-License-Identifier: MIT */
/*
 * netlink_table.c - lists the routes that use a given link, and the routes of a given table; adds
 * and deletes routes. Queries for the route of a packet are in netlink_route.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "io/netlink.h"
#include "io/netlink_private.h"

/* Changes -------------------------------------------------------------------------------------- */

static int change_route(struct netlink *nl, uint16_t type, uint16_t flags, uint32_t ifindex,
			const struct prefix *destination, uint32_t table)
{
	struct nlmsghdr *nlh = netlink_begin(nl, type, flags);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = destination->family;
	rtm->rtm_dst_len = destination->length;
	rtm->rtm_table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	rtm->rtm_protocol =
		RTPROT_BOOT; /* as ip(8) does; routing daemons leave such routes alone */
	rtm->rtm_scope = destination->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put(nlh, RTA_DST, netlink_addr_len(destination->family), destination->addr);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
	return netlink_talk(nl, nlh, NULL, NULL);
}

int netlink_add_route(struct netlink *nl, uint32_t ifindex, const struct prefix *destination,
		      uint32_t table)
{
	return change_route(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, ifindex, destination,
			    table);
}

int netlink_delete_route(struct netlink *nl, uint32_t ifindex, const struct prefix *destination,
			 uint32_t table)
{
	return change_route(nl, RTM_DELROUTE, 0, ifindex, destination, table);
}

/* Dumps ---------------------------------------------------------------------------------------- */

/* Lists the routes of @family whose attribute @filter (RTA_OIF or RTA_TABLE) is @value. With strict
 * checking, the kernel itself filters, which saves much time on a router with a full BGP table. If
 * strict checking cannot be turned on, the kernel sends all routes, so @fn must filter as well. */
static int dump_routes(struct netlink *nl, uint8_t family, uint16_t filter, uint32_t value,
		       netlink_fn fn, void *ctx, struct netlink_list *list)
{
	struct nlmsghdr *nlh = netlink_begin(nl, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	int strict = 1, err;

	rtm->rtm_family = family;
	mnl_attr_put_u32(nlh, filter, value);
	(void)mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
	err = netlink_dump(nl, nlh, fn, ctx, list);
	strict = 0;
	(void)mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &strict, sizeof(strict));
	return err;
}

/* Routes through a link ------------------------------------------------------------------------ */

bool netlink_route_leaves_by(const struct nlmsghdr *nlh, uint32_t ifindex)
{
	const struct nlattr *oif = netlink_attr(nlh, sizeof(struct rtmsg), RTA_OIF, 4);
	const struct nlattr *hops = netlink_attr(nlh, sizeof(struct rtmsg), RTA_MULTIPATH, 0);
	const uint8_t *at = hops ? mnl_attr_get_payload(hops) : NULL;
	size_t left = hops ? mnl_attr_get_payload_len(hops) : 0;

	if (oif && mnl_attr_get_u32(oif) == ifindex)
		return true;
	while (left >= sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at; /* attributes are 4-byte aligned */
		size_t len = RTNH_ALIGN(hop->rtnh_len);

		if ((uint32_t)hop->rtnh_ifindex == ifindex)
			return true;
		if (len < sizeof(*hop) || len > left)
			break;
		at += len;
		left -= len;
	}
	return !oif && !hops && netlink_attr(nlh, sizeof(struct rtmsg), RTA_NH_ID, 4);
}

struct device_routes {
	struct netlink_list list; /* items are struct netlink_device_route */
	uint32_t ifindex;
};

static int take_device_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct device_routes *all = ctx;
	struct netlink_device_route *r;
	const struct nlattr *a;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_type != RTN_UNICAST ||
	    (rtm->rtm_family != AF_INET && rtm->rtm_family != AF_INET6) ||
	    !netlink_route_leaves_by(nlh, all->ifindex))
		return 0;
	r = netlink_list_add(&all->list, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct netlink_device_route){
		.to = { .family = rtm->rtm_family, .length = rtm->rtm_dst_len },
		.table = rtm->rtm_table,
	};
	a = netlink_attr(nlh, sizeof(*rtm), RTA_TABLE, 4);
	if (a)
		r->table = mnl_attr_get_u32(a);
	a = netlink_attr(nlh, sizeof(*rtm), RTA_DST, netlink_addr_len(rtm->rtm_family));
	if (a)
		memcpy(r->to.addr, mnl_attr_get_payload(a), netlink_addr_len(rtm->rtm_family));
	a = netlink_attr(nlh, sizeof(*rtm), RTA_METRICS, 0);
	if (a)
		a = netlink_nested(a, RTAX_MTU, 4);
	if (a)
		r->mtu = mnl_attr_get_u32(a);
	return 0;
}

int netlink_device_routes(struct netlink *nl, uint32_t ifindex, struct netlink_device_route **list,
			  size_t *count)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	struct device_routes all = { .ifindex = ifindex };
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++)
		err = dump_routes(nl, families[i], RTA_OIF, ifindex, take_device_route, &all,
				  &all.list);
	if (err) {
		free(all.list.items);
		return err;
	}
	*list = all.list.items;
	*count = all.list.count;
	return 0;
}

/* Routes of a table ---------------------------------------------------------------------------- */

struct table_routes {
	struct netlink_list list; /* items are struct netlink_table_route */
	uint32_t table;
};

/* Appends to @all a route through one next hop. @gateway may be NULL. */
static int add_hop(struct table_routes *all, const struct prefix *to, uint32_t ifindex,
		   const struct nlattr *gateway)
{
	struct netlink_table_route *r;

	r = netlink_list_add(&all->list, sizeof(*r));
	if (!r)
		return -ENOMEM;
	*r = (struct netlink_table_route){ .to = *to, .ifindex = ifindex };
	if (gateway) {
		r->has_gateway = true;
		memcpy(r->gateway, mnl_attr_get_payload(gateway), netlink_addr_len(to->family));
	}
	return 0;
}

static int add_hops(struct table_routes *all, const struct prefix *to, const struct nlattr *hops)
{
	const uint8_t *at = mnl_attr_get_payload(hops);
	size_t left = mnl_attr_get_payload_len(hops), want = netlink_addr_len(to->family);
	int err = 0;

	while (left >= sizeof(struct rtnexthop) && !err) {
		const struct rtnexthop *hop = (const void *)at; /* attributes are 4-byte aligned */
		const struct nlattr *a = (const void *)RTNH_DATA(hop), *gateway = NULL;
		size_t len = RTNH_ALIGN(hop->rtnh_len);
		int rest = (int)hop->rtnh_len - (int)sizeof(*hop);

		if (hop->rtnh_len < sizeof(*hop) || len > left)
			break;
		for (; mnl_attr_ok(a, rest);
		     rest -= (int)MNL_ALIGN(a->nla_len), a = mnl_attr_next(a))
			if (mnl_attr_get_type(a) == RTA_GATEWAY &&
			    mnl_attr_get_payload_len(a) >= want)
				gateway = a;
		err = add_hop(all, to, (uint32_t)hop->rtnh_ifindex, gateway);
		at += len;
		left -= len;
	}
	return err;
}

static int take_table_route(const struct nlmsghdr *nlh, void *ctx)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *a, *hops;
	struct table_routes *all = ctx;
	struct prefix to;
	uint32_t table;

	if (nlh->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(nlh) < sizeof(*rtm) ||
	    rtm->rtm_flags & RTM_F_CLONED || !netlink_parse_destination(nlh, &to))
		return 0;
	a = netlink_attr(nlh, sizeof(*rtm), RTA_TABLE, 4);
	table = a ? mnl_attr_get_u32(a) : rtm->rtm_table;
	if (table != all->table)
		return 0;
	hops = netlink_attr(nlh, sizeof(*rtm), RTA_MULTIPATH, 0);
	if (hops)
		return add_hops(all, &to, hops);
	a = netlink_attr(nlh, sizeof(*rtm), RTA_OIF, 4);
	return add_hop(all, &to, a ? mnl_attr_get_u32(a) : 0,
		       netlink_attr(nlh, sizeof(*rtm), RTA_GATEWAY, netlink_addr_len(to.family)));
}

/* The kernel returns -ENOENT for a table that was never used. Such a table has no routes. */
int netlink_table_routes(struct netlink *nl, uint8_t family, uint32_t table,
			 struct netlink_table_route **list, size_t *count)
{
	struct table_routes all = { .table = table };
	int err = dump_routes(nl, family, RTA_TABLE, table, take_table_route, &all, &all.list);

	if (err && err != -ENOENT) {
		free(all.list.items);
		return err;
	}
	*list = all.list.items;
	*count = all.list.count;
	return 0;
}
