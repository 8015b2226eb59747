/* SPDX-License-Identifier: MIT */
/*
 * tclink.h - one TC program on one side of one interface, beside those of others.
 *
 *   tcx (6.6 and newer)  a bpf_link: dies with its owner, moves with the interface
 *   clsact               a filter that outlives its owner; dies when the interface moves or goes
 *
 * All calls act in the network namespace of the calling thread. The clsact qdisc goes with the last
 * filter if it was wgxdp that made it, and if nobody else has put one in; which it was is remembered
 * in the filters' priority, for those who come after a dead owner.
 */
#ifndef WGXDP_TCLINK_H
#define WGXDP_TCLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"

enum tclink_side { TCLINK_INGRESS, TCLINK_EGRESS };

struct tclink {
	uint32_t ifindex; /* 0: not attached */
	enum tclink_side side;
	int fd;				    /* of the tcx link; -1: clsact */
	uint32_t handle, priority, prog_id; /* clsact: of the filter */
};

/* What tells the clsact filters of @interface from those of another wgxdp interface: one that a dead
 * owner of it left is replaced. */
uint32_t tclink_handle(const char *interface);

struct tclink_target {
	uint32_t ifindex;
	const char *name; /* of the interface, for sentences */
	bool force_clsact;
	uint32_t handle; /* tclink_handle() */
};

/* Attaches @prog_fd. Returns 0 with @t filled, or -errno with @f: -EPERM, -ENODEV, -ENOTSUP (the
 * kernel has neither way). */
int tclink_open(struct tclink *t, int prog_fd, enum tclink_side side,
		const struct tclink_target *target, struct fault *f);

/* Detaches. Fine if it is not attached. */
void tclink_close(struct tclink *t);

/* The interface that it is on now, in whatever namespace (tcx) or in ours (clsact); 0: on none, since
 * the interface went away or moved, or the program was torn off by force. */
uint32_t tclink_where(const struct tclink *t);

/* Removes the clsact filters that a dead owner of @interface left, wherever they are. */
void tclink_clean(const char *interface);

#endif
