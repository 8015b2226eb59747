/* SPDX-License-Identifier: MIT */
/*
 * The tunnel interface as seen from the control thread: up, down, deleted, and where it is.
 *
 *   at home    in our namespace: a netlink watch tells of changes
 *   abroad     it was moved (`ip link set ... netns`): a thread of ours visits it there every VISIT_NS.
 *              A socket left there would keep a deleted namespace, and the interface in it, alive
 *
 *   its link changed ─▶ daemon_up / daemon_down, MTU
 *   routes into it changed (abroad: every ROUTES_ABROAD_NS) ─▶ their MTUs, for the padding
 *   its link has gone ─┬─▶ TUNGETIFF fails: deleted, we leave
 *                      └─▶ moved: down until it was seen where it is now, and TC, if the move removed
 *                          it, is there again
 *
 *   TC was detached by force ─▶ it is attached again
 *
 * The outer sockets stay where they were born.
 */
#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/lease.h"
#include "io/netns.h"
#include "path/route_mtu.h"
#include "util/log.h"

#define VISIT_NS (100 * NS_PER_MS)
/* At home only TC is looked at so often: nobody tells when a program is detached by force. */
#define TC_LOOK_NS NS_PER_S
#define ROUTES_INTERVAL_NS (50 * NS_PER_MS) /* they are read at most so often */
#define ROUTES_ABROAD_NS NS_PER_S /* and there, where nothing tells of changes, so often */

static bool deleted(const struct daemon *n)
{
	struct ifreq request = { 0 };

	return ioctl(n->tun.fd, TUNGETIFF, &request) != 0;
}

/* What is done in the interface's namespace, at home or abroad ----------------------------------- */

struct visit {
	struct daemon *n;
	struct netlink *netlink;
	int (*fn)(struct visit *v);
	struct netlink_link link; /* as look() found it */
};

static int set_down(struct visit *v)
{
	return netlink_set_up(v->netlink, v->n->tun.ifindex, false);
}

static int look(struct visit *v)
{
	struct daemon *n = v->n;
	struct ifreq request = { 0 };
	struct fault f;
	bool tcx;
	int err;

	if (ioctl(n->tun.fd, TUNGETIFF, &request))
		return -ENODEV;
	err = netlink_link(v->netlink, request.ifr_name, 0, &v->link);
	if (err)
		return err;
	memcpy(n->tun.name, v->link.name, sizeof(n->tun.name));
	n->tun.ifindex = v->link.ifindex;
	if (n->loader && !loader_tunnel_attached(n->loader)) {
		err = loader_attach_tunnel(n->loader, n->tun.ifindex, n->options->force_clsact,
					   &tcx, &f);
		if (err && !n->tc_refused) /* once, not at each visit */
			log_error("allowed IPs are enforced by the workers alone: %s", f.text);
		n->tc_refused = err;
	}
	return 0;
}

static int run_in_netns(void *ctx)
{
	struct visit *v = ctx;
	int err;

	v->netlink = netlink_open();
	if (!v->netlink)
		return -errno;
	err = v->fn(v);
	netlink_close(v->netlink);
	return err;
}

static int visit(struct visit *v)
{
	int fd, err;

	if (v->n->tun_watch)
		return run_in_netns(v);
	fd = netns_of_tun(v->n->tun.fd);
	if (fd < 0)
		return deleted(v->n) ? -ENODEV : fd;
	err = netns_call(fd, run_in_netns, v);
	close(fd);
	return err;
}

/* What the workers have stays where it cannot be read: after the next change it is tried again. */
static int read_routes(struct visit *v)
{
	struct netlink_device_route *list = NULL;
	struct route_mtu *table = NULL;
	struct daemon *n = v->n;
	size_t count = 0;
	int err = netlink_device_routes(v->netlink, n->tun.ifindex, &list, &count);

	if (!err)
		err = route_mtu_new(&table, list, count);
	free(list);
	if (err)
		log_error("the MTUs of routes into the tunnel cannot be read: %s", strerror(-err));
	else
		workers_set_route_mtus(n, table);
	return err;
}

static void look_at_routes(struct daemon *n, uint64_t now_ns)
{
	struct visit v = { .n = n, .fn = read_routes };

	n->routes_read_ns = now_ns;
	n->routes_at_ns = n->tun_watch ? UINT64_MAX : now_ns + ROUTES_ABROAD_NS;
	visit(&v);
}

static void routes_changed(struct daemon *n)
{
	uint64_t now_ns = loop_now_ns(), earliest_ns = n->routes_read_ns + ROUTES_INTERVAL_NS;
	uint64_t at_ns = now_ns > earliest_ns ? now_ns : earliest_ns;

	if (at_ns < n->routes_at_ns)
		n->routes_at_ns = at_ns;
}

/* Up and down ---------------------------------------------------------------------------------- */

static void link_is_up(struct daemon *n)
{
	struct visit v = { .n = n, .fn = set_down };
	struct fault f;

	if (n->up)
		return;
	if (daemon_up(n, &f)) {
		log_error("%s", f.text);
		lease_tell_error(n->lease_fd, &f);
		visit(&v);
		if (n->lease_fd >= 0)
			daemon_stop(n, 1);
		return;
	}
	lease_tell(n->lease_fd, "up", n->udp.port);
}

