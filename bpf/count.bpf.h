/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * count.bpf.h - the counters. All are per CPU and a program is not preempted by another run of
 * itself on the same CPU, hence plain additions. After maps.bpf.h.
 */
#ifndef WGXDP_COUNT_BPF_H
#define WGXDP_COUNT_BPF_H

#include "maps.bpf.h"

static __always_inline void count_into(struct drops_value *v, __u64 bytes)
{
	if (!v)
		return;
	v->packets++;
	v->bytes += bytes;
}

/* A frame of @bytes died here for @reason. */
static __always_inline void count_drop(enum reason reason, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&drops, &key), bytes);
}

/* A frame of @bytes failed a check for @reason, and went on to the stack. */
static __always_inline void count_pass(enum reason reason, __u64 bytes)
{
	__u32 key = reason;

	count_into(bpf_map_lookup_elem(&passes, &key), bytes);
}

/* A data message of @bytes bore an index of the peer in @slot. A peer that is just being removed
 * has no element any more: nothing to count then. */
static __always_inline void count_peer(__u32 slot, __u64 bytes)
{
	struct peer_stats_value *v = bpf_map_lookup_elem(&peer_stats, &slot);

	if (!v)
		return;
	v->rx_packets++;
	v->rx_bytes += bytes;
}

#endif
