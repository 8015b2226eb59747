/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * verdict.bpf.h - the checks of a packet that a NIC received. XDP and TC share the checks, which
 * run in this order:
 *
 *   whole UDP datagram? ─ no ─────────────────────────────────▶ not ours
 *     └▶ to an address and port of ours, to our MAC? ─ no ────▶ not ours
 *          └▶ one of the four messages? ─ no ─────────────────▶ invalid: malformed
 *               ├▶ type 1 ──────────────────────┬▶ mac1? ─ no ▶ invalid: bad_mac1
 *               ├▶ type 2: index known? ── yes ─┘    └ yes ───▶ handshake
 *               ├▶ type 3: index known? ── yes ───────────────▶ handshake
 *               └▶ type 4: of a session? ─ yes ───────────────▶ data
 *                    └ no, of types 2, 3 and 4 ───────────────▶ invalid: unknown_index
 */
#ifndef WGXDP_VERDICT_BPF_H
#define WGXDP_VERDICT_BPF_H

#include "classify.bpf.h"
#include "mac.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

enum verdict {
	VERDICT_NOT_OURS,  /* not a UDP datagram to us, or the message is not in the linear data */
	VERDICT_HANDSHAKE, /* a handshake message, which goes to the daemon */
	VERDICT_DATA,	   /* has the receiver index of a session */
	VERDICT_INVALID,   /* addressed to us, but failed a check */
};

struct verdict_packet {
	struct datagram d;
	struct message m;
	const struct nic_value *nic;
	__u32 slot;	    /* VERDICT_DATA: slot of the peer */
	enum reason reason; /* VERDICT_INVALID: why */
};

/* Returns the NIC with @ifindex if @d is addressed to us on that NIC, else NULL. The destination
 * MAC must match as well, because a frame to one of our IP addresses but to another MAC is not for
 * us: a bridge may forward the frame, or the MAC may belong to VRRP. */
static __always_inline const struct nic_value *verdict_nic(const struct datagram *d, __u32 ifindex)
{
	const __u16 *to = (const void *)d->eth->h_dest, *mac;
	const struct nic_value *nic;

	if (!bpf_map_lookup_elem(&listen, &d->to))
		return NULL;
	nic = bpf_map_lookup_elem(&nics, &ifindex);
	if (!nic)
		return NULL;
	mac = (const void *)nic->mac;
	return to[0] == mac[0] && to[1] == mac[1] && to[2] == mac[2] ? nic : NULL;
}

/* Looks up the receiver index. A data message is refused while the handshake of its index is not
 * complete, because the keys do not exist yet. Returns REASON_none with *@slot set, or
 * REASON_unknown_index. For an initiation, which has no receiver index, returns REASON_none and
 * leaves *@slot as it is. */
static __always_inline enum reason verdict_check_index(const struct message *m, __u32 *slot)
{
	const struct session_value *session;

	if (m->type == WIRE_INITIATION)
		return REASON_none;
	session = bpf_map_lookup_elem(&sessions, &m->receiver);
	if (!session || (m->type == WIRE_DATA && session->kind != SESSION_DATA))
		return REASON_unknown_index;
	*slot = session->slot;
	return REASON_none;
}

/* Returns the verdict on the frame that starts at the cursor, and fills @p. Changes neither the
 * packet nor the maps; the caller updates the counters. */
static __always_inline enum verdict verdict_of(struct cursor *c, __u32 ifindex,
					       struct verdict_packet *p)
{
	const void *msg;

	if (!parse_frame(c, &p->d))
		return VERDICT_NOT_OURS;
	p->nic = verdict_nic(&p->d, ifindex);
	if (!p->nic)
		return VERDICT_NOT_OURS;
	msg = c->pos;
	/* Many or long extension headers can move the message beyond the linear part of the skb.
	 * The stack can handle such a packet. */
	if (c->beyond && msg + wire_data_len(0) > c->end)
		return VERDICT_NOT_OURS;
	p->reason = classify(c, &p->d, &p->m);
	if (p->reason == REASON_none)
		p->reason = verdict_check_index(&p->m, &p->slot);
	if (p->reason == REASON_none && !mac1_accepts(msg, c->end, p->m.type))
		p->reason = REASON_bad_mac1;
	if (p->reason != REASON_none)
		return VERDICT_INVALID;
	return p->m.type == WIRE_DATA ? VERDICT_DATA : VERDICT_HANDSHAKE;
}

#endif
