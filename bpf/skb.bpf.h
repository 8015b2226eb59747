/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * skb.bpf.h - functions that the TC programs share. The programs accept a packet by returning
 * TC_ACT_UNSPEC, which equals TCX_NEXT, so that other programs on the hook run as well.
 */
#ifndef WGXDP_SKB_BPF_H
#define WGXDP_SKB_BPF_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "count.bpf.h"
#include "sample.bpf.h"

/* Reads @len bytes of the packet. @offset counts from the IP header, whether or not the packet has
 * an Ethernet header. Returns false if the packet is shorter. */
static __always_inline bool skb_read_ip(const struct __sk_buff *skb, __u32 offset, void *to,
					__u32 len)
{
	return !bpf_skb_load_bytes_relative(skb, offset, to, len, BPF_HDR_START_NET);
}

/* Returns the number of packets on the wire: the packets that GRO has joined into @skb, or the
 * packets into which GSO will split @skb. */
static __always_inline __u64 skb_packets(const struct __sk_buff *skb)
{
	return skb->gso_segs ? skb->gso_segs : 1;
}

/* Counts and samples a drop. Returns TC_ACT_SHOT. */
static __always_inline int skb_drop(const struct __sk_buff *skb, enum event_hook hook,
				    enum reason reason)
{
	struct event *e = sample_begin(reason, hook, skb->ifindex, skb->len);
	__u32 head_len;

	if (e) {
		head_len = sample_head_len(skb->len);
		/* If skb->len includes the Ethernet header, head_len may exceed the length of a
		 * short IP packet. The read then fails, and the sample has no head. */
		if (skb_read_ip(skb, 0, e->head, head_len))
			e->head_len = head_len;
		bpf_ringbuf_submit(e, 0);
	}
	count_drops(reason, skb_packets(skb), skb->len);
	return TC_ACT_SHOT;
}

#endif
