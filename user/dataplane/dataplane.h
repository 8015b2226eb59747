/* SPDX-License-Identifier: MIT */
/*
 * dataplane.h - everything that carries packets: BPF programs, NICs, UDP sockets and workers,
 * opened together and kept running while NICs change. Control thread.
 *
 *   dataplane_open ─▶ NICs chosen ─▶ BPF ─▶ NICs opened ─▶ workers made
 *   dataplane_up   ─▶ UDP sockets ─▶ workers started          (the interface is up)
 *   dataplane_down ─▶ workers stopped ─▶ UDP sockets closed   (the interface is down)
 *   once a second  ─▶ paths_follow() ─▶ queues dealt again, workers restarted
 */
#ifndef WGXDP_DATAPLANE_H
#define WGXDP_DATAPLANE_H

#include "dataplane/options.h"
#include "dataplane/path_stats.h"
#include "dataplane/path_usage.h"
#include "dataplane/paths.h"
#include "dataplane/udp_group.h"
#include "dataplane/workers.h"
#include "util/loop.h"

struct conf;

/* What the data plane tells whoever composes it. */
struct dataplane_ops {
	/* The UDP sockets are about to be closed: stop watching their descriptors. */
	void (*sockets_closing)(void *ctx);
	/* New UDP sockets are in use; the workers are not started yet. 0/-errno. */
	int (*sockets_opened)(void *ctx);
	/* A NIC or a path changed: outer headers have to be resolved again. */
	void (*changed)(void *ctx);
	/* The workers cannot go on. The reason has been logged. */
	void (*failed)(void *ctx);
};

/* All pointers are borrowed and outlive the data plane. */
struct dataplane_config {
	const struct options *options;
	struct loop *loop;
	struct device *device;
	struct qsbr *qsbr;
	const struct suspend *suspend;
	const struct tun *tun;
	struct netlink *netlink;
	const struct dataplane_ops *ops;
	void *ctx; /* for ops */
};

struct dataplane {
	struct dataplane_config config;
	struct loader *loader; /* NULL without BPF */
	struct paths paths;
	struct workers workers;
	struct udp_group udp;
	struct path_stats closed; /* counts of transports that are closed */
	struct path_usage rx_usage;
	struct loop_timer follow_timer;
	uint16_t wanted_port; /* 0: the kernel chooses */
	uint16_t chosen_port; /* as last bound; 0: none yet */
	uint32_t fwmark;
	bool up;
};

/* Opens everything but the UDP sockets. @conf (may be NULL) names the endpoints that lead to NICs;
 * its fwmark is the one that routes are looked up with. @mtu: of the tunnel interface. Returns
 * 0/-errno with @f; dataplane_close() also releases what a failed call has opened. */
int dataplane_open(struct dataplane *d, const struct dataplane_config *config,
		   const struct conf *conf, uint32_t mtu, struct fault *f);
void dataplane_close(struct dataplane *d); /* while it is down; fine if it was never opened */

/* Opens the UDP sockets on d->wanted_port and starts the workers. Fine if it is up. 0/-errno with
 * @f. */
int dataplane_up(struct dataplane *d, struct fault *f);
/* Stops the workers, so that they read nothing more. */
void dataplane_stop(struct dataplane *d);
/* Closes the UDP sockets of stopped workers. */
void dataplane_down(struct dataplane *d);

/* Works whether the interface is up or down. The old port stays if the new one cannot be bound.
 * 0/-errno. */
int dataplane_set_port(struct dataplane *d, uint16_t port);
int dataplane_set_fwmark(struct dataplane *d, uint32_t fwmark);

/* The port as bound, or as it will be while the interface is down; 0: none yet. Host order. */
uint16_t dataplane_port(const struct dataplane *d);

/* Sums of all transports, open and closed. */
void dataplane_stats(const struct dataplane *d, struct path_stats *sum);

/* The path that data takes in each direction. Incoming data is said to come by XDP only if the
 * counts in @stats do not contradict it. @why: why data takes the UDP sockets, or "". */
struct dataplane_usage {
	bool rx_xdp, tx_xdp;
	char why[PATHS_WHY_LEN + 256];
};
void dataplane_usage(const struct dataplane *d, const struct path_stats *stats,
		     struct dataplane_usage *usage);
/* Data messages by the transports that worker @id has now. */
void dataplane_worker_packets(const struct dataplane *d, unsigned id, uint64_t *rx, uint64_t *tx);
/* Drops by reason in BPF, in the workers and in the handshake engine: all but the transports'. */
void dataplane_drops(const struct dataplane *d, uint64_t sums[static REASON_COUNT]);

#endif
