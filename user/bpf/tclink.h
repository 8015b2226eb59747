/* SPDX-License-Identifier: MIT */
/*
 * tclink.h - one TC program on one side of one interface. Other TC programs stay attached.
 *
 *   tcx (6.6 and newer)  a bpf_link, which dies with the daemon and moves with the interface
 *   clsact               a filter, which outlives the daemon, and which the kernel removes when the
 *                        interface is deleted or moves to another namespace
 *
 * All functions act in the network namespace of the calling thread. The clsact qdisc is removed
 * with the last filter if wgxdp created the qdisc. The priority of the filters records whether
 * wgxdp created the qdisc, so that the next daemon can find out after a crash.
 */
#ifndef WGXDP_TCLINK_H
#define WGXDP_TCLINK_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"

enum tclink_side { TCLINK_INGRESS, TCLINK_EGRESS };

struct tclink {
	uint32_t ifindex; /* 0 if not attached */
	enum tclink_side side;
	int fd;				    /* fd of the tcx link; -1 = clsact */
	uint32_t handle, priority, prog_id; /* of the clsact filter */
};

/* Returns the handle for the clsact filters of @interface. Each wgxdp interface has its own handle,
 * by which a filter of a dead daemon is recognised and replaced. */
uint32_t tclink_handle(const char *interface);

struct tclink_target {
	uint32_t ifindex;
	const char *name; /* name of the interface, for messages */
	bool force_clsact;
	uint32_t handle; /* result of tclink_handle() */
};

/* Attaches program @prog_fd. Returns 0 with @t filled in, or -errno with @f filled in: -EPERM,
 * -ENODEV, -EMFILE, -ENFILE, -ENOTSUP (the kernel has neither tcx nor clsact). */
int tclink_open(struct tclink *t, int prog_fd, enum tclink_side side,
		const struct tclink_target *target, struct fault *f);

/* Detaches the program; does nothing if it is not attached. */
void tclink_close(struct tclink *t);

/* Returns the ifindex of the interface to which our program is attached. With tcx this interface
 * may have moved to another namespace. Returns 0 if our program is no longer attached: because the
 * interface was deleted, because it has moved to another namespace (clsact only), or because
 * another program has detached ours by force. */
uint32_t tclink_where(const struct tclink *t);

/* Removes the clsact filters that a dead daemon of @interface left on any interface. */
void tclink_clean(const char *interface);

/* Returns 1 if TC programs or filters other than wgxdp's are on this side of the interface, 0 if
 * there are none, or -errno if they cannot be read. @qdisc is the kind of the qdisc that holds the
 * filters of both sides: "clsact", "ingress", or "" if there is none (netlink_qdiscs()). Does not
 * see the filters of a TC block that several interfaces share. */
int tclink_has_others(uint32_t ifindex, enum tclink_side side, const char *qdisc);

#endif
