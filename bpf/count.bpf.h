/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * count.bpf.h - the counters. All are per CPU and a program is not preempted by another run of
 * itself on the same CPU, hence plain additions. After maps.bpf.h.
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

/* @packets of together @bytes died here for @reason. */
static __always_inline void count_drops(enum reason reason, __u64 packets, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&drops, &key), packets, bytes);
}

/* A frame of @bytes failed a check for @reason, and went on to the stack. */
static __always_inline void count_pass(enum reason reason, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&passes, &key), 1, bytes);
}

/* Data messages, or what GRO made of them, bore an index of the peer in @slot. A peer that is just
 * being removed has no element any more: nothing to count then. */
static __always_inline void count_peer_rx(__u32 slot, __u64 packets, __u64 bytes)
{
	struct peer_stats_value *v = bpf_map_lookup_elem(&peer_stats, &slot);

	if (!v)
		return;
	v->rx_packets += packets;
	v->rx_bytes += bytes;
}

/* IP packets are offered to the peer in @slot. */
static __always_inline void count_peer_tx(__u32 slot, __u64 packets, __u64 bytes)
{
	struct peer_stats_value *v = bpf_map_lookup_elem(&peer_stats, &slot);

	if (!v)
		return;
	v->tx_packets += packets;
	v->tx_bytes += bytes;
}

#endif
