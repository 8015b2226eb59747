/* SPDX-License-Identifier: MIT */
/*
 * host.h - sets up the host for a config: addresses, MTU, routes, rules, the nftables tables that
 * guard them, a sysctl, DNS. The daemon owns these settings: it changes them when the config
 * changes, restores them when other programs remove them, and undoes them at the end.
 *
 *   conf ─▶ plan.h ─┬─▶ interface.h   addresses, MTU, up, routes
 *                   ├─▶ rules.h       for a default route: rules, the mark
 *                   ├─▶ guard.h       for a default route: nftables
 *                   ├─▶ valid_mark.h  for a default route: src_valid_mark
 *                   └─▶ dns.h         resolvectl or resolvconf
 *   keep.h     notices when other programs remove settings
 *   record.h   records the settings before they are made, so that the next daemon can undo them
 *              after a `kill -9`
 *
 * The settings are made in the network namespace in which the daemon started. While the interface
 * is in another namespace, all settings are undone. Only the control thread may call the functions
 * that take a struct host.
 */
#ifndef WGXDP_HOST_H
#define WGXDP_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "util/fault.h"

struct conf;
struct host;
struct loop;

struct host_ops {
	/* Called when the interface is up. Starts the data plane. Returns 0, or -errno with
	 * @f filled in. */
	int (*start)(void *ctx, struct fault *f);
	/* Sets @fwmark on the tunnel's sockets and its route queries. Returns 0 or -errno. */
	int (*set_fwmark)(void *ctx, uint32_t fwmark);
	/* Called when the interface is back in our namespace. If the result of the last
	 * host_apply() was not 0, the caller may now repeat that host_apply(). */
	void (*back)(void *ctx);
	/* Warns the user of a setting that works but looks wrong. @sentence has no newline. */
	void (*warn)(void *ctx, const char *sentence);
};

/* All pointers are borrowed and outlive the module. */
struct host_config {
	struct loop *loop;
	const char *interface;
	const struct host_ops *ops;
	void *ctx; /* context of ops */
};

/* Creates *@host and takes over the settings that a killed daemon left (see below). Returns 0, or
 * -errno with @f filled in. */
int host_new(struct host **host, const struct host_config *config, struct fault *f);

/* The result of host_apply(). 0: the settings have been made. -errno: @f says why they could not be
 * made, and the last plan has been restored. 1: the interface is in another namespace, so nothing
 * has changed, and the caller must apply the config again when the interface is back. */
typedef void (*host_applied_fn)(void *ctx, int result, const struct fault *f);

/* Begins to change the host from the last plan to that of @conf: addresses, MTU, link up,
 * ops->start, DNS, routes and rules. The caller has resolved the endpoints of @conf as far as
 * possible. Reads the settings back, and restores them later if other programs remove them
 * (keep.h). Long steps run in a thread, but the caller waits for the programs that manage DNS
 * (dns.h). When all steps have ended, calls @applied, from the loop or before returning. Before
 * that, @conf must not change, and the caller must not apply another config. If host_free() comes
 * first, @applied is not called. */
void host_apply(struct host *h, const struct conf *conf, host_applied_fn applied, void *ctx);

/* Waits until host_apply() has ended. Used before the loop runs. */
void host_wait(struct host *h);

/* Tells @h the ifindex of the interface in our namespace, or 0 if the interface is in another
 * namespace. During host_apply() this takes effect when host_apply() has ended. */
void host_moved(struct host *h, uint32_t ifindex);

/* Undoes all settings except those that the kernel removes together with the interface, and frees
 * @h. Does nothing if @h is NULL. */
void host_free(struct host *h);

/* The functions below handle the settings that a killed daemon of @interface has left on the host,
 * according to its record in /run/wgxdp. If the daemon had a default route, its packet filter rules
 * keep the host closed: packets that would leave by another default route are dropped. host_new()
 * takes the settings over, and the first host_apply() replaces them, so that the host stays closed
 * until the new tunnel is set up. If this host_apply() fails, the host stays closed. The functions
 * do nothing if there is no record. */

/* Undoes the settings, in the network namespace of the dead daemon if the namespace still exists.
 * The caller holds the name lock. Returns 0; or -errno with @f filled in if the record cannot be
 * read, or if settings are left in it because they could not be undone. The next call then tries
 * again. A failure after which nothing is left to try is only logged. */
int host_record_undo(const char *interface, struct fault *f);
bool host_record_exists(const char *interface);
/* Returns the mark of the packets that may leave the closed host; 0 if the host is not closed. */
uint32_t host_record_mark(const char *interface);
/* Removes the DNS servers of the dead daemon, because they are behind the dead tunnel. */
void host_record_unset_dns(const char *interface);

#endif
