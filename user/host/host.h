/* SPDX-License-Identifier: MIT */
/*
 * host.h - what a config sets on the host beside the tunnel itself: addresses, MTU, routes, rules,
 * the nftables tables that guard them, a sysctl, DNS. The daemon owns all of it, changes it when
 * the config changes, restores what other programs remove, and undoes it at the end.
 *
 *   conf ─▶ plan.h ─┬─▶ interface.h  addresses, MTU, up, routes
 *                   ├─▶ rules.h      with a default route: rules, the mark
 *                   ├─▶ guard.h      likewise: nftables
 *                   ├─▶ valid_mark.h likewise: src_valid_mark
 *                   └─▶ dns.h        resolvectl or resolvconf
 *   keep.h   events ─▶ a look at all of it
 *   record.h written before it is made, so that the next owner can undo it after a `kill -9`
 *
 * The interface is in the namespace in which the daemon started. If it is moved to another one,
 * everything is undone until it comes back. Control thread.
 */
#ifndef WGXDP_HOST_H
#define WGXDP_HOST_H

#include <stdint.h>

#include "util/fault.h"

struct conf;
struct host;
struct loop;

struct host_ops {
	/* The interface has been set up: begins to carry packets. 0, or -errno with @f. */
	int (*start)(void *ctx, struct fault *f);
	/* Gives @fwmark to the tunnel's sockets and its route queries. 0/-errno. */
	int (*set_fwmark)(void *ctx, uint32_t fwmark);
	/* Tells a person of something that works but looks wrong; without newline. */
	void (*warn)(void *ctx, const char *sentence);
};

/* All pointers are borrowed and outlive the module. */
struct host_config {
	struct loop *loop;
	const char *interface;
	const struct host_ops *ops;
	void *ctx; /* for ops */
};

/* Begins with nothing set. 0 with *@host, or -errno with @f. */
int host_new(struct host **host, const struct host_config *config, struct fault *f);

/* Brings the host from the last plan to that of @conf, whose endpoints are resolved as far as they
 * can be: addresses, MTU, link up, ops->start, DNS, routes and rules; reads all of it back; and
 * keeps it from then on. The caller waits for the programs that manage DNS (dns.h). @conf is not
 * used after the call. Returns 0, or -errno with @f after the last plan was restored. While the
 * interface is in another namespace only a warning is given. */
int host_apply(struct host *h, const struct conf *conf, struct fault *f);

/* The interface is in our namespace with @ifindex, or in another one (0). */
void host_moved(struct host *h, uint32_t ifindex);

/* Undoes everything but what the kernel removes together with the interface, and frees @h. NULL is
 * fine. */
void host_free(struct host *h);

/* Undoes what a daemon of @interface that was killed has set on the host, as recorded in
 * /run/wgxdp, in the network namespace of that daemon if it still exists. The caller holds the
 * name lock. Fine if there is nothing to undo. */
void host_record_undo(const char *interface);

#endif
