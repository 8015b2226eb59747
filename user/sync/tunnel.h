/* SPDX-License-Identifier: MIT */
/*
 * tunnel.h - watches the tunnel interface: whether it is up, down or deleted, and in which network
 * namespace it is.
 *
 *   at home    The interface is in our namespace. A netlink watch reports changes.
 *   abroad     The interface was moved to another namespace (`ip link set ... netns`). A netlink
 *              watch from our namespace reports changes in that namespace. We keep no socket open
 *              in that namespace, because a socket would keep the namespace and the interface
 *              alive after `ip netns del`. For each task there, such as reading the new state,
 *              a short-lived thread of ours enters that namespace.
 *
 *   the link changed ─▶ ops->link_up / link_down, MTU
 *   routes into the tunnel changed ─▶ the workers get the MTUs of these routes, for the padding
 *   the link is gone ─┬─▶ TUNGETIFF fails: deleted ─▶ ops->ended
 *                     └─▶ moved: the data plane is down until the interface has been found in its
 *                         new namespace and TC is attached again
 *   TC was detached by force ─▶ it is attached again
 *
 * The sockets that send and receive the outer packets stay in the namespace in which they were
 * opened. Only the control thread calls these functions.
 */
#ifndef WGXDP_TUNNEL_H
#define WGXDP_TUNNEL_H

#include "dataplane/dataplane.h"
#include "io/netlink.h"
#include "io/tun.h"
#include "sync/route_reader.h"
#include "util/loop.h"

struct tunnel_ops {
	/* Called when the interface is up. Returns 0. After a failure, logs the reason and returns
	 * -errno, and tunnel.c sets the interface down again. */
	int (*link_up)(void *ctx);
	void (*link_down)(void *ctx);
	/* Called with the ifindex of the interface in our namespace, or with 0 if the interface is
	 * in another namespace. Repeated calls with the same value are possible. */
	void (*at_home)(void *ctx, uint32_t ifindex);
	/* Called when the interface was deleted (@exit_code 0) or cannot be followed to its new
	 * namespace (1). The daemon then ends. */
	void (*ended)(void *ctx, int exit_code);
};

/* All pointers are borrowed and outlive the module. */
struct tunnel_config {
	struct loop *loop;
	struct tun *tun; /* tunnel.c keeps its name and ifindex up to date */
	struct dataplane *dataplane;
	const struct tunnel_ops *ops;
	void *ctx; /* context of ops */
};

struct tunnel {
	struct tunnel_config config;
	uint32_t mtu;
	struct netlink *netlink; /* NULL unless the interface is known to be in our namespace */
	/* Watches the interface's namespace. NULL = the namespace is not found yet, or cannot be
	 * watched. */
	struct netlink_watch *watch;
	struct loop_timer follow_timer;
	struct route_reader routes;
	bool tc_refused; /* the last attempt to attach TC failed */
	bool no_tcx;	 /* TC is attached by clsact, because the kernel has no tcx */
	bool steered;	 /* RPS is on: the kernel queues packets before TC sees them */
	/* Two totals, recorded when RPS was last seen to have queued more packets: the packets that
	 * RPS had queued, and the data messages that the workers had received. */
	uint64_t rps_packets, steered_rx;
	bool link_changed;  /* an event reported a change that is not handled yet */
	bool link_gone;	    /* an event reported a removal that is not handled yet */
	bool watch_refused; /* the interface's namespace could not be watched */
	bool ended;
};

/* Attaches TC if BPF is used. If TC cannot be attached, logs that only the workers check the
 * allowed IPs. @mtu: MTU of the new interface. */
void tunnel_open(struct tunnel *t, const struct tunnel_config *config, uint32_t mtu);

/* Begins to follow the interface. Returns 0 or -errno. */
int tunnel_watch(struct tunnel *t);
/* Reads the current state of the interface and handles changes. */
void tunnel_look(struct tunnel *t);
/* Calls @fn(@ctx) in the network namespace of the interface. @fn must close the sockets that it
 * opens, because a socket keeps a deleted namespace alive. Returns the result of @fn, -ENODEV (the
 * interface was deleted), -EAGAIN (its namespace is being deleted) or another -errno. */
int tunnel_call(const struct tunnel *t, int (*fn)(void *ctx), void *ctx);
void tunnel_close(struct tunnel *t); /* does nothing if it was never opened */

/* Sets *@drops to the kernel's drops at the interface. Returns false if they are unknown, for
 * example because the interface is in another namespace. */
bool tunnel_drops(const struct tunnel *t, struct netlink_drops *drops);

#endif
