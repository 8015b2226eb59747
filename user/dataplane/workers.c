/* SPDX-License-Identifier: MIT */
#include "dataplane/workers.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/daemon.h"
#include "io/udp.h"
#include "path/route_mtu.h"

unsigned workers_wanted(const struct daemon *n, unsigned queues)
{
	unsigned count = WORKERS_DEFAULT_MAX;
	cpu_set_t cpus;

	if (!n->tun.multi_queue) /* we were given it */
		return 1;
	if (n->options->workers)
		return n->options->workers;
	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && (unsigned)CPU_COUNT(&cpus) < count)
		count = (unsigned)CPU_COUNT(&cpus);
	if (queues && queues < count)
		count = queues;
	return count ? count : 1;
}

/* May a thread of ours run there? */
static int check_cpu(int cpu, struct fault *f)
{
	cpu_set_t before, wanted;

	CPU_ZERO(&wanted);
	CPU_SET((unsigned)cpu, &wanted);
	if (sched_getaffinity(0, sizeof(before), &before) ||
	    sched_setaffinity(0, sizeof(wanted), &wanted))
		return fault(f, -errno, "--cpus %d: %s; `nproc --all` tells how many there are",
			     cpu,
			     errno == EINVAL ? "there is no such CPU, or it is not ours to use"
					     : strerror(errno));
	sched_setaffinity(0, sizeof(before), &before);
	return 0;
}

static int make_one(struct daemon *n, unsigned id, struct fault *f)
{
	struct dataplane_worker *nw = &n->workers[id];
	struct worker_config config = {
		.id = id,
		.device = &n->device,
		.qsbr = n->qsbr,
		.suspend = &n->suspend,
		.tun = &nw->tun,
		.tun_writer = n->loader ? loader_tun_writer(n->loader) + id : NULL,
		.heartbeat = n->loader ? loader_heartbeat(n->loader) + id : NULL,
		.cpu = n->options->cpu_count ? n->options->cpus[id % n->options->cpu_count] : -1,
	};
	int err = 0;

	*nw = (struct dataplane_worker){ .node = n, .tun.fd = -1 };
	if (config.cpu >= 0)
		err = check_cpu(config.cpu, f);
	if (err)
		return err;
	if (id)
		err = tun_add_queue(&nw->tun, &n->tun, f);
	else
		nw->tun = n->tun;
	if (err)
		return err;
	n->worker_count = id + 1;
	nw->handoff = config.handoff = handoff_new();
	err = nw->handoff ? worker_new(&nw->worker, &config) : -ENOMEM;
	if (err)
		return fault(f, err, "worker %u: %s", id, strerror(-err));
	worker_set_mtu(nw->worker, n->tun_mtu);
	return 0;
}

int workers_make(struct daemon *n, unsigned count, struct fault *f)
{
	int err = 0;

	for (unsigned id = 0; id < count && !err; id++)
		err = make_one(n, id, f);
	return err;
}

void workers_free(struct daemon *n)
{
	for (unsigned i = 0; i < n->worker_count; i++) {
		worker_free(n->workers[i].worker);
		handoff_free(n->workers[i].handoff);
		if (i)
			tun_close(&n->workers[i].tun);
	}
	n->worker_count = 0;
	route_mtu_free(n->route_mtus);
	n->route_mtus = NULL;
}

int workers_start(struct daemon *n)
{
	int err = 0;

	for (unsigned i = 0; i < n->worker_count && !err; i++)
		err = worker_start(n->workers[i].worker);
	if (err)
		workers_stop(n);
	return err;
}

void workers_stop(struct daemon *n)
{
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_stop(n->workers[i].worker);
}

/* UDP ------------------------------------------------------------------------------------------ */

static void close_udp(struct udp_group *udp)
{
	for (unsigned i = 0; i < WORKERS_MAX; i++)
		if (udp->members[i])
			udp->members[i]->ops->deinit(udp->members[i]);
	if (udp->leader)
		udp->leader->ops->deinit(udp->leader);
	*udp = (struct udp_group){ 0 };
}

