/* SPDX-License-Identifier: MIT */
#include "dataplane/path_stats.h"

#include <time.h>

#include "io/afxdp.h"
#include "io/udp.h"
#include "util/counter.h"
#include "wgxdp/limits.h"

/* How many batches are read at most from a socket that is about to be closed. There is a limit,
 * because the socket of a flooded port never becomes empty. */
#define LEFT_BATCHES_MAX 1024

/* How often, and for how long each time, to wait for completions: up to 20 ms. A NIC sends a frame
 * within microseconds, but some NICs report completions in batches. */
#define COMPLETION_PAUSE_NS (NS_PER_S / 1000)
#define COMPLETION_PAUSES 20

void path_stats_add_xsk(struct path_stats *sum, const struct transport *xsk)
{
	struct afxdp_drops drops = { 0 };

	sum->xsk_rx_packets += counter_read(&xsk->stats.rx_packets);
	sum->xsk_tx_packets += counter_read(&xsk->stats.tx_packets);
	sum->malformed += counter_read(&xsk->stats.rx_malformed);
	sum->oversized += counter_read(&xsk->stats.rx_oversized);
	sum->lost[LOSS_xsk_tx] += counter_read(&xsk->stats.tx_dropped);
	sum->in_flight += counter_read(&xsk->stats.tx_in_flight);
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

/* Waits for a limited time until the NIC has completed the frames that the kernel has taken from
 * the tx ring. Does not wait for frames that are still in the ring: if the NIC no longer sends, the
 * kernel never takes them. Returns the number of frames that were not sent. */
static uint64_t wait_for_completions(struct transport *xsk)
{
	const struct timespec pause = { .tv_nsec = COMPLETION_PAUSE_NS };
	uint64_t in_flight = counter_read(&xsk->stats.tx_in_flight);

	for (unsigned i = 0; i < COMPLETION_PAUSES && in_flight > xsk->unsent; i++) {
		nanosleep(&pause, NULL);
		xsk->ops->sweep(xsk);
		in_flight = counter_read(&xsk->stats.tx_in_flight);
	}
	return in_flight;
}

void path_stats_close_xsk(struct path_stats *sum, struct transport *xsk)
{
	uint64_t in_flight;

	sum->down += count_unread(xsk);
	in_flight = wait_for_completions(xsk);
	path_stats_add_xsk(sum, xsk);
	sum->lost[LOSS_xsk_tx] += in_flight;
	sum->in_flight -= in_flight;
}

void path_stats_close_udp(struct path_stats *sum, struct transport *udp)
{
	sum->down += count_unread(udp);
	path_stats_add_udp(sum, udp);
}
