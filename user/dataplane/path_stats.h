/* SPDX-License-Identifier: MIT */
/*
 * path_stats.h - what the outside paths count for themselves, and what the kernel dropped at them.
 * Private to user/daemon. A path that is closed leaves its counts behind (node.closed), so that no
 * packet is ever forgotten:
 *
 *   open paths ──────────────────────────────▶ path_stats_sum() ──▶ `show`
 *   one that ends ─ path_stats_close_*() ─▶ node.closed ─┘
 *
 * No packet stands in it twice: what send() refused is its caller's to count (send_failed), a write
 * that the tunnel interface refused is the worker's (tun_full, down).
 */
#ifndef WGXDP_PATH_STATS_H
#define WGXDP_PATH_STATS_H

#include "io/transport.h"
#include "wgxdp/control.h"

struct daemon;

enum loss {
#define X(name, sentence) LOSS_##name,
	FOREACH_LOSS(X)
#undef X
		LOSS_COUNT
};

struct path_stats {
	uint64_t xsk_rx_packets, xsk_tx_packets; /* data messages */
	uint64_t udp_rx_packets, udp_tx_packets;
	uint64_t oversized, malformed; /* reasons that the paths count themselves */
	uint64_t lost[LOSS_COUNT];
};

/* To be called just before @o is closed for good, when no worker runs that has it: keeps its counts, and
 * counts what still waits in its buffers, which nobody will read, as dropped. */
void path_stats_close_xsk(struct daemon *n, struct transport *o);
void path_stats_close_udp(struct daemon *n, struct transport *o);

/* All paths that @n has or had. @refused: writes that the tunnel interface refused, which it counts
 * as well. */
void path_stats_sum(const struct daemon *n, uint64_t refused, struct path_stats *l);

#endif
