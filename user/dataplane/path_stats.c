/* SPDX-License-Identifier: MIT */
#include "dataplane/path_stats.h"

#include "io/afxdp.h"
#include "io/udp.h"
#include "util/counter.h"

/* Reading stops after this many batches, because a flooded port never becomes empty. */
#define LEFT_BATCHES_MAX 1024

void path_stats_add_xsk(struct path_stats *sum, const struct transport *xsk)
{
	struct afxdp_drops drops = { 0 };

	sum->xsk_rx_packets += counter_read(&xsk->stats.rx_packets);
	sum->xsk_tx_packets += counter_read(&xsk->stats.tx_packets);
	sum->malformed += counter_read(&xsk->stats.rx_malformed);
	sum->oversized += counter_read(&xsk->stats.rx_oversized);
	sum->lost[LOSS_xsk_tx] += counter_read(&xsk->stats.tx_dropped);
	if (afxdp_drops(xsk, &drops))
		return;
	/* rx_fill_ring_empty is not added, because rx_dropped includes these drops. */
	sum->lost[LOSS_xsk_rx] += drops.rx_dropped + drops.rx_ring_full;
	sum->lost[LOSS_xsk_tx] += drops.tx_invalid_descs;
}

void path_stats_add_udp(struct path_stats *sum, const struct transport *udp)
{
	sum->udp_rx_packets += counter_read(&udp->stats.rx_packets);
	sum->udp_tx_packets += counter_read(&udp->stats.tx_packets);
	sum->malformed += counter_read(&udp->stats.rx_malformed);
	sum->oversized += counter_read(&udp->stats.rx_oversized);
	sum->lost[LOSS_udp_rx] += udp_socket_drops(udp);
}

static uint64_t count_unread(struct transport *transport)
{
	struct rx_frame frames[FRAME_BATCH];
	unsigned got = 1;
	uint64_t unread = 0;

	for (unsigned i = 0; i < LEFT_BATCHES_MAX && got; i++) {
		got = transport->ops->recv(transport, frames, FRAME_BATCH);
		unread += got;
		transport->ops->sweep(transport);
	}
	return unread;
}

void path_stats_close_xsk(struct path_stats *sum, struct transport *xsk)
{
	sum->down += count_unread(xsk);
	sum->lost[LOSS_xsk_tx] += xsk->unsent;
	path_stats_add_xsk(sum, xsk);
}

void path_stats_close_udp(struct path_stats *sum, struct transport *udp)
{
	sum->down += count_unread(udp);
	path_stats_add_udp(sum, udp);
}
