/* SPDX-License-Identifier: MIT */
/*
 * The tunnel interface as seen from the control thread: up, down, deleted, and where it is.
 *
 *   watch of its namespace ─▶ its link changed ─▶ node_up / node_down, MTU
 *                          └▶ its link has gone ─┬─▶ TUNGETIFF fails: deleted, we leave
 *                                                └─▶ moved: netlink sockets and watch are opened anew
 *                                                    in the namespace where it is now (`ip link set
 *                                                    ... netns`), TC is attached again if it was lost
 *
 * The outer sockets stay where they were born.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/lease.h"
#include "daemon/node.h"
#include "io/netns.h"
#include "util/log.h"

static void link_is_up(struct node *n)
{
	struct fault f;

	if (n->up)
		return;
	if (node_up(n, &f)) {
		log_error("%s", f.text);
		lease_tell_error(n->lease_fd, &f);
		netlink_set_up(n->tun_netlink, n->tun.ifindex, false);
		if (n->lease_fd >= 0)
			node_stop(n, 1);
		return;
	}
	lease_tell(n->lease_fd, "up", n->udp.port);
}

static void link_changed(struct node *n, const struct netlink_link *link)
{
	n->tun_mtu = link->mtu;
	workers_set_mtu(n, link->mtu);
	if (link->up)
		link_is_up(n);
	else
		node_down(n);
}

/* In the namespace of the interface. */
static int open_there(void *ctx)
{
	struct node *n = ctx;
	struct ifreq request = { 0 };
	struct fault f;
	bool tcx;

	if (ioctl(n->tun.fd, TUNGETIFF, &request))
		return -errno;
	memcpy(n->tun.name, request.ifr_name, sizeof(n->tun.name));
	n->tun.ifindex = if_nametoindex(n->tun.name);
	n->tun_netlink = netlink_open();
	n->tun_watch = netlink_watch_open();
	if (!n->tun.ifindex || !n->tun_netlink || !n->tun_watch)
		return -errno;
	if (n->loader && !loader_tunnel_attached(n->loader) &&
	    loader_attach_tunnel(n->loader, n->tun.ifindex, false, &tcx, &f))
		log_error("allowed IPs are enforced by the workers alone: %s", f.text);
	return 0;
}

static void on_event(void *ctx, int fd, uint32_t events);

static int follow(struct node *n)
{
	struct netlink_link link;
	int fd = netns_of_tun(n->tun.fd), err;

	if (fd < 0)
		return fd;
	tunnel_unwatch(n);
	err = netns_call(fd, open_there, n);
	close(fd);
	if (!err)
		err = loop_add(n->loop, netlink_watch_fd(n->tun_watch), EPOLLIN, on_event, n);
	if (!err)
		err = netlink_link(n->tun_netlink, NULL, n->tun.ifindex, &link);
	if (!err)
		link_changed(n, &link);
	return err;
}

static bool deleted(const struct node *n)
{
	struct ifreq request = { 0 };

	return ioctl(n->tun.fd, TUNGETIFF, &request) != 0;
}

static void link_gone(struct node *n)
{
	int err;

	if (deleted(n)) {
		log_info("the interface was deleted, leaving");
		node_stop(n, 0);
		return;
	}
	/* Its packets must not come out where TC does not look yet. */
	node_down(n);
	log_info("the interface was moved to another namespace");
	err = follow(n);
	if (err) {
		log_error("the interface cannot be followed to its new namespace (%s), leaving",
			  strerror(-err));
		node_stop(n, 1);
	}
}

static void on_link(void *ctx, const struct netlink_link *link, bool gone)
{
	struct node *n = ctx;

	if (link->ifindex != n->tun.ifindex || n->tun_gone)
		return;
	if (gone)
		n->tun_gone = true; /* looked at when the watch is not being read any more */
	else
		link_changed(n, link);
}

static void on_event(void *ctx, int fd, uint32_t events)
{
	struct node *n = ctx;
	unsigned changed = netlink_watch_read(n->tun_watch, on_link, n);

	(void)fd;
	(void)events;
	if (changed & NETLINK_CHANGED_LOST)
		tunnel_look(n);
	if (n->tun_gone) {
		n->tun_gone = false;
		link_gone(n);
	}
}

void tunnel_look(struct node *n)
{
	struct netlink_link link;
	int err = netlink_link(n->tun_netlink, NULL, n->tun.ifindex, &link);

	if (!err)
		link_changed(n, &link);
	n->tun_gone |= err == -ENODEV;
}

int tunnel_watch(struct node *n)
{
	n->tun_netlink = netlink_open();
	n->tun_watch = netlink_watch_open();
	if (!n->tun_netlink || !n->tun_watch)
		return -errno;
	return loop_add(n->loop, netlink_watch_fd(n->tun_watch), EPOLLIN, on_event, n);
}

void tunnel_unwatch(struct node *n)
{
	if (n->tun_watch) {
		loop_delete(n->loop, netlink_watch_fd(n->tun_watch));
		netlink_watch_close(n->tun_watch);
	}
	if (n->tun_netlink)
		netlink_close(n->tun_netlink);
	n->tun_watch = NULL;
	n->tun_netlink = NULL;
}
