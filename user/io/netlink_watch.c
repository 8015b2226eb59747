/* SPDX-License-Identifier: MIT */
/*
 * netlink_watch.c - notifications from rtnetlink's multicast groups. Most messages only tell the
 * caller which kind of object changed, and the caller queries the new state itself. A lost message
 * therefore costs only more queries.
 */
#include <errno.h>
#include <linux/net_namespace.h>
#include <stdlib.h>

#include "io/netlink.h"
#include "io/netlink_private.h"

#define RECEIVE_BUFFER (1 << 20)

enum {
	ALL = NETLINK_CHANGED_LINK | NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_ROUTE |
	      NETLINK_CHANGED_NEIGHBOUR | NETLINK_CHANGED_FORWARDING | NETLINK_CHANGED_RULE
};

struct netlink_watch {
	struct netlink_events events;
	void (*neighbour)(void *ctx, const struct netlink_neighbour_event *e); /* may be NULL */
	void *neighbour_ctx;
	void (*route)(void *ctx, const struct prefix *destination); /* may be NULL */
	void *route_ctx;
	uint32_t routes_by; /* only routes that use this link are reported; 0 = all */
	int nsid; /* id of the watched namespace; NETNSA_NSID_NOT_ASSIGNED = the socket's own */
};

static const int own_groups[] = {
	RTNLGRP_LINK,	    RTNLGRP_NEIGH,	  RTNLGRP_IPV4_IFADDR,	RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,	  RTNLGRP_IPV4_RULE,	RTNLGRP_IPV6_RULE,
	RTNLGRP_NEXTHOP,    RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF, 0,
};
/* The groups for a watch of another namespace: as few as possible, because the socket receives the
 * messages of all namespaces. RTNLGRP_NSID reports the end of a namespace. */
static const int netns_groups[] = {
	RTNLGRP_LINK,	   RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP,    RTNLGRP_NSID,	   0,
};

static int join(struct netlink_watch *w, const int *groups)
{
	int err = 0;

	for (; *groups && !err; groups++)
		err = netlink_events_join(&w->events, *groups);
	return err;
}

static int listen_to_all_netns(struct netlink_watch *w)
{
	int on = 1;

	return mnl_socket_setsockopt(w->events.socket, NETLINK_LISTEN_ALL_NSID, &on, sizeof(on))
		       ? -errno
		       : 0;
}

static struct netlink_watch *open_groups(const int *groups, int nsid)
{
	struct netlink_watch *w = calloc(1, sizeof(*w));
	int size = RECEIVE_BUFFER, err;

	if (!w)
		return NULL;
	w->nsid = nsid;
	err = netlink_events_open(&w->events, NETLINK_ROUTE);
	if (!err && nsid != NETNSA_NSID_NOT_ASSIGNED)
		err = listen_to_all_netns(w);
	if (!err)
		err = join(w, groups);
	if (err) {
		netlink_watch_close(w);
		errno = -err;
		return NULL;
	}
	/* Without the privilege for a large buffer, the socket overruns sooner, which costs only
	 * more queries. */
	(void)setsockopt(netlink_watch_fd(w), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return w;
}

struct netlink_watch *netlink_watch_open(void)
{
	return open_groups(own_groups, NETNSA_NSID_NOT_ASSIGNED);
}

static int take_nsid(const struct nlmsghdr *nlh, void *ctx)
{
	const struct nlattr *a = netlink_attr(nlh, sizeof(struct rtgenmsg), NETNSA_NSID, 4);
	int *nsid = ctx;

	if (nlh->nlmsg_type == RTM_NEWNSID && a)
		*nsid = (int)mnl_attr_get_u32(a);
	return 0;
}

static struct nlmsghdr *begin_nsid(struct netlink *nl, uint16_t type, int netns_fd)
{
	struct nlmsghdr *nlh = netlink_begin(nl, type, 0);
	struct rtgenmsg *header = mnl_nlmsg_put_extra_header(nlh, sizeof(*header));

	header->rtgen_family = AF_UNSPEC;
	mnl_attr_put_u32(nlh, NETNSA_FD, (uint32_t)netns_fd);
	return nlh;
}

/* Sets *@nsid to the id that our namespace has for the namespace @netns_fd. Assigns an id first if
 * there is none, because only messages of namespaces with an id are delivered. Returns 0 or
 * -errno. */
static int assign_nsid(int netns_fd, int *nsid)
{
	struct netlink *nl = netlink_open();
	struct nlmsghdr *nlh;
	int err;

	if (!nl)
		return -errno;
	nlh = begin_nsid(nl, RTM_NEWNSID, netns_fd);
	mnl_attr_put_u32(nlh, NETNSA_NSID, (uint32_t)NETNSA_NSID_NOT_ASSIGNED); /* any id */
	err = netlink_talk(nl, nlh, NULL, NULL);
	if (!err || err == -EEXIST)
		err = netlink_talk(nl, begin_nsid(nl, RTM_GETNSID, netns_fd), take_nsid, nsid);
	if (!err && *nsid == NETNSA_NSID_NOT_ASSIGNED)
		err = -ENOENT;
	netlink_close(nl);
	return err;
}

struct netlink_watch *netlink_watch_open_netns(int netns_fd)
{
	int nsid = NETNSA_NSID_NOT_ASSIGNED, err = assign_nsid(netns_fd, &nsid);

