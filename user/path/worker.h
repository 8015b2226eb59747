/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a data-path thread. It owns its outside paths (AF_XDP sockets, UDP sockets), its TUN
 * queue and its buffers, and runs to completion: recv -> open chain (ingress.c) -> TUN;
 * TUN -> seal chain (egress.c) -> send; sweep; and sleeps only when nothing came.
 *
 * Control thread only, but for what the thread itself runs.
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

struct worker_config {
	unsigned id;		     /* its reader number in qsbr.h */
	const struct device *device; /* its tables: indices, allowed */
	struct qsbr *qsbr;
	struct handoff *handoff;
	const struct suspend *suspend;
	const struct tun *tun; /* borrowed; its own queue */
	/* Its elements of the maps of these names, or NULL without BPF. */
	volatile uint64_t *tun_writer, *heartbeat;
	int cpu; /* to be pinned to; -1 = none */
};

/* Returns 0 and *@w, stopped and without ports; or -errno. */
int worker_new(struct worker **w, const struct worker_config *config);
void worker_free(struct worker *w); /* stops it first; NULL is fine; ports are not freed */

/* The paths of a stopped worker; borrowed. @tx: data may leave by it, too (--tx). A worker that is
 * started needs a UDP path. -ENOSPC at WORKER_PORTS_MAX. */
int worker_add_port(struct worker *w, struct transport *port, bool tx);
void worker_drop_ports(struct worker *w); /* all of them */
void worker_set_udp(struct worker *w, struct transport *udp);

/* MTU of the tunnel interface: no packet is padded beyond it. */
void worker_set_mtu(struct worker *w, uint32_t mtu);

/* While debugging is on it notes packets from unallowed sources, a few a second. */
void worker_set_debug(struct worker *w, bool on);

/* Those of the routes into it, or NULL: likewise. The caller retires the table that it replaces. */
void worker_set_route_mtus(struct worker *w, const struct route_mtu *table);

int worker_start(struct worker *w); /* 0 or -errno */
void worker_stop(struct worker *w); /* returns when the thread has ended; fine if there is none */

/* Asks it to seal and send what waits for the peer of the session with receiver index @index. */
void worker_flush(struct worker *w, uint32_t index);

/* Counts since it was made; any thread. */
void worker_drops(const struct worker *w, uint64_t packets[static REASON_COUNT]);

#endif
