/* SPDX-License-Identifier: MIT */
/*
 * path_stats.h - sums of the counts of transports, and of the packets that the kernel dropped at
 * their sockets. Before a transport is closed, its counts are added to dataplane.closed, so that no
 * packet is forgotten:
 *
 *   open transports ────────────────────────────────▶ dataplane_stats() ──▶ `wgxdp show`
 *   a transport that closes ─ path_stats_close_*() ─▶ dataplane.closed ─┘
 *
 * No packet is counted twice: a packet that send() refused is counted by the caller of send()
 * (send_failed), and a packet that the tunnel interface refused is counted by the worker (tun_full,
 * down).
 */
#ifndef WGXDP_PATH_STATS_H
#define WGXDP_PATH_STATS_H

#include "io/transport.h"
#include "wgxdp/control.h"

enum loss {
#define X(name, sentence) LOSS_##name,
	FOREACH_LOSS(X)
#undef X
		LOSS_COUNT
};

struct path_stats {
	uint64_t xsk_rx_packets, xsk_tx_packets; /* data messages */
	uint64_t udp_rx_packets, udp_tx_packets;
	uint64_t in_flight; /* messages in AF_XDP sockets that the NIC has not sent yet */
	uint64_t oversized, malformed, down; /* drops at the transports, by reason */
	uint64_t lost[LOSS_COUNT];
};

/* Adds the counts of an open transport. Any thread may call this. */
void path_stats_add_xsk(struct path_stats *sum, const struct transport *xsk);
void path_stats_add_udp(struct path_stats *sum, const struct transport *udp);

/* Adds the counts of a transport that is about to be closed. The workers that use the transport
 * must be stopped. Counts messages that are still in its buffers as dropped (down). Gives the NIC a
 * short time to send the messages that the kernel has accepted, and counts as lost (xsk_tx) those
 * that are not sent in this time. */
void path_stats_close_xsk(struct path_stats *sum, struct transport *xsk);
void path_stats_close_udp(struct path_stats *sum, struct transport *udp);

#endif
