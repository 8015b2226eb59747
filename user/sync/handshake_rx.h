/* SPDX-License-Identifier: MIT */
/*
 * handshake_rx.h - receives handshake messages and the workers' notes (short reports about a peer),
 * and limits how many of them one turn of the event loop handles:
 *
 *   worker 0..n ─▶ hand-off: notes ───────────────────────▶ device, nexthops, diag
 *               ├▶ hand-off: unsent packets ──────────────▶ icmp_sender
 *               └▶ hand-off: messages ──┐
 *   leader of the UDP group ─▶ inbox ───┴─▶ MESSAGES_PER_TURN ─▶ device_handshake_input
 *
 * The leader is a pair of UDP sockets (dataplane/udp_group.h). If there is only one worker, that
 * worker reads the leader, and the inbox stays empty.
 *
 * If the ring of notes is full, a worker drops the note. The note may have been the only request
 * for a handshake. So the control thread then checks all peers, a part of them in each turn.
 *
 * Each queue has room for HANDSHAKE_QUEUE_LEN messages. The device is under load ([W]
 * 5.3) while a queue has UNDER_LOAD_QUEUE_LEN messages or more, and for UNDER_LOAD_AFTER_S
 * afterwards. Only the control thread calls these functions.
 */
#ifndef WGXDP_HANDSHAKE_RX_H
#define WGXDP_HANDSHAKE_RX_H

#include "dataplane/dataplane.h"
#include "sync/diag.h"
#include "sync/nexthops.h"
#include "sync/tunnel.h"

/* All pointers are borrowed and outlive the module. */
struct handshake_rx_config {
	struct loop *loop;
	struct device *device;
	struct dataplane *dataplane;
	struct nexthops *nexthops;
	const struct tunnel *tunnel;
	struct diag *diag;
};

struct handshake_rx {
	struct handshake_rx_config config;
	struct handoff *inbox; /* messages that arrived at the leader of the UDP group */
	struct handshake_rx_source {
		struct handshake_rx *rx;
		struct handoff *handoff;
	} sources[WORKERS_MAX];
	unsigned source_count;
	int leader_fd;		      /* -1 = not watched */
	struct loop_timer rest_timer; /* armed while messages, notes or peers to check are left */
	uint64_t under_load_until_ns;
	uint32_t catch_up_slot; /* after notes were lost: slot of the next peer to check */
	uint32_t catch_up_left; /* number of slots that are still to be checked */
};

/* Returns 0 or -ENOMEM. */
int handshake_rx_init(struct handshake_rx *rx, const struct handshake_rx_config *config);
void handshake_rx_done(struct handshake_rx *rx); /* does nothing if never initialized */

/* Watches the workers' hand-offs. Returns 0 or -errno. */
int handshake_rx_watch(struct handshake_rx *rx);

/* Watches the leader of the current UDP group. Does nothing if there is only one worker, because
 * that worker reads the leader. Returns 0 or -errno. */
int handshake_rx_watch_leader(struct handshake_rx *rx);
void handshake_rx_unwatch_leader(struct handshake_rx *rx); /* does nothing if it is not watched */

#endif
