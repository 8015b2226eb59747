/* SPDX-License-Identifier: MIT */
/*
 * path_stats.h - what the transports count for themselves, and what the kernel dropped at them.
 * A transport that is closed adds its counts to a struct of this type, so that no packet is ever
 * forgotten:
 *
 *   open transports ────────────────────────────────▶ dataplane_stats() ──▶ `wgxdp show`
 *   a transport that closes ─ path_stats_close_*() ─▶ dataplane.closed ─┘
 *
 * No packet is counted here twice. What send() refused is counted by its caller (send_failed), and
 * a write that the tunnel interface refused is counted by the worker (tun_full, down).
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
	uint64_t oversized, malformed, down; /* reasons that are counted at the transports */
	uint64_t lost[LOSS_COUNT];
};

/* Adds the counts of an open transport. Any thread. */
void path_stats_add_xsk(struct path_stats *sum, const struct transport *xsk);
void path_stats_add_udp(struct path_stats *sum, const struct transport *udp);

/* Adds the counts of a transport that is about to be closed for good, while no worker that uses it
 * runs. Messages that still wait in its buffers are counted as dropped (down), because nobody will
 * read them. */
void path_stats_close_xsk(struct path_stats *sum, struct transport *xsk);
void path_stats_close_udp(struct path_stats *sum, struct transport *udp);

#endif
