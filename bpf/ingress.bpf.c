/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * ingress.bpf.c - what a NIC with a WireGuard port sees first.
 *
 *   frame ─▶ whole UDP datagram? ─ no ──────────────────────────────────────────────▶ PASS
 *              └▶ to an address and port of ours, to our MAC? ─ no ─────────────────▶ PASS
 *                   └▶ one of the four messages? ─ no ──────────────────────────────▶ refuse
 *                        ├▶ type 1 ─────────────────────────────────────────────────▶ PASS
 *                        ├▶ type 2, 3: index ours? ─ yes ─▶ PASS     no ────────────▶ refuse
 *                        └▶ type 4: index of a session? ─ yes ─▶ XSK   no ──────────▶ refuse
 *
 * PASS takes a handshake to the UDP socket and the daemon. XSK becomes PASS where the queue has no
 * socket, so that the UDP socket takes over from a worker that died.
 *
 * refuse is DROP, counted in `drops`. Only while the host forwards it is PASS, counted in `passes`:
 * NAT keeps a masqueraded client's source port, so the answer to a client's query, of whatever
 * protocol, may come to our address and our port, and only conntrack knows whose it is.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "classify.bpf.h"
#include "count.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

/* Does the host forward? Set by the daemon at any time (loader_set_forwarding()). */
bool forwarding4, forwarding6;

static __always_inline __u32 frame_len(const struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

static __always_inline int refuse(const struct xdp_md *ctx, const struct datagram *d,
				  enum reason reason)
{
	if (d->ipv6 ? forwarding6 : forwarding4) {
		count_pass(reason, frame_len(ctx));
		return XDP_PASS;
	}
	count_drop(reason, frame_len(ctx));
	return XDP_DROP;
}

/* The NIC that @d came in by, if it is addressed to us there. A host with our address may still
 * bridge or route a frame to another MAC, as VRRP does: that one is not ours. */
static __always_inline const struct nic_value *ours(const struct xdp_md *ctx,
						    const struct datagram *d)
{
	const __u16 *to = (const void *)d->eth->h_dest, *mac;
	const struct nic_value *nic;
	__u32 ifindex = ctx->ingress_ifindex;

	if (!bpf_map_lookup_elem(&listen, &d->to))
		return NULL;
	nic = bpf_map_lookup_elem(&nics, &ifindex);
	if (!nic)
		return NULL;
	mac = (const void *)nic->mac;
	return to[0] == mac[0] && to[1] == mac[1] && to[2] == mac[2] ? nic : NULL;
}

/* Into the socket of the queue. Returns XDP_REDIRECT, or XDP_PASS where there is none. */
static __always_inline int steer(const struct xdp_md *ctx, const struct nic_value *nic)
{
	if (ctx->rx_queue_index >= NIC_QUEUES_MAX)
		return XDP_PASS;
	return bpf_redirect_map(&xsks, xsks_key(nic->number, ctx->rx_queue_index), XDP_PASS);
}

SEC("xdp")
int wgxdp_ingress(struct xdp_md *ctx)
{
	struct cursor c = {
		.pos = (const void *)(long)ctx->data,
		.end = (const void *)(long)ctx->data_end,
	};
	const struct session_value *session;
	const struct nic_value *nic;
	struct datagram d;
	struct message m;
	enum reason reason;

	if (!parse_frame(&c, &d))
		return XDP_PASS;
	nic = ours(ctx, &d);
	if (!nic)
		return XDP_PASS;
	reason = classify(&c, &d, &m);
	if (reason != REASON_none)
		return refuse(ctx, &d, reason);
	if (m.type == WIRE_INITIATION)
		return XDP_PASS;

	session = bpf_map_lookup_elem(&sessions, &m.receiver);
	if (!session)
		return refuse(ctx, &d, REASON_unknown_index);
	if (m.type != WIRE_DATA)
		return XDP_PASS;
	/* Nobody can have sealed anything for an index whose handshake is not done. */
	if (session->kind != SESSION_DATA)
		return refuse(ctx, &d, REASON_unknown_index);
	count_peer(session->slot, m.len);
	return steer(ctx, nic);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
