/* SPDX-License-Identifier: MIT */
/*
 * udp_group.h - the UDP sockets of the listen port. Control thread.
 *
 *   one worker:       it reads the only socket pair, the leader; handshakes reach the control
 *                     thread through its hand-off
 *   several workers:  the sockets form one SO_REUSEPORT group. A BPF program gives messages of
 *                     types 1-3 to the leader, which the control thread reads, and type 4 to the
 *                     worker of its receiver index
 *
 * bind() lets any program of the same user into a SO_REUSEPORT group, and asks only the first
 * socket of the port that it finds. A guard before and a guard behind the other sockets belong to
 * a user that no process has, so that bind() finds a guard first in each order that the kernel
 * walks, and refuses. The program never chooses a guard.
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
	struct transport *leader;		/* NULL: no socket is open */
	struct transport *members[WORKERS_MAX]; /* one a worker; NULL without a group */
	struct transport *guards[2];		/* NULL without a group */
	unsigned member_count;
	uint16_t port; /* as bound */
};

/* Opens sockets for @workers workers on @port (0: the kernel chooses) with @fwmark. @loader has the
 * program that steers a group. Sockets of another port may be open beside it: @in_use is the group
 * whose places in the program's map are restored if this one fails. Returns 0 or -errno with @f. */
int udp_group_open(struct udp_group *g, struct loader *loader, unsigned workers, uint16_t port,
		   uint32_t fwmark, const struct udp_group *in_use, struct fault *f);

/* Closes all sockets and adds their counts to @closed. Fine if none is open. */
void udp_group_close(struct udp_group *g, struct path_stats *closed);

/* Adds the counts of the open sockets. */
void udp_group_stats(const struct udp_group *g, struct path_stats *sum);

/* SO_MARK of all sockets. 0/-errno. */
int udp_group_set_fwmark(const struct udp_group *g, uint32_t fwmark);

/* The transport that worker @id reads and sends by, or NULL. */
struct transport *udp_group_of_worker(const struct udp_group *g, unsigned id);

#endif
