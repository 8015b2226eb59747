/* SPDX-License-Identifier: MIT */
#include "sync/host_watch.h"

#include <errno.h>
#include <sys/epoll.h>

#include "bpf/loader.h"
#include "io/netlink.h"

static void on_link(void *ctx, const struct netlink_link *link, bool gone)
{
	const struct host_watch *w = ctx;
	const struct paths *p = &w->dataplane->paths;

	for (unsigned i = 0; i < p->nic_count && !gone; i++)
		if (link->ifindex == p->nics[i].ifindex && (p->nics[i].attached || p->nics[i].tc))
			loader_set_mac(w->dataplane->loader, link->ifindex, link->mac);
}

/* Queries the state of the NICs, because events were lost. */
static void query_nics(struct host_watch *w)
{
	const struct dataplane *d = w->dataplane;
	struct netlink_link link;

	for (unsigned i = 0; i < d->paths.nic_count; i++)
		if (!netlink_link(d->config.netlink, NULL, d->paths.nics[i].ifindex, &link))
			on_link(w, &link, false);
}

static void on_neighbour(void *ctx, const struct netlink_neighbour_event *event)
{
	const struct host_watch *w = ctx;

	nexthops_neighbour(w->nexthops, event);
}

static void on_route(void *ctx, const struct prefix *destination)
{
	const struct host_watch *w = ctx;

	nexthops_route_changed(w->nexthops, destination);
	dataplane_network_changed(w->dataplane);
}

static void on_netlink(void *ctx, int fd, uint32_t events)
{
	struct host_watch *w = ctx;
	unsigned changed = netlink_watch_read(w->watch, on_link, w);

	(void)fd;
	(void)events;
	if (changed & NETLINK_CHANGED_LOST)
		query_nics(w);
	if (changed & (NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_LINK))
		mapsync_addresses_changed(w->mapsync);
	if (changed & NETLINK_CHANGED_FORWARDING)
		mapsync_forwarding(w->mapsync);
	if (changed & (NETLINK_CHANGED_ADDRESS | NETLINK_CHANGED_LINK | NETLINK_CHANGED_ROUTE))
		dataplane_network_changed(w->dataplane);
	if (changed & ~NETLINK_CHANGED_FORWARDING)
		nexthops_changed(w->nexthops);
}

int host_watch_open(struct host_watch *w, struct loop *loop, struct dataplane *dataplane,
		    struct mapsync *mapsync, struct nexthops *nexthops)
{
	*w = (struct host_watch){ netlink_watch_open(), loop, dataplane, mapsync, nexthops };
	if (!w->watch)
		return -errno;
	netlink_watch_neighbours(w->watch, on_neighbour, w);
	netlink_watch_routes(w->watch, on_route, w);
	return 0;
}

int host_watch_start(struct host_watch *w)
{
	return loop_add(w->loop, netlink_watch_fd(w->watch), EPOLLIN, on_netlink, w);
}

void host_watch_close(struct host_watch *w)
{
	netlink_watch_close(w->watch);
	w->watch = NULL;
}
