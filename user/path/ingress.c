/* SPDX-License-Identifier: MIT */
/*
 * ingress.c - the receive chain. ingress_run() at the end of the file lists its steps; each step
 * works on a whole batch. A message is decrypted in place:
 *
 *   before:  | type 4 | index | counter | ciphertext ................ | tag |
 *            0        4       8         16
 *   after:             | vnet header 10 | IP packet ........ | padding |
 *                      6                16
 *
 * The message is a "transport data message" of the WireGuard paper (5.4.6). The vnet header
 * overwrites half of the index, and the counter. Nothing in a packet is trusted before its tag is
 * verified; the index only selects the key.
 */
#include <errno.h>
#include <string.h>

#include "io/encap.h"
#include "path/chain.h"
#include "path/ecn.h"
#include "path/offsets.h"
#include "path/roaming.h"
#include "wgxdp/limits.h"

/* Gives the control thread a handshake message that this worker has received. */
static enum reason hand_over(struct worker *w, const struct rx_frame *f)
{
	struct endpoint from = frame_endpoint(f);

	if (f->len > sizeof(struct wire_initiation))
		return REASON_malformed;
	return handoff_message(w->config.handoff, &from, f->payload, (uint16_t)f->len)
		       ? REASON_none
		       : REASON_queue_full;
}

/* Finds the session of the data message in @f and fills @p. @last: the previous data message of the
 * batch, which likely has the same session; or NULL. */
static enum reason lookup_session(struct worker *w, const struct rx_frame *f,
				  const struct in_packet *last, struct in_packet *p)
{
	struct wire_data msg;

	if (f->len < wire_data_len(0))
		return REASON_malformed;
	memcpy(&msg, f->payload, sizeof(msg)); /* the payload may be unaligned */
	p->frame = f;
	p->counter = le64toh(msg.counter);
	p->len = f->len - (uint32_t)wire_data_len(0);
	p->index = le32toh(msg.receiver_index);
	p->session = last && last->index == p->index
			     ? last->session
			     : indextab_session(w->config.device->indices, p->index);
	p->reason = REASON_none;
	if (!p->session)
		return REASON_unknown_index;
	if (!session_may_receive(p->session, w->now_ns) || p->counter >= REJECT_AFTER_MESSAGES)
		return REASON_expired;
	return REASON_none;
}

/* Sorts @n frames: data messages of live sessions go to w->ingress.packets, handshake messages to
 * the control thread. Returns the number of data messages. */
static unsigned lookup_sessions(struct worker *w, unsigned n)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct rx_frame *f = &w->ingress.frames[i];
		static const uint8_t reserved[3];
		enum reason reason = REASON_malformed;

		if (f->len >= sizeof(struct wire_header) && !memcmp(f->payload + 1, reserved, 3)) {
			if (f->payload[0] == WIRE_DATA) {
				struct in_packet *p = &w->ingress.packets[count];

				reason = lookup_session(w, f, count ? p - 1 : NULL, p);
				count += reason == REASON_none;
			} else if (f->payload[0] >= WIRE_INITIATION && f->payload[0] < WIRE_DATA) {
				reason = hand_over(w, f);
			}
		}
		if (reason != REASON_none)
			chain_drop(w, reason, 1);
	}
	return count;
}

/* Returns true if the source of @f is a new endpoint of @p. The endpoint follows the newest
 * authenticated packet ([W] 2.1). If the endpoint would change, the outer checksums
 * are verified, so that a corrupted header cannot redirect a peer. The checksums cover the
 * ciphertext, so this check runs before the message is decrypted in place. */
static bool has_roamed(struct peer *p, const struct rx_frame *f)
{
	struct endpoint from = frame_endpoint(f);

	if (roaming_knows(p, &from))
		return false;
	return !endpoint_martian(&from) && (!f->l3 || encap_checksum_fits(f->l3, f->payload - 8));
}

/* Returns true if both packets belong to one session and their frames point to the same copy of the
 * addresses, which is the case for datagrams that the kernel has merged (UDP_GRO). May return false
 * for other packets even if their addresses are equal. */
static bool same_outer(const struct in_packet *a, const struct in_packet *b)
{
	return a->session == b->session && a->frame->source == b->frame->source &&
	       a->frame->destination == b->frame->destination;
}