static void link_changed(struct daemon *n, const struct netlink_link *link)
{
	n->tun_mtu = link->mtu;
	workers_set_mtu(n, link->mtu);
	if (n->tun_watch) {
		netlink_watch_routes_by(n->tun_watch, n->tun.ifindex);
		routes_changed(n); /* IPv4's went without a word if it was down */
	}
	if (link->up)
		link_is_up(n);
	else
		daemon_down(n);
}

/* Where it is ---------------------------------------------------------------------------------- */

static void link_gone(struct daemon *n)
{
	if (deleted(n)) {
		log_info("the interface was deleted, leaving");
		daemon_stop(n, 0);
		return;
	}
	/* Its packets must not come out where TC does not look yet. */
	daemon_down(n);
	log_info("the interface was moved to another namespace");
	tunnel_unwatch(n);
	n->tunnel_at_ns = 0;
}

void tunnel_look(struct daemon *n)
{
	struct visit v = { .n = n, .fn = look };
	int err = visit(&v);

	if (!err) {
		link_changed(n, &v.link);
	} else if (err == -ENODEV) {
		if (n->tun_watch || deleted(n)) /* else it is just being moved on */
			link_gone(n);
	} else {
		log_error("the interface cannot be followed to its new namespace (%s), leaving",
			  strerror(-err));
		daemon_stop(n, 1);
	}
}

static void on_link(void *ctx, const struct netlink_link *link, bool gone)
{
	struct daemon *n = ctx;

	if (link->ifindex != n->tun.ifindex || n->tun_gone)
		return;
	/* Acted on when all is read: what an event says may be past by then. */
	if (gone)
		n->tun_gone = true;
	else
		n->tun_changed = true;
}

static void on_event(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;
	unsigned changed = netlink_watch_read(n->tun_watch, on_link, n);

	(void)fd;
	(void)events;
	if (n->tun_changed && !n->tun_gone) {
		n->tun_changed = false;
		tunnel_look(n);
	}
	if (n->tun_gone) {
		n->tun_gone = false;
		link_gone(n);
	} else if (changed & NETLINK_CHANGED_LOST) {
		tunnel_look(n);
	}
	if (changed & NETLINK_CHANGED_ROUTE)
		routes_changed(n);
}

/* With RPS a packet passes TC on another CPU, when inject says who the next one is from: both would be
 * dropped there. A new interface gets this mask. */
static void warn_of_rps(void)
{
	FILE *file = fopen("/proc/sys/net/core/rps_default_mask", "re");
	char mask[256] = "";

	if (!file)
		return; /* before Linux 6.3 there is none */
	if (fgets(mask, sizeof(mask), file) && strspn(mask, "0,\n") != strlen(mask))
		log_error(
			"net.core.rps_default_mask is set: TC will drop what several peers send at once; `sysctl net.core.rps_default_mask=0` before attach");
	fclose(file);
}

int tunnel_watch(struct daemon *n)
{
	warn_of_rps();
	n->tun_netlink = netlink_open();
	n->tun_watch = netlink_watch_open();
	if (!n->tun_netlink || !n->tun_watch)
		return -errno;
	n->routes_at_ns = 0;
	return loop_add(n->loop, netlink_watch_fd(n->tun_watch), EPOLLIN, on_event, n);
}

void tunnel_unwatch(struct daemon *n)
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

static bool is_home(const struct daemon *n)
{
	struct stat here, there;
	int fd = netns_of_tun(n->tun.fd);
	bool home;

	if (fd < 0)
		return false;
	home = !fstat(fd, &there) && !stat("/proc/self/ns/net", &here) &&
	       there.st_ino == here.st_ino;
	close(fd);
	return home;
}

static void look_at_tc(struct daemon *n)
{
	if (!n->loader || n->tc_refused || loader_tunnel_attached(n->loader))
		return;
	log_error("TC programs of the interface were detached by somebody; attaching them again");
	tunnel_look(n);
}

/* Moved on within VISIT_NS, and up again, it was never down for us: sessions live on. Where TC is by
 * clsact the workers' own check stands alone for that time. */
static void follow(struct daemon *n, uint64_t now_ns)
{
	if (now_ns < n->tunnel_at_ns)
		return;
	if (n->tun_watch) {
		n->tunnel_at_ns = now_ns + TC_LOOK_NS;
		look_at_tc(n);
		return;
	}
	n->tunnel_at_ns = now_ns + VISIT_NS;
	if (is_home(n) && tunnel_watch(n))
		log_error("cannot watch the interface: %s", strerror(errno));
	tunnel_look(n);
}

void tunnel_tick(struct daemon *n, uint64_t now_ns)
{
	follow(n, now_ns);
	if (now_ns >= n->routes_at_ns && !n->stopping)
		look_at_routes(n, now_ns);
}

uint64_t tunnel_next(const struct daemon *n)
{
	return n->routes_at_ns < n->tunnel_at_ns ? n->routes_at_ns : n->tunnel_at_ns;
}