	if (err) {
		errno = -err;
		return NULL;
	}
	return open_groups(netns_groups, nsid);
}

void netlink_watch_close(struct netlink_watch *w)
{
	if (!w)
		return;
	netlink_events_close(&w->events);
	free(w);
}

int netlink_watch_fd(const struct netlink_watch *w)
{
	return netlink_events_fd(&w->events);
}

struct listener {
	const struct netlink_watch *watch;
	void (*link)(void *ctx, const struct netlink_link *l, bool gone);
	void *ctx;
	unsigned changed; /* NETLINK_CHANGED_... */
};

static unsigned take_link(const struct nlmsghdr *nlh, const struct listener *to)
{
	struct netlink_link l;

	if (!netlink_parse_link(nlh, &l))
		return 0;
	if (to->link)
		to->link(to->ctx, &l, nlh->nlmsg_type == RTM_DELLINK);
	return NETLINK_CHANGED_LINK;
}

/* The group of neighbours also carries the MAC tables of bridges, which netlink_parse_neighbour()
 * refuses. */
static unsigned take_neighbour(const struct nlmsghdr *nlh, const struct netlink_watch *w)
{
	struct netlink_neighbour_event e;

	if (!netlink_parse_neighbour(nlh, &e))
		return 0;
	if (!w->neighbour)
		return NETLINK_CHANGED_NEIGHBOUR;
	w->neighbour(w->neighbour_ctx, &e);
	return 0;
}

void netlink_watch_neighbours(struct netlink_watch *w,
			      void (*fn)(void *ctx, const struct netlink_neighbour_event *e),
			      void *ctx)
{
	w->neighbour = fn;
	w->neighbour_ctx = ctx;
}

void netlink_watch_routes(struct netlink_watch *w,
			  void (*fn)(void *ctx, const struct prefix *destination), void *ctx)
{
	w->route = fn;
	w->route_ctx = ctx;
}

void netlink_watch_routes_by(struct netlink_watch *w, uint32_t ifindex)
{
	w->routes_by = ifindex;
}

static unsigned take_route(const struct nlmsghdr *nlh, const struct netlink_watch *w)
{
	struct prefix destination;

	if (w->routes_by && !netlink_route_leaves_by(nlh, w->routes_by))
		return 0;
	if (!w->route || !netlink_parse_destination(nlh, &destination))
		return NETLINK_CHANGED_ROUTE;
	w->route(w->route_ctx, &destination);
	return 0;
}

static unsigned read_change(const struct netlink_watch *w, const struct nlmsghdr *nlh,
			    const struct listener *to)
{
	switch (nlh->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return take_link(nlh, to);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return NETLINK_CHANGED_ADDRESS;
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return take_neighbour(nlh, w);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return take_route(nlh, w);
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return NETLINK_CHANGED_ROUTE | NETLINK_CHANGED_RULE;
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return NETLINK_CHANGED_ROUTE;
	case RTM_NEWNETCONF:
		return NETLINK_CHANGED_FORWARDING;
	default:
		return 0;
	}
}

/* Returns NETLINK_CHANGED_LOST if the message reports the end of the watched namespace. */
static unsigned read_other_netns(const struct netlink_watch *w, const struct nlmsghdr *nlh)
{
	const struct nlattr *a;

	if (nlh->nlmsg_type != RTM_DELNSID)
		return 0;
	a = netlink_attr(nlh, sizeof(struct rtgenmsg), NETNSA_NSID, 4);
	return a && (int)mnl_attr_get_u32(a) == w->nsid ? NETLINK_CHANGED_LOST : 0;
}

static void take_event(void *ctx, const struct nlmsghdr *m, int nsid)
{
	struct listener *to = ctx;
	const struct netlink_watch *w = to->watch;

	to->changed |= nsid == w->nsid ? read_change(w, m, to) : read_other_netns(w, m);
}

unsigned netlink_watch_read(struct netlink_watch *w,
			    void (*link)(void *ctx, const struct netlink_link *l, bool gone),
			    void *ctx)
{
	struct listener to = { .watch = w, .link = link, .ctx = ctx };
	bool lost = netlink_events_read(&w->events, take_event, &to);

	return lost ? ALL | NETLINK_CHANGED_LOST : to.changed;
}
