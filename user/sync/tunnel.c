/* SPDX-License-Identifier: MIT */
#include "sync/tunnel.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bpf/loader.h"
#include "io/netns.h"
#include "util/clock.h"
#include "util/log.h"

/* While the interface is being moved, or its namespace is being deleted, its state is checked at
 * this interval. */
#define FIND_NS (20 * NS_PER_MS)
/* The interval of checks whether TC is still attached. The kernel sends no event when somebody
 * detaches a program by force. */
#define TC_CHECK_NS NS_PER_S
/* RPS is considered off when this many data messages have been received since RPS was last seen to
 * queue a packet. */
#define RPS_OFF_MESSAGES 64

static bool deleted(const struct tunnel *t)
{
	struct ifreq request = { 0 };

	return ioctl(t->config.tun->fd, TUNGETIFF, &request) != 0;
}

static void end(struct tunnel *t, int exit_code)
{
	t->ended = true;
	t->config.ops->ended(t->config.ctx, exit_code);
}

static void attach_tc(struct tunnel *t)
{
	struct loader *loader = t->config.dataplane->loader;
	bool force_clsact = t->config.dataplane->config.options->tests.force_clsact;
	struct fault f;
	bool tcx, refused;

	if (!loader || loader_tunnel_attached(loader))
		return;
	refused = loader_attach_tunnel(loader, t->config.tun->ifindex, force_clsact, &tcx, &f);
	if (refused && !t->tc_refused) /* log only the first of several failed attempts */
		log_error("only the workers enforce allowed IPs: %s", f.text);
	t->tc_refused = refused;
	t->no_tcx = !refused && !tcx && !force_clsact;
}

/* Visits: calls in the interface's namespace, which may be ours or another one ----------------- */

struct visit {
	struct tunnel *t;
	struct netlink *netlink;
	int (*fn)(struct visit *v);
	struct netlink_link link; /* result of read_link() */
};

static int set_down(struct visit *v)
{
	return netlink_set_up(v->netlink, v->t->config.tun->ifindex, false);
}

static int read_link(struct visit *v)
{
	struct tun *tun = v->t->config.tun;
	struct ifreq request = { 0 };
	int err;

	if (ioctl(tun->fd, TUNGETIFF, &request))
		return -ENODEV;
	err = netlink_link(v->netlink, request.ifr_name, 0, &v->link);
	if (err)
		return err;
	memcpy(tun->name, v->link.name, sizeof(tun->name));
	tun->ifindex = v->link.ifindex;
	attach_tc(v->t);
	return 0;
}

