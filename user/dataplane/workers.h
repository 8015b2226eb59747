/* SPDX-License-Identifier: MIT */
/*
 * workers.h - the data-path threads of a node and what each owns: its hand-off, its queue of the
 * tunnel interface, its UDP sockets. Private to user/daemon.
 *
 *   one worker:     reads the only UDP socket pair; messages of types 1-3 reach the control thread
 *                   through its hand-off
 *   several:        the sockets form a group; a BPF program gives types 1-3 to the leader, which the
 *                   control thread reads, and type 4 to the worker of its receiver index
 */
#ifndef WGXDP_WORKERS_H
#define WGXDP_WORKERS_H

#include "io/tun.h"
#include "path/worker.h"
#include "wgxdp/maps.h"

struct daemon;

#define WORKERS_DEFAULT_MAX 4

struct dataplane_worker {
	struct daemon *node;
	struct worker *worker;
	struct handoff *handoff;
	struct tun tun;	       /* of the first: the node's own */
	struct transport *udp; /* NULL: it is the first, and reads the leader */
};

/* The UDP sockets of the listen port. */
struct udp_group {
	struct transport *leader;		/* NULL: none open */
	struct transport *members[WORKERS_MAX]; /* NULL without a group */
	uint16_t port;
};

/* How many there shall be: what was asked for, or min(queues, cores, WORKERS_DEFAULT_MAX). */
unsigned workers_wanted(const struct daemon *n, unsigned queues);

/* Makes them, stopped and without paths. 0/-errno with @f; what was made is workers_free()'s. */
int workers_make(struct daemon *n, unsigned count, struct fault *f);
void workers_free(struct daemon *n);

int workers_start(struct daemon *n); /* all or none; 0/-errno */
void workers_stop(struct daemon *n);

/* Opens sockets on @port beside those in use. 0/-errno with @f. */
int workers_open_udp(struct daemon *n, uint16_t port, struct udp_group *udp, struct fault *f);
/* Gives @udp (may be all zero) to the stopped workers in the place of what they have. */
void workers_use_udp(struct daemon *n, const struct udp_group *udp);

void workers_set_mtu(struct daemon *n, uint32_t mtu);
void workers_set_debug(struct daemon *n, bool on);
/* The table, NULL for none, is theirs until the next one or workers_free(). */
void workers_set_route_mtus(struct daemon *n, struct route_mtu *table);
/* Drops of all of them, added up. */
void workers_drops(const struct daemon *n, uint64_t packets[static REASON_COUNT]);
/* Data messages by the paths that worker @id has now. */
void workers_packets(const struct daemon *n, unsigned id, uint64_t *rx, uint64_t *tx);

#endif
