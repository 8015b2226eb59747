/* SPDX-License-Identifier: MIT */
#include "dataplane/workers.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "bpf/loader.h"
#include "dataplane/udp_group.h"
#include "io/udp.h"
#include "path/route_mtu.h"

unsigned workers_most(const struct options *options)
{
	unsigned count = WORKERS_DEFAULT_MAX;
	cpu_set_t cpus;

	if (options->workers)
		return options->workers;
	if (!sched_getaffinity(0, sizeof(cpus), &cpus) && (unsigned)CPU_COUNT(&cpus) < count)
		count = (unsigned)CPU_COUNT(&cpus);
	return count;
}

unsigned workers_wanted(const struct options *options, const struct tun *tun, unsigned queues)
{
	unsigned count = workers_most(options);

	if (!tun->multi_queue) /* an inherited TUN descriptor may have only one queue */
		return 1;
	if (!options->workers && queues && queues < count)
		count = queues;
	return count ? count : 1;
}

/* Checks that a thread of this process may run on @cpu. Returns 0, or -errno with @f filled in. */
static int check_cpu(int cpu, struct fault *f)
{
	cpu_set_t before, wanted;

	CPU_ZERO(&wanted);
	CPU_SET((unsigned)cpu, &wanted);
	if (sched_getaffinity(0, sizeof(before), &before) ||
	    sched_setaffinity(0, sizeof(wanted), &wanted))
		return fault(f, -errno,
			     "--cpus %d: %s; `nproc --all` shows how many CPUs there are", cpu,
			     errno == EINVAL
				     ? "there is no such CPU, or the daemon may not run on it"
				     : strerror(errno));
	sched_setaffinity(0, sizeof(before), &before);
	return 0;
}

static int make_one(struct workers *w, unsigned id, struct fault *f)
{
	const struct workers_config *c = &w->config;
	const struct options *options = c->options;
	struct worker_config config = {
		.id = id,
		.device = c->device,
		.qsbr = c->qsbr,
		.suspend = c->suspend,
		.tun = &w->tuns[id],
		.tun_writer = c->loader ? loader_tun_writer(c->loader) + id : NULL,
		.heartbeat = c->loader ? loader_heartbeat(c->loader) + id : NULL,
		.heartbeat_ahead_ns = c->loader ? loader_clock_ahead_ns(c->loader) : 0,
		.offloads = { .gro_tcp = c->tun->vnet_len && !options->off.gro,
			      .gro_udp = c->tun->uso && !options->off.gro },
		.reply_wait = !options->off.reply_wait,
		.cpu = options->cpu_count ? options->cpus[id % options->cpu_count] : -1,
	};
	int err = 0;

	w->tuns[id].fd = -1;
	if (config.cpu >= 0)
		err = check_cpu(config.cpu, f);
	if (err)
		return err;
	if (id)
		err = tun_add_queue(&w->tuns[id], c->tun, f);
	else
		w->tuns[id] = *c->tun;
	if (err)
		return err;
	w->count = id + 1;
	w->handoffs[id] = config.handoff = handoff_new();
	err = config.handoff ? worker_new(&w->list[id], &config) : -errno;
	return err ? fault(f, err, "worker %u: %s", id, strerror(-err)) : 0;
}

int workers_make(struct workers *w, const struct workers_config *config, unsigned count,
		 struct fault *f)
{
	int err = 0;

	*w = (struct workers){ .config = *config };
	for (unsigned id = 0; id < count && !err; id++)
		err = make_one(w, id, f);
	return err;
}

void workers_free(struct workers *w)
{
	for (unsigned i = 0; i < w->count; i++) {
		worker_free(w->list[i]);
		handoff_free(w->handoffs[i]);
		if (i)
			tun_close(&w->tuns[i]);
	}
	w->count = 0;
	route_mtu_free(w->route_mtus);
	w->route_mtus = NULL;
}

int workers_start(struct workers *w)
{
	int err = 0;

	for (unsigned i = 0; i < w->count && !err; i++)
		err = worker_start(w->list[i]);
	if (err)
		workers_stop(w);
	return err;
}

void workers_stop(struct workers *w)
{
	for (unsigned i = 0; i < w->count; i++)
		worker_stop(w->list[i]);
}

void workers_use_udp(struct workers *w, const struct udp_group *udp)
{
	const struct options *options = w->config.options;

	for (unsigned i = 0; i < w->count; i++) {
		struct transport *own = udp_group_of_worker(udp, i);

		if (own) /* NULL = the interface is down */
			udp_set_offloads(own, !options->off.gso, !options->off.gro);
		worker_set_udp(w->list[i], own);
	}
}

bool workers_probe(struct workers *w, unsigned *hung)
{
	bool all = true;

	for (unsigned i = 0; i < w->count; i++)
		if (!worker_probe(w->list[i])) {
			*hung = i;
			all = false;
		}
	return all;
}

void workers_set_mtu(struct workers *w, uint32_t mtu)
{
	for (unsigned i = 0; i < w->count; i++)
		worker_set_mtu(w->list[i], mtu);
}

void workers_set_debug(struct workers *w, bool on)
{
	for (unsigned i = 0; i < w->count; i++)
		worker_set_debug(w->list[i], on);
}

void workers_set_route_mtus(struct workers *w, struct route_mtu *table)
{
	for (unsigned i = 0; i < w->count; i++)
		worker_set_route_mtus(w->list[i], table);
	if (w->route_mtus)
		qsbr_retire(w->config.qsbr, w->route_mtus, route_mtu_free);
	w->route_mtus = table;
}

void workers_flush(struct workers *w, uint32_t slot, uint32_t index)
{
	worker_flush(w->list[slot % w->count], index);
}

void workers_drops(const struct workers *w, uint64_t packets[static REASON_COUNT])
{
	uint64_t one[REASON_COUNT];

	memset(packets, 0, REASON_COUNT * sizeof(*packets));
	for (unsigned i = 0; i < w->count; i++) {
		worker_drops(w->list[i], one);
		for (unsigned r = 0; r < REASON_COUNT; r++)
			packets[r] += one[r];
	}
}
