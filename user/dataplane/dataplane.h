/* SPDX-License-Identifier: MIT */
/*
 * dataplane.h - all parts that carry packets: BPF programs, NICs, UDP sockets and workers. Opens
 * them together and keeps them running while NICs change. Only the control thread calls these
 * functions.
 *
 *   dataplane_open ─▶ NICs chosen ─▶ BPF ─▶ NICs opened ─▶ workers made
 *   dataplane_up   ─▶ UDP sockets ─▶ workers started   (the interface is up)
 *   dataplane_stop ─▶ workers stopped                  (the interface is down)
 *   dataplane_down ─▶ UDP sockets closed
 *   once a second  ─▶ paths_follow() ─▶ a NIC changed: queues distributed again, workers restarted
 */
#ifndef WGXDP_DATAPLANE_H
#define WGXDP_DATAPLANE_H

#include "dataplane/nic_tune.h"
#include "dataplane/options.h"
#include "dataplane/path_stats.h"
#include "dataplane/path_usage.h"
#include "dataplane/paths.h"
#include "dataplane/udp_group.h"
#include "dataplane/workers.h"
#include "util/loop.h"

struct conf;

/* Notifications for the module that owns the data plane. */
struct dataplane_ops {
	/* The UDP sockets are about to be closed: stop watching their descriptors. */
	void (*sockets_closing)(void *ctx);
	/* New UDP sockets are in use; the workers are not started yet. Returns 0 or -errno. */
	int (*sockets_opened)(void *ctx);
	/* A NIC, a path or the fwmark changed: resolve the next hops of the peers again. */
	void (*changed)(void *ctx);
	/* The workers cannot continue. The reason has been logged. */
	void (*failed)(void *ctx);
	/* Shows @sentence, which has no newline and was logged as information, to the user: a
	 * message of --tune about a change of a NIC, or a warning of paths_warn(). */
	void (*say)(void *ctx, const char *sentence);
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
	void *ctx; /* context of ops */
};

struct dataplane {
	struct dataplane_config config;
	struct loader *loader; /* NULL = no BPF */
	struct nic_netfilter netfilter;
	struct nic_tuner tuner;
	struct paths paths;
	struct workers workers;
	struct udp_group udp;
	struct path_stats closed; /* counts of transports that were closed */
	struct path_usage rx_usage;
	struct loop_timer follow_timer;
	uint16_t wanted_port; /* port to bind; 0 = the kernel chooses */
	uint16_t chosen_port; /* the port that was bound last, to be bound again; 0 = none */
	uint32_t fwmark;
	bool network_changed; /* routes, links or endpoints have changed: choose the NICs again */
	bool up;
};

/* Opens everything except the UDP sockets. If the user named no NIC, the routes to the endpoints of
 * @conf (may be NULL), looked up with the fwmark of @conf, determine the NICs. @mtu: MTU of the
 * tunnel interface. Returns 0, or -errno with @f filled in. Call dataplane_close() also after a
 * failure. */
int dataplane_open(struct dataplane *d, const struct dataplane_config *config,
		   const struct conf *conf, uint32_t mtu, struct fault *f);
void dataplane_close(struct dataplane *d); /* call only while down; does nothing if never opened */

/* Opens the UDP sockets on the listen port (dataplane_port()) and starts the workers. Does nothing
 * if the data plane is already up. Returns 0, or -errno with @f filled in. */
int dataplane_up(struct dataplane *d, struct fault *f);
/* Stops the workers. */
void dataplane_stop(struct dataplane *d);
/* Closes the UDP sockets of stopped workers. */
void dataplane_down(struct dataplane *d);

/* Changes the listen port, whether the interface is up or down. Returns 0 or -errno. If the new
 * port cannot be bound, the old port stays in use. */
int dataplane_set_port(struct dataplane *d, uint16_t port);
int dataplane_set_fwmark(struct dataplane *d, uint32_t fwmark);

/* Returns the listen port in host order: while the interface is up, the port that is bound; while
 * it is down, the port that will be bound. 0: the kernel has not chosen one yet. */
uint16_t dataplane_port(const struct dataplane *d);

/* Call this when routes, addresses, links or endpoints have changed. The NICs are then chosen again
 * within a second, unless the user named them. */
void dataplane_network_changed(struct dataplane *d);

/* Adds up the counts of all transports, including closed ones. */
void dataplane_stats(const struct dataplane *d, struct path_stats *sum);

/* Which path data takes in each direction. */
struct dataplane_usage {
	bool rx_xdp, tx_xdp; /* false = data goes through the UDP sockets */
	/* why data goes through the UDP sockets, and what AF_XDP bypasses; "" = neither */
	char why[PATHS_WHY_LEN + 256];
};
/* Fills in @usage. If the counts in @stats show that incoming data arrives through the UDP sockets,
 * rx_xdp is false even while XDP is attached. */
void dataplane_usage(const struct dataplane *d, const struct path_stats *stats,
		     struct dataplane_usage *usage);
/* Sets *@rx and *@tx to the numbers of data messages that the open transports of worker @id have
 * received and sent. */
void dataplane_worker_packets(const struct dataplane *d, unsigned id, uint64_t *rx, uint64_t *tx);
/* Sets @sums to the drops by reason in BPF, in the workers and in the handshake engine. Does not
 * include the drops that the transports count. */
void dataplane_drops(const struct dataplane *d, uint64_t sums[static REASON_COUNT]);

#endif