static void compare_endpoints(struct worker *w, unsigned n)
{
	struct in_packet *first = w->ingress.packets;

	for (struct in_packet *p = first; p < first + n; p++)
		p->roamed = p > first && same_outer(p, p - 1)
				    ? p[-1].roamed
				    : has_roamed(p->session->peer, p->frame);
}

static void open_batch(struct worker *w, unsigned n)
{
	struct ingress *in = &w->ingress;

	for (unsigned i = 0; i < n; i++) {
		uint8_t *text = in->packets[i].frame->payload + sizeof(struct wire_data);

		in->jobs[i] = (struct aead_job){
			.key = in->packets[i].session->recv_key,
			.counter = in->packets[i].counter,
			.src = text,
			.dst = text,
			.len = in->packets[i].len,
		};
	}
	if (aead_open_batch(in->jobs, n) == n)
		return;
	for (unsigned i = 0; i < n; i++)
		if (!in->jobs[i].ok)
			in->packets[i].reason = REASON_bad_tag;
}

/* Drops messages whose counter was seen before or is too old. Takes the session's lock once for
 * each run of packets of one session. */
static void accept_counters(struct worker *w, unsigned n)
{
	struct in_packet *p = w->ingress.packets, *end = p + n;

	while (p < end) {
		struct session *s = p->session;

		session_lock(s);
		for (; p < end && p->session == s; p++) {
			if (p->reason != REASON_none)
				continue;
			switch (replay_accept(&s->replay, p->counter)) {
			case 0:
				break;
			case -EALREADY:
				p->reason = REASON_replayed;
				break;
			default:
				p->reason = REASON_too_old;
				break;
			}
		}
		session_unlock(s);
	}
}

/* Updates the peer's byte counts, timers and endpoint after a run of authenticated packets of one
 * session. @last is the last of these packets. */
static void note_run(struct worker *w, struct session *s, const struct in_packet *last,
		     unsigned packets, uint64_t bytes, bool data)
{
	struct peer *p = s->peer;

	if (peer_received(p, packets, bytes, data, w->now_ns))
		chain_note(w, NOTE_WATCH, p, 0, NULL);
	if (atomic_load_explicit(&p->next, memory_order_acquire) == s) {
		atomic_store_explicit(&s->confirmed, true, memory_order_release);
		chain_note(w, NOTE_CONFIRMED, p, s->local_index, NULL);
	}
	if (session_renew_after_receive(s, w->now_ns))
		chain_want_handshake(w, p);
	if (last->roamed)
		chain_note_roaming(w, p, last->frame);
}

static void note_arrivals(struct worker *w, unsigned n)
{
	struct in_packet *p = w->ingress.packets, *end = p + n;

	while (p < end) {
		struct session *s = p->session;
		const struct in_packet *last = NULL;
		unsigned packets = 0;
		uint64_t bytes = 0;
		bool data = false;

		for (; p < end && p->session == s; p++) {
			if (p->reason != REASON_none)
				continue;
			last = p;
			packets++;
			bytes += p->frame->len;
			data |= p->len > 0;
		}
		if (last)
			note_run(w, s, last, packets, bytes, data);
	}
}

static bool same_source(const struct in_packet *a, const uint8_t *ip)
{
	const uint8_t *other = a->frame->payload + sizeof(struct wire_data);

	if (other[0] >> 4 != ip[0] >> 4)
		return false;
	return ip[0] >> 4 == 4 ? !memcmp(other + IP4_SOURCE, ip + IP4_SOURCE, 4)
			       : !memcmp(other + IP6_SOURCE, ip + IP6_SOURCE, 16);
}

/* Checks that the plaintext is an IP packet whose source address belongs to the sending peer: of
 * all AllowedIPs that contain the address, the longest prefix must be that of this peer. Sets
 * p->len to the packet's length without padding. @last: an earlier packet whose source was looked
 * up, or NULL. */
