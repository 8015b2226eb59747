/* SPDX-License-Identifier: MIT */
#include "dataplane/path_stats.h"

#include "daemon/daemon.h"
#include "io/afxdp.h"
#include "io/udp.h"
#include "util/counter.h"

/* More than buffers hold is not waited for: the port may be flooded. */
#define LEFT_BATCHES_MAX 1024

static void add_xsk(struct path_stats *l, const struct transport *o)
{
	struct afxdp_drops drops = { 0 };

	l->xsk_rx_packets += counter_read(&o->stats.rx_packets);
	l->xsk_tx_packets += counter_read(&o->stats.tx_packets);
	l->malformed += counter_read(&o->stats.rx_malformed);
	l->oversized += counter_read(&o->stats.rx_oversized);
	l->lost[LOSS_xsk_tx] += counter_read(&o->stats.tx_dropped);
	if (afxdp_drops(o, &drops))
		return;
	/* An empty fill ring drops as rx_dropped: rx_fill_ring_empty only says why. */
	l->lost[LOSS_xsk_rx] += drops.rx_dropped + drops.rx_ring_full;
	l->lost[LOSS_xsk_tx] += drops.tx_invalid_descs;
}

static void add_udp(struct path_stats *l, const struct transport *o)
{
	l->udp_rx_packets += counter_read(&o->stats.rx_packets);
	l->udp_tx_packets += counter_read(&o->stats.tx_packets);
	l->malformed += counter_read(&o->stats.rx_malformed);
	l->oversized += counter_read(&o->stats.rx_oversized);
	l->lost[LOSS_udp_rx] += udp_socket_drops(o);
}

static void count_left(struct daemon *n, struct transport *o)
{
	struct rx_frame frames[FRAME_BATCH];
	unsigned got = 1;

	for (unsigned i = 0; i < LEFT_BATCHES_MAX && got; i++) {
		got = o->ops->recv(o, frames, FRAME_BATCH);
		n->device.counts[REASON_down] += got;
		o->ops->sweep(o);
	}
}

void path_stats_close_xsk(struct daemon *n, struct transport *o)
{
	count_left(n, o);
	n->closed.lost[LOSS_xsk_tx] += o->unsent;
	add_xsk(&n->closed, o);
}

void path_stats_close_udp(struct daemon *n, struct transport *o)
{
	count_left(n, o);
	add_udp(&n->closed, o);
}

static void add_tunnel(const struct daemon *n, uint64_t refused, struct path_stats *l)
{
	struct netlink_drops drops;

	if (!n->tun_netlink || netlink_link_drops(n->tun_netlink, n->tun.ifindex, &drops))
		return;
	l->lost[LOSS_tun_tx] += drops.tx_dropped;
	if (drops.rx_dropped > refused)
		l->lost[LOSS_tun_rx] += drops.rx_dropped - refused;
}

void path_stats_sum(const struct daemon *n, uint64_t refused, struct path_stats *l)
{
	*l = n->closed;
	for (unsigned i = 0; i < n->nic_count; i++)
		for (unsigned q = 0; q < n->nics[i].queue_count; q++)
			add_xsk(l, n->nics[i].queues[q]);
	if (n->udp.leader)
		add_udp(l, n->udp.leader);
	for (unsigned i = 0; i < n->worker_count; i++)
		if (n->udp.members[i])
			add_udp(l, n->udp.members[i]);
	add_tunnel(n, refused, l);
}
