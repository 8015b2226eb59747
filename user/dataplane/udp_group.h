/* SPDX-License-Identifier: MIT */
/*
 * udp_group.h - the UDP sockets of the listen port. Only the control thread calls these functions.
 *
 *   one worker:       there is one pair of sockets (IPv4, IPv6), the leader. The worker reads
 *                     them and hands handshakes over to the control thread
 *   several workers:  the sockets form one SO_REUSEPORT group. A BPF program gives messages of
 *                     types 1-3 to the leader, which the control thread reads, and messages of
 *                     type 4 to the worker that serves their receiver index
 *
 * The kernel lets any program of the same user into a SO_REUSEPORT group. The kernel compares the
 * user of only one socket, the first that it finds on the port. Therefore the group has two guards:
 * sockets that belong to a user id that no process has. One guard is opened before the other
 * sockets and one after them, so that another program's bind() always finds a guard first, and
 * fails. The BPF program never chooses a guard.
 */
#ifndef WGXDP_UDP_GROUP_H
#define WGXDP_UDP_GROUP_H

#include <stdint.h>

#include "io/transport.h"
#include "util/fault.h"
#include "wgxdp/maps.h"

struct loader;
struct path_stats;

struct udp_group {
	struct transport *leader;		/* NULL = no socket is open */
	struct transport *members[WORKERS_MAX]; /* sockets of each worker; NULL = no group */
	struct transport *guards[2];		/* NULL = no group */
	unsigned member_count;
	uint16_t port; /* the bound port */
};

/* Opens sockets for @workers workers on @port (0: the kernel chooses) with @fwmark. @loader has the
 * BPF program for the group. @in_use is the group of another port that is still in use; if this
 * function fails, it enters the sockets of @in_use in the program's map again. Returns 0, or -errno
 * with @f filled in. */
int udp_group_open(struct udp_group *g, struct loader *loader, unsigned workers, uint16_t port,
		   uint32_t fwmark, const struct udp_group *in_use, struct fault *f);

/* Closes all sockets and adds their counts to @closed. Does nothing if no socket is open. */
void udp_group_close(struct udp_group *g, struct path_stats *closed);

/* Adds the counts of the open sockets. */
void udp_group_stats(const struct udp_group *g, struct path_stats *sum);

/* Sets SO_MARK on all sockets except the guards. Returns 0 or -errno. */
int udp_group_set_fwmark(const struct udp_group *g, uint32_t fwmark);

/* Returns the UDP transport of worker @id, or NULL. */
struct transport *udp_group_of_worker(const struct udp_group *g, unsigned id);

#endif
