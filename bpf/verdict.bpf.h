/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * verdict.bpf.h - the checks of a packet that comes by a NIC, in their order, for XDP and TC alike.
 *
 *   whole UDP datagram? ─ no ─────────────────────────────────▶ foreign
 *     └▶ to an address and port of ours, to our MAC? ─ no ────▶ foreign
 *          └▶ one of the four messages? ─ no ─────────────────▶ bad: malformed
 *               ├▶ type 1 ──────────────────────┬▶ mac1? ─ no ▶ bad: bad_mac1
 *               ├▶ type 2: index ours? ── yes ──┘    └ yes ───▶ handshake
 *               ├▶ type 3: index ours? ── yes ────────────────▶ handshake
 *               └▶ type 4: of a session? ─ yes ───────────────▶ data
 *                                 └ no: bad: unknown_index
 */
#ifndef WGXDP_JUDGE_BPF_H
#define WGXDP_JUDGE_BPF_H

#include "classify.bpf.h"
#include "mac.bpf.h"
#include "maps.bpf.h"
#include "parse.bpf.h"

enum verdict {
	VERDICT_FOREIGN,   /* none of our business */
	VERDICT_HANDSHAKE, /* for the daemon */
	VERDICT_DATA,	   /* of a session */
	VERDICT_BAD,	   /* addressed to us, but worth nothing */
};

struct verdict_packet {
	struct datagram d;
	struct message m;
	const struct nic_value *nic;
	__u32 slot;	    /* data: of the peer */
	enum reason reason; /* bad */
};

/* The NIC that @d came in by, if it is addressed to us there. A host with our address may still
 * bridge or route a frame to another MAC, as VRRP does: that one is not ours. */
static __always_inline const struct nic_value *verdict_ours(const struct datagram *d, __u32 ifindex)
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

/* The index that the message names. An index whose handshake is not done is none for data: nobody
 * can have sealed any. */
static __always_inline enum reason verdict_index(const struct message *m, __u32 *slot)
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

/* With the cursor at the Ethernet header. Looks at packet and maps, counts nothing. */
static __always_inline enum verdict verdict_of(struct cursor *c, __u32 ifindex,
					       struct verdict_packet *j)
{
	const void *msg;

	if (!parse_frame(c, &j->d))
		return VERDICT_FOREIGN;
	j->nic = verdict_ours(&j->d, ifindex);
	if (!j->nic)
		return VERDICT_FOREIGN;
	msg = c->pos;
	/* Behind more extension headers than are worth seeing. */
	if (c->beyond && msg + wire_data_len(0) > c->end)
		return VERDICT_FOREIGN;
	j->reason = classify(c, &j->d, &j->m);
	if (j->reason == REASON_none)
		j->reason = verdict_index(&j->m, &j->slot);
	if (j->reason == REASON_none && !mac1_accepts(msg, c->end, j->m.type))
		j->reason = REASON_bad_mac1;
	if (j->reason != REASON_none)
		return VERDICT_BAD;
	return j->m.type == WIRE_DATA ? VERDICT_DATA : VERDICT_HANDSHAKE;
}

#endif
