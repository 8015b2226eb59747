/* SPDX-License-Identifier: MIT */
/*
 * workers.h - the data-path threads. Each thread has its own queue of the tunnel interface, and a
 * hand-off (path/handoff.h) to the control thread. Only the control thread calls these functions.
 */
#ifndef WGXDP_WORKERS_H
#define WGXDP_WORKERS_H

#include "dataplane/options.h"
#include "io/tun.h"
#include "path/worker.h"
#include "wgxdp/maps.h"

struct loader;
struct udp_group;

#define WORKERS_DEFAULT_MAX 4

/* All pointers are borrowed and outlive the workers. */
struct workers_config {
	const struct options *options;
	const struct device *device;
	struct qsbr *qsbr;
	const struct suspend *suspend;
	const struct tun *tun; /* the interface and its first queue */
	struct loader *loader; /* NULL = no BPF */
};

struct workers {
	struct workers_config config;
	unsigned count;
	struct worker *list[WORKERS_MAX];
	struct handoff *handoffs[WORKERS_MAX];
	struct tun tuns[WORKERS_MAX]; /* the first one is a copy of config.tun */
	struct route_mtu *route_mtus; /* the table that the workers use; NULL = none */
};

/* Returns how many workers there are if every NIC has enough queues: --workers, or min(CPUs,
 * WORKERS_DEFAULT_MAX). */
unsigned workers_most(const struct options *options);

/* Returns how many workers to make: --workers, or min(@queues, CPUs, WORKERS_DEFAULT_MAX), but only
 * 1 if @tun has a single queue. @queues is the number of queues of the NIC that has the fewest; 0:
 * the queues do not limit the number. */
unsigned workers_wanted(const struct options *options, const struct tun *tun, unsigned queues);

/* Makes @count workers, which are stopped and have no NIC queues yet. Returns 0, or -errno with @f
 * filled in. Call workers_free() also after a failure. */
int workers_make(struct workers *w, const struct workers_config *config, unsigned count,
		 struct fault *f);
void workers_free(struct workers *w);

int workers_start(struct workers *w); /* starts all or none; returns 0 or -errno */
void workers_stop(struct workers *w);

/* Gives the stopped workers the sockets of @udp instead of their old ones. */
void workers_use_udp(struct workers *w, const struct udp_group *udp);

/* Probes each worker (worker_probe()). If a worker has not completed an iteration of its main loop
 * since the previous call, sets *@hung to the id of this worker and returns false. */
bool workers_probe(struct workers *w, unsigned *hung);

/* Gives all workers the MTU of the tunnel interface. */
void workers_set_mtu(struct workers *w, uint32_t mtu);
void workers_set_debug(struct workers *w, bool on);

/* Publishes @table, the MTUs of the routes into the tunnel (NULL: no route has an MTU). @w owns
 * @table afterwards. Retires the old table. */
void workers_set_route_mtus(struct workers *w, struct route_mtu *table);

/* Asks the worker that serves the peer in @slot to seal and send the packets that were queued while
 * the peer had no session. @index is the receiver index of the new session. */
void workers_flush(struct workers *w, uint32_t slot, uint32_t index);

/* Adds up the drops of all workers. */
void workers_drops(const struct workers *w, uint64_t packets[static REASON_COUNT]);

#endif