/* One member's two sockets into the map that the program chooses from. */
static int enter(struct daemon *n, unsigned place, const struct transport *o)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int err = 0;

	for (unsigned i = 0; i < 2 && !err; i++) {
		int fd = udp_socket(o, families[i]);

		if (fd >= 0)
			err = loader_set_reuseport_socket(n->loader, place, families[i], fd);
	}
	return err;
}

static int enter_group(struct daemon *n, const struct udp_group *udp)
{
	int err = enter(n, SOCKS_DAEMON, udp->leader);

	for (unsigned i = 0; i < n->worker_count && !err; i++)
		err = enter(n, SOCKS_WORKER(i), udp->members[i]);
	return err;
}

static int open_group(struct daemon *n, struct udp_group *udp, struct fault *f)
{
	int err;

	for (unsigned i = 0; i < n->worker_count; i++) {
		err = udp_join(&udp->members[i], udp->leader, f);
		if (err)
			return err;
	}
	err = udp_steer(udp->leader, loader_reuseport_prog(n->loader));
	if (!err)
		err = enter_group(n, udp);
	if (err && n->udp.leader) /* those that go on have their places back */
		enter_group(n, &n->udp);
	if (err)
		fault(f, err,
		      "the UDP sockets of %u workers cannot be steered: %s; --workers 1 does without",
		      n->worker_count, strerror(-err));
	return err;
}

int workers_open_udp(struct daemon *n, uint16_t port, struct udp_group *udp, struct fault *f)
{
	int err;

	*udp = (struct udp_group){ .port = port };
	err = udp_new(&udp->leader, &udp->port, n->fwmark, f);
	if (!err && n->worker_count > 1)
		err = open_group(n, udp, f);
	if (err)
		close_udp(udp);
	return err;
}

void workers_use_udp(struct daemon *n, const struct udp_group *udp)
{
	if (n->udp.leader && n->worker_count > 1)
		loop_delete(n->loop, n->udp.leader->fd);
	if (n->udp.leader)
		path_stats_close_udp(n, n->udp.leader);
	for (unsigned i = 0; i < n->worker_count; i++)
		if (n->udp.members[i])
			path_stats_close_udp(n, n->udp.members[i]);
	close_udp(&n->udp);
	n->udp = *udp;
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_set_udp(n->workers[i].worker,
			       udp->members[i] ? udp->members[i] : udp->leader);
}

/* All ----------------------------------------------------------------------------------------- */

void workers_set_mtu(struct daemon *n, uint32_t mtu)
{
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_set_mtu(n->workers[i].worker, mtu);
}

void workers_set_debug(struct daemon *n, bool on)
{
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_set_debug(n->workers[i].worker, on);
}

void workers_set_route_mtus(struct daemon *n, struct route_mtu *table)
{
	for (unsigned i = 0; i < n->worker_count; i++)
		worker_set_route_mtus(n->workers[i].worker, table);
	if (n->route_mtus)
		qsbr_retire(n->qsbr, n->route_mtus, route_mtu_free);
	n->route_mtus = table;
}

void workers_drops(const struct daemon *n, uint64_t packets[static REASON_COUNT])
{
	uint64_t one[REASON_COUNT];

	memset(packets, 0, REASON_COUNT * sizeof(*packets));
	for (unsigned i = 0; i < n->worker_count; i++) {
		worker_drops(n->workers[i].worker, one);
		for (unsigned r = 0; r < REASON_COUNT; r++)
			packets[r] += one[r];
	}
}

static void add_packets(const struct transport *o, uint64_t *rx, uint64_t *tx)
{
	*rx += atomic_load_explicit(&o->stats.rx_packets, memory_order_relaxed);
	*tx += atomic_load_explicit(&o->stats.tx_packets, memory_order_relaxed);
}

void workers_packets(const struct daemon *n, unsigned id, uint64_t *rx, uint64_t *tx)
{
	const struct transport *udp = n->udp.members[id] ? n->udp.members[id] : n->udp.leader;

	*rx = *tx = 0;
	if (udp)
		add_packets(udp, rx, tx);
	for (unsigned i = 0; i < n->nic_count; i++)
		for (unsigned q = id; q < n->nics[i].queue_count; q += n->worker_count)
			add_packets(n->nics[i].queues[q], rx, tx);
}
