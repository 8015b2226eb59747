/* SPDX-License-Identifier: MIT */
/*
 * tunnel.h - the tunnel interface as seen from the control thread: up, down, deleted, and in which
 * network namespace it is.
 *
 *   at home    it is in our namespace: a netlink watch tells of changes
 *   abroad     it was moved (`ip link set ... netns`): a netlink watch from our namespace tells of
 *              changes in the other one. A socket in that namespace would keep it, and the
 *              interface, alive after it is deleted. A thread of ours enters the namespace only to
 *              read the new state
 *
 *   its link changed ─▶ ops->link_up / link_down, MTU
 *   routes into it changed ─▶ their MTUs, for the padding
 *   its link is gone ─┬─▶ TUNGETIFF fails: deleted ─▶ ops->ended
 *                     └─▶ moved: down until it has been found in its new namespace, and TC, if the
 *                         move removed it, is attached again
 *   TC was detached by force ─▶ attached again
 *
 * The outer sockets stay in the namespace where they were made. Control thread.
 */
#ifndef WGXDP_TUNNEL_H
#define WGXDP_TUNNEL_H

#include "dataplane/dataplane.h"
#include "io/netlink.h"
#include "io/tun.h"
#include "util/loop.h"

struct tunnel_ops {
	/* The interface is up. 0, or -errno after the reason was logged: it is set down again. */
	int (*link_up)(void *ctx);
	void (*link_down)(void *ctx);
	/* The interface is in our namespace with @ifindex, or in another one (0). */
	void (*at_home)(void *ctx, uint32_t ifindex);
	/* The interface was deleted (@exit_code 0) or cannot be followed (1): the daemon ends. */
	void (*ended)(void *ctx, int exit_code);
};

/* All pointers are borrowed and outlive the module. */
struct tunnel_config {
	struct loop *loop;
	struct tun *tun; /* its name and ifindex are kept true */
	struct dataplane *dataplane;
	const struct tunnel_ops *ops;
	void *ctx; /* for ops */
};

struct tunnel {
	struct tunnel_config config;
	uint32_t mtu;
	struct netlink *netlink;     /* in our namespace; NULL: the interface is abroad */
	struct netlink_watch *watch; /* of its namespace; NULL: it has to be found again */
	struct loop_timer follow_timer, routes_timer;
	uint64_t routes_next_ns;	      /* they may be read again from then on */
	bool tc_refused;		      /* TC could not be attached when last tried */
	bool steered;			      /* RPS was seen to queue packets before TC */
	uint64_t steered_packets, steered_rx; /* packets of RPS, and data messages when it grew */
	bool link_changed;		      /* an event said so and has not been acted on */
	bool link_gone;			      /* likewise */
	bool watch_refused;		      /* its namespace could not be watched */
	bool ended;
};

/* Attaches TC where there is BPF; where that fails, the workers' own check stands alone and the log
 * says so. @mtu: of the new interface. */
void tunnel_open(struct tunnel *t, const struct tunnel_config *config, uint32_t mtu);

/* Begins to follow the interface. 0/-errno. */
int tunnel_watch(struct tunnel *t);
/* Acts on what the interface is now. */
void tunnel_look(struct tunnel *t);
/* Calls @fn(@ctx) in the network namespace of the interface. Sockets that it opens there must be
 * closed before it returns, because they keep a deleted namespace alive. Returns the result of @fn;
 * -ENODEV: the interface was deleted; -EAGAIN: its namespace is being deleted; -errno. */
int tunnel_call(const struct tunnel *t, int (*fn)(void *ctx), void *ctx);
void tunnel_close(struct tunnel *t); /* fine if it was never opened */

/* What the kernel dropped at the interface. False: unknown, since it is abroad. */
bool tunnel_drops(const struct tunnel *t, struct netlink_drops *drops);

#endif