static int check_tc(struct visit *v)
{
	struct loader *loader = v->t->config.dataplane->loader;

	if (!loader || v->t->tc_refused || loader_tunnel_attached(loader))
		return 0;
	log_error(
		"another program detached the TC programs of the interface; attaching them again");
	attach_tc(v->t);
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

/* Returns the error to report if the namespace of the interface could not be opened because of
 * @err. */
static int netns_error(const struct tunnel *t, int err)
{
	if (deleted(t))
		return -ENODEV;
	return err == -EINVAL ? -EAGAIN : err; /* -EINVAL: the namespace is being deleted */
}

int tunnel_call(const struct tunnel *t, int (*fn)(void *ctx), void *ctx)
{
	int fd, err;

	if (t->netlink)
		return fn(ctx);
	fd = netns_of_tun(t->config.tun->fd);
	if (fd < 0)
		return netns_error(t, fd);
	err = netns_call(fd, fn, ctx);
	close(fd);
	return err;
}

static int visit(struct visit *v)
{
	return tunnel_call(v->t, run_in_netns, v);
}

static void routes_changed(struct tunnel *t)
{
	if (!t->ended)
		route_reader_changed(&t->routes, t->netlink);
}

/* Up and down ---------------------------------------------------------------------------------- */

static void link_changed(struct tunnel *t, const struct netlink_link *link)
{
	struct visit v = { .t = t, .fn = set_down };

	t->config.ops->at_home(t->config.ctx, t->netlink ? link->ifindex : 0);
	t->mtu = link->mtu;
	workers_set_mtu(&t->config.dataplane->workers, link->mtu);
	if (t->watch)
		netlink_watch_routes_by(t->watch, t->config.tun->ifindex);
	routes_changed(t); /* when a link goes down, its IPv4 routes vanish without an event */
	if (!link->up)
		t->config.ops->link_down(t->config.ctx);
	else if (t->config.ops->link_up(t->config.ctx))
		visit(&v);
}

/* Namespace of the interface ------------------------------------------------------------------- */

static void unwatch(struct tunnel *t)
{
	if (t->watch) {
		loop_delete(t->config.loop, netlink_watch_fd(t->watch));
		netlink_watch_close(t->watch);
	}
	netlink_close(t->netlink);
	t->watch = NULL;
	t->netlink = NULL;
}

static void find_again(struct tunnel *t, uint64_t in_ns)
{
	unwatch(t);
	loop_timer_arm(&t->follow_timer, loop_now_ns() + in_ns);
}

static void link_gone(struct tunnel *t)
{
	if (deleted(t)) {
		log_info("the interface was deleted, exiting");
		end(t, 0);
		return;
	}
	/* No packet may be written to the interface before TC is attached again. */
	t->config.ops->link_down(t->config.ctx);
	log_info("the interface was moved to another namespace");
	t->config.ops->at_home(t->config.ctx, 0);
	find_again(t, 0);
}

void tunnel_look(struct tunnel *t)
{
	struct visit v = { .t = t, .fn = read_link };
	int err = visit(&v);
	struct fault f;

	if (!err) {
		link_changed(t, &v.link);
	} else if (err == -ENODEV && (t->netlink || deleted(t))) {
		link_gone(t);
	} else if (err == -ENODEV || err == -EAGAIN) { /* the interface is being moved or deleted */
		find_again(t, FIND_NS);
	} else {
		fault(&f, err, "cannot follow the interface to its new namespace: %s",
		      strerror(-err));
		log_error("%s; exiting", f.text);
		end(t, 1);
	}
}

/* Records that the link has changed or is gone. on_event() acts only after all events have been
 * read, because a later event may supersede an earlier one. */
static void on_link(void *ctx, const struct netlink_link *link, bool gone)
{
	struct tunnel *t = ctx;

	if (link->ifindex != t->config.tun->ifindex || t->link_gone)
		return;
	if (gone)
		t->link_gone = true;
	else
		t->link_changed = true;
}

static void on_event(void *ctx, int fd, uint32_t events)
{
	struct tunnel *t = ctx;
	unsigned changed = netlink_watch_read(t->watch, on_link, t);

	(void)fd;
	(void)events;
	if (t->link_changed && !t->link_gone) {
		t->link_changed = false;
		tunnel_look(t);
	}
	if (t->link_gone) {
		t->link_gone = false;
		link_gone(t);
	} else if (changed & NETLINK_CHANGED_LOST) {
		tunnel_look(t);
	}
	if (changed & NETLINK_CHANGED_ROUTE)
		routes_changed(t);
}

static int watch(struct tunnel *t, struct netlink_watch *w)
{
	int err = w ? 0 : -errno;

	if (!err)
		err = loop_add(t->config.loop, netlink_watch_fd(w), EPOLLIN, on_event, t);
	if (err)
		netlink_watch_close(w);
	else
		t->watch = w;
	return err;
}

static int watch_home(struct tunnel *t)
{
	int err;

	t->netlink = netlink_open();
	err = t->netlink ? watch(t, netlink_watch_open()) : -errno;
	if (err) {
		netlink_close(t->netlink);
		t->netlink = NULL;
		return err;
	}
	return 0;
}

int tunnel_watch(struct tunnel *t)
{
	int err = watch_home(t);

	if (!err)
		err = route_reader_init(&t->routes, t->config.loop, t->config.tun,
					&t->config.dataplane->workers);
	if (err)
		return err;
	loop_timer_arm(&t->follow_timer, 0);
	routes_changed(t);
	t->config.ops->at_home(t->config.ctx, t->config.tun->ifindex);
	return 0;
}

/* Returns the inode of the interface's namespace, or 0 if the inode is unknown. */
static uint64_t netns_inode(const struct tunnel *t)
{
	int fd = netns_of_tun(t->config.tun->fd);
	struct stat s = { 0 };

	if (fd < 0)
		return 0;
	if (fstat(fd, &s))
		s.st_ino = 0;
	close(fd);
	return s.st_ino;
}

/* Watches the namespace in which the interface is now. Returns 0, -ENODEV if the interface was
 * deleted, -EAGAIN if it is being moved or deleted, or another -errno. */
static int watch_current_netns(struct tunnel *t)
{
	int fd = netns_of_tun(t->config.tun->fd), err = 0;
	struct stat s;

	if (fd < 0)
		return netns_error(t, fd);
	if (fstat(fd, &s))
		err = -errno;
	else if (s.st_ino == netns_of_process("self"))
		err = watch_home(t);
	else
		err = watch(t, netlink_watch_open_netns(fd));
	close(fd);
	/* Check the namespace again, because a move before the watch began causes no event. */
	if (!err && netns_inode(t) != s.st_ino) {
		unwatch(t);
		err = -EAGAIN;
	}
	return err;
}

/* Finds out whether RPS is on, and logs changes. TC reads from the map tun_writer which peer's
 * packet a worker is writing. With RPS, a packet reaches TC some time after the write, when the map
 * may already hold the next peer. RPS can be turned on at any time, and the kernel sends no
 * event. */
static void check_rps(struct tunnel *t)
{
	struct loader *loader = t->config.dataplane->loader;
	uint64_t packets = loader ? loader_tunnel_steered(loader) : 0, rx;
	const char *name = t->config.tun->name;
	struct path_stats stats;

	if (packets == t->rps_packets && !t->steered)
		return;
	dataplane_stats(t->config.dataplane, &stats);
	rx = stats.xsk_rx_packets + stats.udp_rx_packets;
	if (packets != t->rps_packets) {
		if (!t->steered)
			log_error("RPS is on for %s, so TC can only check that an inner source "
				  "address belongs to some peer, and the workers must check to "
				  "which one; to turn RPS off, run `echo 0 "
				  ">/sys/class/net/%s/queues/rx-N/rps_cpus`",
				  name, name);
		t->steered = true;
		t->rps_packets = packets;
		t->steered_rx = rx;
	} else if (rx - t->steered_rx >= RPS_OFF_MESSAGES) {
		log_info("RPS is off for %s now, so TC checks again that each inner source address "
			 "belongs to the peer that sent the packet",
			 name);
		t->steered = false;
	}
}

/* Finds an interface that was moved. If its new namespace cannot be watched, runs again every
 * TC_CHECK_NS, so that changes are still noticed. */
static void find_moved_interface(struct tunnel *t)
{
	int err = watch_current_netns(t);

	if (err == -EAGAIN) {
		find_again(t, FIND_NS);
		return;
	}
	if (err && err != -ENODEV && !t->watch_refused)
		log_error("cannot watch the namespace of the interface: %s; changes there are seen "
			  "once a second",
			  strerror(-err));
	t->watch_refused = err != 0;
	tunnel_look(t);
}

static void follow(void *ctx, uint64_t now_ns)
{
	struct tunnel *t = ctx;
	struct visit v = { .t = t, .fn = check_tc };

	if (t->ended)
		return;
	check_rps(t);
	loop_timer_arm(&t->follow_timer, now_ns + TC_CHECK_NS);
	if (t->watch)
		visit(&v);
	else
		find_moved_interface(t);
}

bool tunnel_drops(const struct tunnel *t, struct netlink_drops *drops)
{
	return t->netlink && !netlink_link_drops(t->netlink, t->config.tun->ifindex, drops);
}

void tunnel_open(struct tunnel *t, const struct tunnel_config *config, uint32_t mtu)
{
	*t = (struct tunnel){ .config = *config, .mtu = mtu };
	loop_timer_init(&t->follow_timer, config->loop, follow, t);
	attach_tc(t);
}

void tunnel_close(struct tunnel *t)
{
	loop_timer_done(&t->follow_timer);
	route_reader_done(&t->routes);
	unwatch(t);
}
