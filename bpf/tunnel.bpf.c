/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * tunnel.bpf.c - enforces allowed IPs in both directions of the tunnel interface.
 *
 *   host ──▶ wg0 ─ egress: is the destination an allowed IP? ─ yes, counted for its peer ─▶ worker
 *                    └─ no: a few per second pass, so that the daemon can answer with ICMP errors.
 *                       The rest are dropped here, before they wake the worker.
 *
 *   worker ─ tun_writer[queue] = slot; write ─▶ wg0 ─ ingress: does the source belong to the peer
 *                                                       │      in that slot? ─ yes ─▶ host
 *                                                       └─ no: dropped. The worker and the
 *                                                              allowed-IP maps disagree.
 *
 * A write to a TUN queue runs the ingress hook within the same system call, so tun_writer[] holds
 * the slot of this packet's peer. The check catches errors of a worker, but not a malicious worker.
 *
 * The ingress hook also sees two kinds of packets outside of a write:
 *   - The host's own multicast and broadcast, which the stack loops back to local members. These
 *     packets pass. Only the stack can give a packet the type PACKET_LOOPBACK.
 *   - With RPS on the interface, the kernel queues packets for another CPU, and the hook runs after
 *     the write. tun_writer[] may then hold the slot of a later packet. RPS computes a hash of
 *     every packet that it queues, and a packet straight from a TUN write has none, so the hash
 *     reveals RPS. A packet with a hash passes if its source belongs to any peer. In this case only
 *     the worker has checked that the source belongs to the packet's peer.
 *
 * Packets have no Ethernet header here, except under BPF_PROG_TEST_RUN. All offsets therefore count
 * from the IP header.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "count.bpf.h"
#include "maps.bpf.h"
#include "skb.bpf.h"

/* Of the packets whose destination belongs to no peer, at most this many per second reach the
 * worker. The worker has a further limit for ICMP errors (path/chain.h). */
#define NO_PEER_PER_S 50

static __u64 no_peer_limit;

/* Packets that RPS has queued. The number is not exact; the daemon only checks whether it changes
 * (loader_tunnel_steered()). */
__u64 rps_packets;

/* Looks up the address at offset @at4 of the IPv4 header or @at6 of the IPv6 header. Returns the
 * slot of the peer that has the longest matching prefix, or SLOT_NONE. */
static __always_inline __u32 peer_of(struct __sk_buff *skb, __u32 at4, __u32 at6)
{
	struct allowed4_key key4 = { .length = 32 };
	struct allowed6_key key6 = { .length = 128 };
	__u32 *slot = NULL;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (skb_read_ip(skb, at4, key4.address, sizeof(key4.address)))
			slot = bpf_map_lookup_elem(&allowed4, &key4);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (skb_read_ip(skb, at6, key6.address, sizeof(key6.address)))
			slot = bpf_map_lookup_elem(&allowed6, &key6);
	}
	return slot ? *slot : SLOT_NONE;
}

/* --- egress ---------------------------------------------------------------------------------- */

/* Returns true if the daemon may answer the packet with an ICMP error: if the packet is IP, and
 * neither multicast nor broadcast. */
static __always_inline bool answerable(struct __sk_buff *skb)
{
	__u8 first;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		return skb_read_ip(skb, offsetof(struct iphdr, daddr), &first, 1) && first < 224;
	return skb->protocol == bpf_htons(ETH_P_IPV6) &&
	       skb_read_ip(skb, offsetof(struct ipv6hdr, daddr), &first, 1) && first != 0xff;
}

SEC("tc")
int wgxdp_egress(struct __sk_buff *skb)
{
	__u32 slot = peer_of(skb, offsetof(struct iphdr, daddr), offsetof(struct ipv6hdr, daddr));

	if (slot != SLOT_NONE) {
		count_peer_tx(slot, skb_packets(skb), skb->len);
		return TC_ACT_UNSPEC;
	}
	if (answerable(skb) && limit_take(&no_peer_limit, NO_PEER_PER_S))
		return TC_ACT_UNSPEC;
	return skb_drop(skb, EVENT_EGRESS, REASON_no_peer);
}

/* --- ingress --------------------------------------------------------------------------------- */

/* Returns the slot that the worker of the packet's TUN queue has stored, or SLOT_NONE. */
static __always_inline __u32 writer_slot(const struct __sk_buff *skb)
{
	/* If queue_mapping is 0, the packet has no queue. The key is then 2^32 - 1, which is not in
	 * the map. */
	__u32 queue = skb->queue_mapping - 1;
	__u64 *slot = bpf_map_lookup_elem(&tun_writer, &queue);

	return slot ? *(volatile __u64 *)slot : SLOT_NONE;
}

static __always_inline bool source_allowed(struct __sk_buff *skb)
{
	__u32 slot = writer_slot(skb);
	__u32 peer = peer_of(skb, offsetof(struct iphdr, saddr), offsetof(struct ipv6hdr, saddr));

	if (skb->hash)
		rps_packets++;
	return peer != SLOT_NONE && (skb->hash || slot == peer);
}

SEC("tc")
int wgxdp_inject(struct __sk_buff *skb)
{
	if (skb->pkt_type == PACKET_LOOPBACK || source_allowed(skb))
		return TC_ACT_UNSPEC;
	return skb_drop(skb, EVENT_INGRESS, REASON_inject_mismatch);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
