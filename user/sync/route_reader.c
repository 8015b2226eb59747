/* SPDX-License-Identifier: MIT */
#include "sync/route_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dataplane/workers.h"
#include "io/netlink.h"
#include "io/netns.h"
#include "path/route_mtu.h"
#include "util/clock.h"
#include "util/log.h"

#define SHARE 10 /* reading takes at most 1 / SHARE of one CPU's time */

/* Runs in the namespace of the interface. */
static int read_routes(void *ctx)
{
	struct route_reader *r = ctx;
	uint64_t begin_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct netlink_device_route *list = NULL;
	struct netlink *netlink = netlink_open();
	size_t count = 0;
	int err = netlink ? netlink_device_routes(netlink, r->ifindex, &list, &count) : -errno;

	if (!err)
		err = route_mtu_new(&r->table, list, count);
	if (err && err != -ENODEV) /* -ENODEV: the interface has just been moved or deleted */
		log_error("the MTUs of routes into the tunnel cannot be read: %s", strerror(-err));
	free(list);
	netlink_close(netlink);
	r->cost_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin_ns;
	return err;
}

static void run(void *ctx)
{
	struct route_reader *r = ctx;

	r->err = r->home ? read_routes(r) : netns_call(r->netns_fd, read_routes, r);
}

static void on_timer(void *ctx, uint64_t now_ns)
{
	struct route_reader *r = ctx;

	(void)now_ns;
	if (r->job.run)
		return;
	r->changed = false;
	r->home = r->home_next;
	r->netns_fd = r->home ? -1 : netns_of_tun(r->tun->fd);
	if (!r->home && r->netns_fd < 0) /* the interface is being moved or deleted */
		return;
	r->ifindex = r->tun->ifindex;
	r->table = NULL;
	r->cost_ns = 0;
	job_start(&r->job, run, r);
}

static void close_netns(struct route_reader *r)
{
	if (r->netns_fd >= 0)
		close(r->netns_fd);
	r->netns_fd = -1;
}

/* On failure the workers keep their old table until the next change. */
static void on_read(void *ctx)
{
	struct route_reader *r = ctx;

	if (!r->err)
		workers_set_route_mtus(r->workers, r->table);
	r->table = NULL;
	close_netns(r);
	r->next_ns = loop_now_ns() + SHARE * r->cost_ns;
	if (r->changed)
		route_reader_changed(r, r->home_next);
}

void route_reader_changed(struct route_reader *r, bool home)
{
	uint64_t now_ns = loop_now_ns();

	r->changed = true;
	r->home_next = home;
	if (!r->job.run)
		loop_timer_arm_sooner(&r->timer, now_ns > r->next_ns ? now_ns : r->next_ns);
}

int route_reader_init(struct route_reader *r, struct loop *loop, const struct tun *tun,
		      struct workers *workers)
{
	*r = (struct route_reader){ .tun = tun, .workers = workers, .netns_fd = -1 };
	loop_timer_init(&r->timer, loop, on_timer, r);
	return job_init(&r->job, loop, on_read, r);
}

void route_reader_done(struct route_reader *r)
{
	if (!r->tun)
		return;
	job_done(&r->job);
	close_netns(r);
	route_mtu_free(r->table);
	r->table = NULL;
	loop_timer_done(&r->timer);
}
