/* SPDX-License-Identifier: MIT */
/*
 * worker.h - a data-path thread. Each worker has its own transports (AF_XDP sockets, UDP sockets),
 * TUN queue and buffers. Its loop repeats these steps, and one pass is a turn: receive from the
 * transports, decrypt, write to TUN (ingress.c); read from TUN, encrypt, send (egress.c); let each
 * transport finish its sends (sweep). A worker sleeps only after a turn that moved few or no
 * packets, and while it waits for the control thread to wipe stale keys (suspend.h).
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

#define WORKER_PORTS_MAX 64 /* most AF_XDP sockets that one worker can have */

struct route_mtu;
struct worker;

struct worker_offloads {
	bool gro_tcp, gro_udp; /* merge decrypted packets before they are written to TUN */
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
	int64_t heartbeat_ahead_ns; /* ns by which the clock of BPF is ahead of our BOOTTIME */
	struct worker_offloads offloads;
	bool reply_wait; /* after sending one packet, poll for a reply; see reply_wait.h */
	int cpu;	 /* the CPU to pin the thread to; -1 = none */
};

/* Creates a stopped worker without ports. Returns 0 and sets *@w, or returns -errno. */
int worker_new(struct worker **w, const struct worker_config *config);
void worker_free(struct worker *w); /* stops the thread; does not free ports; NULL has no effect */

/* Change the transports of a stopped worker, which borrows them. A port is an AF_XDP socket. @tx:
 * data may be sent through this port (--tx), not only through the UDP socket. worker_set_udp() must
 * be called before worker_start(). worker_add_port() returns 0, or -ENOSPC if the worker already
 * has WORKER_PORTS_MAX ports. */
int worker_add_port(struct worker *w, struct transport *transport, bool tx);
void worker_drop_ports(struct worker *w); /* removes all ports */
void worker_set_udp(struct worker *w, struct transport *udp);

/* Tells the worker the MTU of the tunnel interface. The worker pads no packet to more than the
 * MTU. */
void worker_set_mtu(struct worker *w, uint32_t mtu);

/* While @on is true, the worker reports packets whose inner source is not an allowed IP of the peer
 * (NOTE_UNALLOWED), at most 10 per second. */
void worker_set_debug(struct worker *w, bool on);

/* Tells the worker the MTUs of the routes into the tunnel; NULL = no route has an MTU. The worker
 * pads no packet to more than the MTU of its route. The worker may still read the previous table,
 * so the caller must free that table with qsbr_retire(). */
void worker_set_route_mtus(struct worker *w, const struct route_mtu *table);

int worker_start(struct worker *w); /* returns 0 or -errno */
void worker_stop(struct worker *w); /* joins the thread; does nothing if it is not running */

/* Detects a thread that hangs. Returns true if the thread has run a turn since the last call, if
 * the thread is not running, or at the first call; otherwise false. Also wakes the thread, so that
 * a thread that works runs a turn before the next call. */
bool worker_probe(struct worker *w);

/* Asks the worker to encrypt and send the packets that have waited for a session (stage.h). @index
 * is the receiver index of the session. */
void worker_flush(struct worker *w, uint32_t index);

/* Sets packets[reason] to the number of packets dropped for that reason since worker_new(). Any
 * thread may call it. */
void worker_drops(const struct worker *w, uint64_t packets[static REASON_COUNT]);

#endif
