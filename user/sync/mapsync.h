/* SPDX-License-Identifier: MIT */
/*
 * mapsync.h - keeps BPF maps in sync with the state of the device and the host. Only this module
 * writes the maps in this picture:
 *
 *   device ──struct device_mirror──▶ sessions, peers, allowed4/6, mac_keys   immediately
 *   host's addresses ──────────────▶ listen                                  50 ms after a change
 *   host's forwarding sysctls ─────▶ forwarding flags of ingress.bpf.c       immediately
 *   workers' counters ─────────────▶ peer_auth                               once a second
 *
 * Without BPF, the functions have no effect. Only the control thread calls these functions.
 */
#ifndef WGXDP_MAPSYNC_H
#define WGXDP_MAPSYNC_H

#include "util/loop.h"
#include "wg/device.h"

struct loader;
struct netlink;

/* All pointers are borrowed and outlive the module. */
struct mapsync_config {
	struct loop *loop;
	struct loader *loader; /* NULL = no BPF */
	struct device *device;
	struct netlink *netlink;
	unsigned worker_count;
	bool strict; /* --strict: drop invalid packets even if the host may forward them */
};

struct mapsync {
	struct mapsync_config config;
	uint16_t port; /* port (host order) whose packets XDP handles; 0 = none */
	struct loop_timer listen_timer, counters_timer;
	uint32_t counters_slot; /* next slot of the pass over the counters; 0 = no pass runs */
};

/* The callbacks for device_init() that copy changes of the device to the maps. Their context is a
 * struct mapsync, which may be all zero at the time of device_init(). */
extern const struct device_mirror mapsync_mirror;

void mapsync_init(struct mapsync *m, const struct mapsync_config *config);
void mapsync_done(struct mapsync *m); /* does nothing if never initialized */

/* Updates the map `peers`, because the endpoint, name or last handshake of @p changed. */
void mapsync_peer_changed(struct mapsync *m, const struct peer *p);

/* Makes XDP handle packets to @port at this host's addresses. 0 = XDP passes all packets. */
void mapsync_listen(struct mapsync *m, uint16_t port);
/* Schedules an update of the map `listen`, because an address or a link of the host changed. */
void mapsync_addresses_changed(struct mapsync *m);
/* Updates the forwarding flags of XDP, because a forwarding sysctl of the host changed. */
void mapsync_forwarding(struct mapsync *m);

#endif
