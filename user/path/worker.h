/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a data-path thread. Each worker has its own transports (AF_XDP sockets, UDP sockets),
 * TUN queue and buffers. Each turn runs to completion: recv -> receive chain (ingress.c) -> TUN;
 * TUN -> send chain (egress.c) -> send; sweep. A worker sleeps only after a turn that moved few or
 * no packets, or while the keys are stale (suspend.h).
 *
 * All functions are for the control thread unless they say otherwise.
 */
#ifndef WGXDP_WORKER_H
#define WGXDP_WORKER_H

#include "io/transport.h"
#include "io/tun.h"
#include "path/handoff.h"
#include "path/qsbr.h"
#include "path/suspend.h"
#include "wg/device.h"
#include "wgxdp/reasons.h"

#define WORKER_PORTS_MAX 64 /* AF_XDP sockets of one worker */

struct route_mtu;
struct worker;

struct worker_offloads {
	bool gro_tcp, gro_udp; /* merge packets before they are written into the tunnel */
};

struct worker_config {
	unsigned id;		     /* reader number in qsbr.h */
	const struct device *device; /* the worker reads only device->indices and ->allowed */
	struct qsbr *qsbr;
	struct handoff *handoff;
	const struct suspend *suspend;
	const struct tun *tun; /* the worker's own queue; borrowed */
	/* The worker's elements of the BPF maps tun_writer and heartbeat; both NULL without BPF. */
	volatile uint64_t *tun_writer, *heartbeat;
	int64_t heartbeat_ahead_ns; /* ns by which the heartbeat's clock is ahead of BOOTTIME */
	struct worker_offloads offloads;
	bool reply_wait; /* wait for replies without sleeping, see reply_wait.h */
	int cpu;	 /* the CPU to pin the thread to; -1 = none */
};

/* Creates a stopped worker without ports. Returns 0 and sets *@w, or returns -errno. */
int worker_new(struct worker **w, const struct worker_config *config);
void worker_free(struct worker *w); /* stops the thread; does not free ports; NULL has no effect */

/* Change the transports of a stopped worker; transports are borrowed. @tx: data may also be sent
 * through this port (--tx). worker_set_udp() must be called before worker_start().
 * worker_add_port() returns 0, or -ENOSPC if the worker already has WORKER_PORTS_MAX ports. */
int worker_add_port(struct worker *w, struct transport *transport, bool tx);
void worker_drop_ports(struct worker *w); /* removes all ports */
void worker_set_udp(struct worker *w, struct transport *udp);

/* Sets the MTU of the tunnel interface. No packet is padded to more than the MTU. */
void worker_set_mtu(struct worker *w, uint32_t mtu);

/* While debugging is on, the worker sends NOTE_UNALLOWED for packets from unallowed sources, a few
 * per second. */
void worker_set_debug(struct worker *w, bool on);

/* Sets the MTUs of the routes into the tunnel; NULL = no route has an MTU. No packet is padded to
 * more than its route's MTU. The caller retires the table that was set before. */
void worker_set_route_mtus(struct worker *w, const struct route_mtu *table);

int worker_start(struct worker *w); /* returns 0 or -errno */
void worker_stop(struct worker *w); /* joins the thread; does nothing if it is not running */

/* Returns false if the thread has run no turn since the last call. Wakes the thread, so that it
 * runs a turn before the next call. Returns true if the thread is not running, and at the first
 * call. */
bool worker_probe(struct worker *w);

/* Asks the worker to seal and send the staged packets of the peer whose session has receiver index
 * @index. */
void worker_flush(struct worker *w, uint32_t index);

/* Sets packets[reason] to the number of packets dropped for that reason since worker_new(). Any
 * thread. */
void worker_drops(const struct worker *w, uint64_t packets[static REASON_COUNT]);

#endif
