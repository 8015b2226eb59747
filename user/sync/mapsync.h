/* SPDX-License-Identifier: MIT */
/*
 * mapsync.h - the BPF maps mirror the device and the host; this is their only writer.
 *
 *   device ──struct device_mirror──▶ sessions, peers, allowed4/6, mac_keys   at once
 *   host's addresses ──────────────▶ listen                                  50 ms after a change
 *   host's forwarding sysctls ─────▶ the programs' switches                  at once
 *   workers' byte counters ────────▶ peer_auth                               once a second
 *
 * Every function does nothing where there is no BPF. Control thread.
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
	struct loader *loader; /* NULL without BPF */
	struct device *device;
	struct netlink *netlink;
	unsigned worker_count;
	bool strict; /* drop what fails a check even if the host forwards */
};

struct mapsync {
	struct mapsync_config config;
	uint16_t port; /* that XDP takes packets for, host order; 0: none */
	struct loop_timer listen_timer, counters_timer;
	uint32_t counters_slot; /* where the pass over the counters goes on; 0: none is under way */
};

/* For device_init(); its context is a struct mapsync, which may still be all zero. */
extern const struct device_mirror mapsync_mirror;

void mapsync_init(struct mapsync *m, const struct mapsync_config *config);
void mapsync_done(struct mapsync *m); /* fine if never initialized */

/* Endpoint, name or last handshake of a peer changed. */
void mapsync_peer_changed(struct mapsync *m, const struct peer *p);

/* XDP takes packets to @port at this host's addresses from now on; 0: it passes all of them. */
void mapsync_listen(struct mapsync *m, uint16_t port);
/* An address or a link of the host changed. */
void mapsync_addresses_changed(struct mapsync *m);
/* A forwarding sysctl of the host changed. */
void mapsync_forwarding(struct mapsync *m);

#endif
