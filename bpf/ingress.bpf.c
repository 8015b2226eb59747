/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * ingress.bpf.c - what a NIC with a WireGuard port sees first: XDP, or where that is not to be had
 * TC, behind GRO. The checks are the same (verdict.bpf.h); what becomes of the packet:
 *
 *              XDP                                     TC
 *   foreign    PASS                                    on
 *   handshake  PASS, to the UDP socket and the daemon  on
 *   data       the AF_XDP socket of the queue          on, to the UDP socket and a worker
 *   bad        DROP, counted in `drops`                likewise
 *
 * Data passes, too, where the queue has no AF_XDP socket or its worker hangs, so that the UDP socket
 * takes over.
 *
 * While the host forwards, bad is PASS, counted in `passes`: NAT keeps a masqueraded client's source
 * port, so the answer to a client's query, of whatever protocol, may come to our address and our
 * port, and only conntrack knows whose it is.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "count.bpf.h"
#include "heartbeat.bpf.h"
#include "maps.bpf.h"
#include "sample.bpf.h"
#include "skb.bpf.h"
#include "verdict.bpf.h"

/* Does the host forward? Set by the daemon at any time (loader_set_forwarding()). */
bool forwarding4, forwarding6;

static __always_inline bool forwards(const struct verdict_packet *j)
{
	return j->d.ipv6 ? forwarding6 : forwarding4;
}

/* In libxdp's dispatcher, where the program outlives a daemon that is killed (chainlink.h). */
const volatile bool chained;

/* --- XDP ------------------------------------------------------------------------------------- */

static __always_inline int xdp_refuse(struct xdp_md *ctx, const struct verdict_packet *j)
{
	__u32 bytes = ctx->data_end - ctx->data, head_len;
	struct event *e;

	if (chained && !heartbeat_fresh(0, bpf_ktime_get_boot_ns()))
		return XDP_PASS; /* nobody has asked for anything to be refused */
	if (forwards(j)) {
		count_pass(j->reason, bytes);
		return XDP_PASS;
	}
	count_drops(j->reason, 1, bytes);
	e = sample_begin(j->reason, EVENT_XDP, ctx->ingress_ifindex, bytes);
	if (!e)
		return XDP_DROP;
	/* Whole headers are there, or it would not be ours. */
	head_len = sample_head_len(bytes - ETH_HLEN);
	if (!bpf_xdp_load_bytes(ctx, ETH_HLEN, e->head, head_len))
		e->head_len = head_len;
	bpf_ringbuf_submit(e, 0);
	return XDP_DROP;
}

/* Into the socket of the queue. Returns XDP_REDIRECT, or XDP_PASS where there is none. */
static __always_inline int steer(const struct xdp_md *ctx, const struct nic_value *nic)
{
	__u32 queue = ctx->rx_queue_index;

	if (queue >= NIC_QUEUES_MAX ||
	    !heartbeat_fresh(nic->workers[queue], bpf_ktime_get_boot_ns()))
		return XDP_PASS;
	return bpf_redirect_map(&xsks, xsks_key(nic->number, queue), XDP_PASS);
}

SEC("xdp")
int wgxdp_ingress(struct xdp_md *ctx)
{
	struct cursor c = {
		.pos = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
	};
	struct verdict_packet j;

	switch (verdict_of(&c, ctx->ingress_ifindex, &j)) {
	case VERDICT_DATA:
		count_peer_rx(j.slot, 1, j.m.len);
		return steer(ctx, j.nic);
	case VERDICT_BAD:
		return xdp_refuse(ctx, &j);
	default:
		return XDP_PASS;
	}
}

/* --- TC -------------------------------------------------------------------------------------- */

/* What verdict_of() reads of a packet with few extension headers. */
#define HEAD_LEN 256

/* Not every packet of the host is worth the copy that makes it linear. */
static __always_inline bool may_be_udp(const struct __sk_buff *skb)
{
	__u8 next = 0xff;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		return skb_read_ip(skb, offsetof(struct iphdr, protocol), &next, 1) &&
		       next == IPPROTO_UDP;
	return skb->protocol == bpf_htons(ETH_P_IPV6) &&
	       skb_read_ip(skb, offsetof(struct ipv6hdr, nexthdr), &next, 1) &&
	       (next == IPPROTO_UDP || parse_is_extension(next));
}

/* To what has the bytes of an aggregated packet the judgement applies is not known: only the first
 * of its messages was looked at. And a filter may outlive its daemon: without a worker that beats,
 * nobody has asked for anything to be refused. */
static __always_inline int nic_refuse(const struct __sk_buff *skb, const struct verdict_packet *j)
{
	if (skb->gso_size || !heartbeat_fresh(0, bpf_ktime_get_boot_ns()))
		return TC_ACT_UNSPEC;
	if (!forwards(j))
		return skb_drop(skb, EVENT_NIC, j->reason);
	count_pass(j->reason, skb->len);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wgxdp_nic(struct __sk_buff *skb)
{
	__u32 head_len = skb->len < HEAD_LEN ? skb->len : HEAD_LEN;
	struct verdict_packet j;
	struct cursor c;

	if (skb->vlan_present || !may_be_udp(skb))
		return TC_ACT_UNSPEC;
	if (skb->data_end - skb->data < head_len)
		bpf_skb_pull_data(skb, head_len);
	c.pos = (const void *)(long)skb->data;
	c.end = (const void *)(long)skb->data_end;
	c.beyond = skb->len - (skb->data_end - skb->data);
	switch (verdict_of(&c, skb->ifindex, &j)) {
	case VERDICT_DATA:
		count_peer_rx(j.slot, skb_packets(skb), j.m.len);
		return TC_ACT_UNSPEC;
	case VERDICT_BAD:
		return nic_refuse(skb, &j);
	default:
		return TC_ACT_UNSPEC;
	}
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