static enum reason check_source(const struct allowedips *allowed, struct in_packet *p,
				const struct in_packet *last)
{
	const uint8_t *ip = p->frame->payload + sizeof(struct wire_data);
	uint32_t len;

	if (p->len >= IP4_LEN && ip[0] >> 4 == 4) {
		len = ntohs(raw_get16(ip + IP4_TOTAL));
		if (len < IP4_LEN || len > p->len)
			return REASON_bad_inner;
		p->holder = last && same_source(last, ip)
				    ? last->holder
				    : allowedips_lookup4(allowed, ip + IP4_SOURCE);
	} else if (p->len >= IP6_LEN && ip[0] >> 4 == 6) {
		len = IP6_LEN + (uint32_t)ntohs(raw_get16(ip + IP6_PAYLOAD));
		if (len > p->len)
			return REASON_bad_inner;
		p->holder = last && same_source(last, ip)
				    ? last->holder
				    : allowedips_lookup6(allowed, ip + IP6_SOURCE);
	} else {
		return REASON_bad_inner;
	}
	p->len = len;
	return p->holder == p->session->peer ? REASON_none : REASON_unallowed_source;
}

static void check_sources(struct worker *w, unsigned n)
{
	const struct in_packet *last = NULL;

	for (struct in_packet *p = w->ingress.packets; p < w->ingress.packets + n; p++) {
		if (p->reason != REASON_none || !p->len)
			continue;
		p->reason = check_source(w->config.device->allowed, p, last);
		if (p->reason != REASON_bad_inner)
			last = p;
		if (p->reason == REASON_unallowed_source)
			chain_note_unallowed(w, p->session->peer,
					     p->frame->payload + sizeof(struct wire_data));
	}
}

/* Returns the drop reason for a write into the tunnel that failed with @err. */
static enum reason write_reason(int err)
{
	return err == -EIO ? REASON_down : REASON_tun_full;
}

static void write_singly(struct worker *w, const struct gro_group *group)
{
	const struct gro *g = &w->ingress.gro;

	for (uint16_t i = group->first; i != GRO_NONE; i = g->packets[i].next) {
		const struct gro_packet *p = &g->packets[i];
		int err = chain_write_tun(w, p->slot, p->ip, p->len);

		if (err)
			chain_drop(w, write_reason(err), 1);
	}
}

/* Writes a merged packet. If the kernel refuses merged packets of this protocol, writes the
 * packets of the group singly, and no longer merges packets of this protocol. */
static void write_merged(struct worker *w, const struct gro_group *group)
{
	struct ingress *in = &w->ingress;
	const struct gro_packet *first = &in->gro.packets[group->first];
	unsigned n = gro_build(&in->gro, group, &in->head, in->iov);
	int err = chain_writev_tun(w, first->slot, in->iov, n);

	if (err == -EINVAL) {
		if (first->udp)
			w->offloads.gro_udp = false;
		else
			w->offloads.gro_tcp = false;
		write_singly(w, group);
	} else if (err) {
		chain_drop(w, write_reason(err), group->count);
	}
}

/* Merges packets of one flow, and writes all packets into the tunnel. Counts dropped packets. */
static void write_tun(struct worker *w, unsigned n)
{
	struct gro *g = &w->ingress.gro;

	gro_begin(g, w->offloads.gro_tcp, w->offloads.gro_udp);
	for (struct in_packet *p = w->ingress.packets; p < w->ingress.packets + n; p++) {
		uint8_t *ip = p->frame->payload + sizeof(struct wire_data);

		if (p->reason != REASON_none) {
			chain_drop(w, p->reason, 1);
		} else if (p->len) {
			ecn_decapsulate(ip, p->frame->tclass);
			gro_add(g, ip, p->len, p->session->peer->slot);
		}
	}
	for (unsigned i = 0; i < g->group_count; i++) {
		if (g->groups[i].count > 1)
			write_merged(w, &g->groups[i]);
		else
			write_singly(w, &g->groups[i]);
	}
}

unsigned ingress_run(struct worker *w, struct transport *transport)
{
	unsigned received = transport->ops->recv(transport, w->ingress.frames, FRAME_BATCH), n;

	n = lookup_sessions(w, received);
	compare_endpoints(w, n);
	open_batch(w, n);
	accept_counters(w, n);
	note_arrivals(w, n);
	check_sources(w, n);
	write_tun(w, n);
	/* Sweep even if recv() returned 0, because the transport keeps malformed frames until
	 * sweep(). */
	transport->ops->sweep(transport);
	return received;
}
