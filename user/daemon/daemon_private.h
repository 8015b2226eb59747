/* SPDX-License-Identifier: MIT */
/*
 * daemon_private.h - shared by daemon.c (composes the modules, runs them, takes them down) and
 * daemon_events.c (handles the events that the modules report).
 */
#ifndef WGXDP_DAEMON_PRIVATE_H
#define WGXDP_DAEMON_PRIVATE_H

#include "daemon/config_follow.h"
#include "daemon/core.h"
#include "daemon/crash_record.h"
#include "daemon/device_ops.h"
#include "daemon/ending.h"
#include "daemon/names.h"
#include "daemon/sockets.h"
#include "daemon/watchdog.h"
#include "host/host.h"
#include "io/netlink.h"
#include "sync/handshake_rx.h"
#include "sync/host_watch.h"

struct daemon {
	const struct options *options;
	struct ending ending;
	int lock_fd; /* lock of the interface's name; -1 = not locked */
	struct crash_record record;
	struct loop *loop;
	struct netlink *netlink; /* netlink socket in the namespace where the daemon started */
	struct core core;
	struct device_ops_env env;
	struct tun tun;
	struct dataplane dataplane;
	struct mapsync mapsync;
	struct nexthops nexthops;
	struct names names;
	struct host_watch host_watch;
	struct tunnel tunnel;
	struct handshake_rx handshake_rx;
	struct diag diag;
	struct sockets sockets;
	struct config_follow follow;
	struct watchdog watchdog;
};

/* The functions that modules call with the struct daemon as their context. */
extern const struct tunnel_ops daemon_tunnel_ops;
extern const struct host_ops daemon_host_ops;
extern const struct dataplane_ops daemon_dataplane_ops;

/* Records that the kernel now manages the neighbour entry @next for us or, if @managed is false, no
 * longer does. If this daemon is killed, the next daemon of the interface releases the entry. */
void daemon_neighbour_managed(void *ctx, const struct encap_next *next, bool managed);

/* Stops the data plane, if it is up. */
void daemon_link_down(void *ctx);

#endif
