/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * count.bpf.h - updates the counters. All counters are per CPU, and no run of a program is
 * interrupted by another run of the same program on the same CPU, so plain additions are safe.
 */
#ifndef WGXDP_COUNT_BPF_H
#define WGXDP_COUNT_BPF_H

#include "maps.bpf.h"

static __always_inline void count_into(struct drops_value *v, __u64 packets, __u64 bytes)
{
	if (!v)
		return;
	v->packets += packets;
	v->bytes += bytes;
}

/* Counts @packets packets, @bytes in total, that were dropped for @reason. */
static __always_inline void count_drops(enum reason reason, __u64 packets, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&drops, &key), packets, bytes);
}

/* Counts a frame of @bytes that was passed to the stack for @reason. */
static __always_inline void count_pass(enum reason reason, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&passes, &key), 1, bytes);
}

/* Counts the data messages that were received for a session of the peer in @slot: @packets messages
 * with @bytes of UDP payload in total (GRO may have joined several into one skb). Counts nothing if
 * the peer is being removed and its element of `peer_stats` is already gone. */
static __always_inline void count_peer_rx(__u32 slot, __u64 packets, __u64 bytes)
{
	struct peer_stats_value *v = bpf_map_lookup_elem(&peer_stats, &slot);

	if (!v)
		return;
	v->rx_packets += packets;
	v->rx_bytes += bytes;
}

/* Counts @packets inner IP packets, @bytes in total, that the host sent to the peer in @slot. */
static __always_inline void count_peer_tx(__u32 slot, __u64 packets, __u64 bytes)
{
	struct peer_stats_value *v = bpf_map_lookup_elem(&peer_stats, &slot);

	if (!v)
		return;
	v->tx_packets += packets;
	v->tx_bytes += bytes;
}

#endif
