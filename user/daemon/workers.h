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

struct node;

#define WORKERS_DEFAULT_MAX 4

struct node_worker {
	struct node *node;
	struct worker *worker;
	struct handoff *handoff;
	struct tun tun;	     /* of the first: the node's own */
	struct outside *udp; /* NULL: it is the first, and reads the leader */
};

/* The UDP sockets of the listen port. */
struct node_udp {
	struct outside *leader;		      /* NULL: none open */
	struct outside *members[WORKERS_MAX]; /* NULL without a group */
	uint16_t port;
};

/* How many there shall be: what was asked for, or min(queues, cores, WORKERS_DEFAULT_MAX). */
unsigned workers_wanted(const struct node *n, unsigned queues);

/* Makes them, stopped and without paths. 0/-errno with @f; what was made is workers_free()'s. */
int workers_make(struct node *n, unsigned count, struct fault *f);
void workers_free(struct node *n);

int workers_start(struct node *n); /* all or none; 0/-errno */
void workers_stop(struct node *n);

/* Opens sockets on @port beside those in use. 0/-errno with @f. */
int workers_open_udp(struct node *n, uint16_t port, struct node_udp *udp, struct fault *f);
/* Gives @udp (may be all zero) to the stopped workers in the place of what they have. */
void workers_use_udp(struct node *n, const struct node_udp *udp);

void workers_set_mtu(struct node *n, uint32_t mtu);
void workers_set_debug(struct node *n, bool on);
/* The table, NULL for none, is theirs until the next one or workers_free(). */
void workers_set_route_mtus(struct node *n, struct innermtu *table);
/* Drops of all of them, added up. */
void workers_drops(const struct node *n, uint64_t packets[static REASON_COUNT]);
/* Data messages by the paths that worker @id has now. */
void workers_packets(const struct node *n, unsigned id, uint64_t *rx, uint64_t *tx);

#endif
