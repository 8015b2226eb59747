/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * ingress.bpf.c - the programs that run for each packet that a NIC receives: XDP or, on a NIC
 * without XDP, TC (after GRO). Both use the checks of verdict.bpf.h. The verdict decides what
 * happens to the packet:
 *
 *              XDP                                     TC
 *   not ours   PASS                                    next program, then the stack
 *   handshake  PASS, to the UDP socket and the daemon  next program, then the daemon's UDP socket
 *   data       the AF_XDP socket of the queue          next program, then a worker's UDP socket
 *   invalid    DROP, counted in `drops`                DROP, counted in `drops`
 *
 * Data passes to the stack if the queue has no AF_XDP socket or if its worker hangs. A UDP socket
 * then receives the data. In generic XDP, datagrams that the kernel has joined pass as well,
 * because only the first of them was checked (joined.bpf.h).
 *
 * While the host forwards, an invalid packet passes and is counted in `passes`. When the host
 * masquerades a client, NAT keeps the client's source port if it can. If that port equals ours, the
 * replies to the client come to our address and port, and they may belong to any protocol over UDP.
 * Only conntrack knows that they are for the client.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "count.bpf.h"
#include "heartbeat.bpf.h"
#include "joined.bpf.h"
#include "maps.bpf.h"
#include "sample.bpf.h"
#include "skb.bpf.h"
#include "verdict.bpf.h"

/* Whether the host forwards IPv4 packets, and whether it forwards IPv6 packets. The daemon may
 * change both variables at any time (loader_set_forwarding()). */
bool forwarding4, forwarding6;

static __always_inline bool host_forwards(const struct verdict_packet *p)
{
	return p->d.ipv6 ? forwarding6 : forwarding4;
}

/* True if libxdp's dispatcher calls this program. The dispatcher stays attached when the daemon is
 * killed (chainlink.h), so the program then drops nothing while the heartbeat is stale. */
const volatile bool chained;

/* --- XDP ------------------------------------------------------------------------------------- */

/* Copies up to EVENT_HEAD_LEN bytes of the packet to @head, beginning with the IP header. Returns
 * the number of bytes. The helper bpf_xdp_load_bytes() is not used, because it needs Linux 5.18. */
static __always_inline __u16 xdp_copy_head(const struct xdp_md *ctx, __u8 *head)
{
	const __u8 *from = (const void *)(long)ctx->data + ETH_HLEN;
	const __u8 *end = (const void *)(long)ctx->data_end;
	__u32 len;

	for (len = 0; len < EVENT_HEAD_LEN && from + 1 <= end; len++)
		head[len] = *from++;
	return len;
}

static __always_inline int xdp_refuse(struct xdp_md *ctx, const struct verdict_packet *p)
{
	__u32 bytes = ctx->data_end - ctx->data;
	struct event *e;

	if (chained && !heartbeat_fresh(0, bpf_ktime_get_boot_ns()))
		return XDP_PASS; /* the daemon was killed or hangs */
	if (host_forwards(p)) {
		count_pass(p->reason, bytes);
		return XDP_PASS;
	}
	count_drops(p->reason, 1, bytes);
	e = sample_begin(p->reason, EVENT_XDP, ctx->ingress_ifindex, bytes);
	if (e) {
		e->head_len = xdp_copy_head(ctx, e->head);
		bpf_ringbuf_submit(e, 0);
	}
	return XDP_DROP;
}

/* Redirects the frame to the AF_XDP socket of its queue. Returns XDP_REDIRECT, or XDP_PASS if the
 * queue has no socket or its worker hangs. */
static __always_inline int steer(const struct xdp_md *ctx, const struct nic_value *nic)
{
	__u32 queue = ctx->rx_queue_index;

	if (queue >= NIC_QUEUES_MAX)
		return XDP_PASS;
	if (!heartbeat_fresh(nic->workers[queue], bpf_ktime_get_boot_ns())) {
		count_pass(REASON_stalled, ctx->data_end - ctx->data);
		return XDP_PASS;
	}
	return bpf_redirect_map(&xsks, xsks_key(nic->number, queue), XDP_PASS);
}

SEC("xdp")
int wgxdp_ingress(struct xdp_md *ctx)
{
	struct cursor c = {
		.pos = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
	};
	struct verdict_packet p;
	__u32 joined;

	switch (verdict_of(&c, ctx->ingress_ifindex, &p)) {
	case VERDICT_DATA:
		joined = joined_datagrams(ctx);
		count_peer_rx(p.slot, joined ? joined : 1, p.m.len);
		return joined ? XDP_PASS : steer(ctx, p.nic);
	case VERDICT_INVALID:
		return joined_datagrams(ctx) ? XDP_PASS : xdp_refuse(ctx, &p);
	default:
		return XDP_PASS;
	}
}

/* --- TC -------------------------------------------------------------------------------------- */

/* How many bytes are pulled into the linear part of the skb. verdict_of() needs more bytes only if
 * the packet has many or long extension headers. */
#define HEAD_LEN 256

/* Returns true if the packet may be UDP. The head of any other packet is not made linear, because
 * bpf_skb_pull_data() may copy the packet. */
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

/* An aggregated skb is never dropped, because only its first message was checked. While the
 * heartbeat is stale, no skb is dropped, because the daemon may have been killed, and a clsact
 * filter stays attached without its daemon. */
static __always_inline int nic_refuse(const struct __sk_buff *skb, const struct verdict_packet *p)
{
	if (skb->gso_size || !heartbeat_fresh(0, bpf_ktime_get_boot_ns()))
		return TC_ACT_UNSPEC;
	if (!host_forwards(p))
		return skb_drop(skb, EVENT_NIC, p->reason);
	count_pass(p->reason, skb->len);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int wgxdp_nic(struct __sk_buff *skb)
{
	__u32 head_len = skb->len < HEAD_LEN ? skb->len : HEAD_LEN;
	struct verdict_packet p;
	struct cursor c;

	if (skb->vlan_present || !may_be_udp(skb))
		return TC_ACT_UNSPEC;
	if (skb->data_end - skb->data < head_len)
		bpf_skb_pull_data(skb, head_len);
	c.pos = (const void *)(long)skb->data;
	c.end = (const void *)(long)skb->data_end;
	c.beyond = skb->len - (skb->data_end - skb->data);
	switch (verdict_of(&c, skb->ifindex, &p)) {
	case VERDICT_DATA:
		count_peer_rx(p.slot, skb_packets(skb), p.m.len);
		return TC_ACT_UNSPEC;
	case VERDICT_INVALID:
		return nic_refuse(skb, &p);
	default:
		return TC_ACT_UNSPEC;
	}
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
