/* SPDX-License-Identifier: MIT */
/*
 * seal.c - the second half of the send chain: packets that have a session become messages.
 *
 *   packet ─▶ take_counters ─▶ build_messages ─▶ aead_seal_batch ─▶ transmit ─▶ count_sent
 *                  │                 ▲                 │                              │
 *                  │                 │                 └─▶ stage_expired              │
 *                  │                 └──────────────── next batch ────────────────────┘
 *                  └─▶ seal_stage_packet
 *
 * A large packet is split here (gso.h), and its segments are encrypted straight into the frames
 * that are sent. The segments of one packet may need several batches.
 */
#include <string.h>

#include "io/encap.h"
#include "path/chain.h"
#include "path/ecn.h"
#include "path/route_mtu.h"
#include "wgxdp/limits.h"

/* The interval at which one message to a peer goes through the UDP socket although AF_XDP could
 * carry it. Conntrack does not see packets that AF_XDP sends. Without these messages, the flow's
 * entry would expire, and a stateful firewall would then drop the peer's packets. */
#define UDP_REFRESH_NS (20 * NS_PER_S)

bool seal_session_usable(const struct worker *w, const struct session *s)
{
	return !w->stale && s && session_may_send(s, w->now_ns);
}

/* Copies one segment, as a packet of its own, to the peer's packets that wait for a session. */
static void stage_segment(struct worker *w, struct out_packet *p, uint32_t segment)
{
	uint8_t *data = p->data;
	unsigned dropped;

	if (p->gso.segments > 1) {
		data = w->egress.scratch;
		gso_write(&p->gso, p->data, segment, data);
	}
	dropped = stage_push(&p->peer->stage, data, gso_segment_len(&p->gso, segment));
	p->staged = true;
	if (dropped)
		chain_drop(w, REASON_staged_full, dropped);
}

void seal_stage_packet(struct worker *w, struct out_packet *p)
{
	p->session = NULL;
	for (uint32_t i = 0; i < p->gso.segments; i++)
		stage_segment(w, p, i);
}

/* Returns the end of the run of packets, beginning with @p, that are sent under the session of
 * @p. */
static struct out_packet *run_end(struct out_packet *p, const struct out_packet *end)
{
	const struct session *s = p->session;

	while (p < end && p->session == s && p->reason == REASON_none)
		p++;
	return p;
}

/* For each run of packets of one session, reserves the counters in one step. If the session has too
 * few counters left, it is finished, and the packets are staged for the next session. */
static void take_counters(struct worker *w, struct out_packet *p, const struct out_packet *end)
{
	while (p < end) {
		struct out_packet *run = p, *stop = run_end(p, end);
		unsigned messages = 0;
		uint64_t first;
		bool taken;

		if (!p->session || stop == p) {
			p++;
			continue;
		}
		for (p = run; p < stop; p++)
			messages += p->gso.segments;
		taken = session_take_counters(run->session, messages, &first);
		for (p = run; p < stop; p++) {
			if (taken) {
				p->counter = first;
				first += p->gso.segments;
			} else {
				seal_stage_packet(w, p);
			}
		}
	}
}

/* Returns the largest length to which segments of the packet may be padded: the least of the
 * tunnel's MTU, the MTU of the route into the tunnel, and the MTU of the outer path minus the
 * overhead. */
static uint32_t padding_limit(const struct worker *w, const struct out_packet *p)
{
	const struct route_mtu *routes = atomic_load_explicit(&w->route_mtus, memory_order_acquire);
	uint32_t limit = atomic_load_explicit(&w->mtu, memory_order_relaxed);
	uint32_t route_mtu = routes ? route_mtu_of(routes, p->data) : ROUTE_MTU_NONE;
	uint32_t outer = encap_overhead(p->encap) + (uint32_t)wire_data_len(0);

	if (limit > route_mtu)
		limit = route_mtu;
	if (p->encap->mtu > outer && limit > p->encap->mtu - outer)
		limit = p->encap->mtu - outer;
	return limit;
}

/* Pads to a multiple of WIRE_PADDING, but not beyond @limit. */
static uint32_t padded_len(uint32_t len, uint32_t limit)
{
	uint32_t padded = (len + WIRE_PADDING - 1) & ~(uint32_t)(WIRE_PADDING - 1);

	if (padded > limit)
		padded = limit;
	return padded < len ? len : padded;
}

/* Returns the lane (the frames that one transport sends) for the packet. AF_XDP needs a resolved
 * next hop on an attached NIC and cannot fragment. The UDP socket sends the packets that AF_XDP
 * cannot send, and one packet per peer every UDP_REFRESH_NS. */
static struct lane *choose_lane(struct worker *w, const struct out_packet *p, uint32_t padded)
{
	const struct encap *e = p->encap;
	uint32_t outer = encap_overhead(e) + (uint32_t)wire_data_len(padded);
	uint64_t last_udp_ns;

	if (!e->xsk_ok || (e->mtu && outer > e->mtu))
		return &w->egress.udp;
	last_udp_ns = atomic_load_explicit(&p->peer->last_udp_ns, memory_order_relaxed);
	/* Do not subtract, because last_udp_ns may be later than now_ns: the control thread sets
	 * it, too. */
	if (w->now_ns >= last_udp_ns + UDP_REFRESH_NS) {
		atomic_store_explicit(&p->peer->last_udp_ns, w->now_ns, memory_order_relaxed);
		return &w->egress.udp;
	}
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->ports[i].tx && w->ports[i].transport->ifindex == e->ifindex &&
		    outer <= w->ports[i].transport->mtu)
			return &w->egress.lanes[i];
	return &w->egress.udp;
}

/* Allocates a frame for @len bytes at the end of @lane. Returns NULL if the transport has none
 * left. */
static struct tx_frame *lane_add(struct lane *lane, uint32_t len)
{
	struct tx_frame *f = &lane->frames[lane->count];

	if (!lane->transport->ops->alloc(lane->transport, f, 1, len)) {
		lane->transport->ops->sweep(lane->transport);
		if (!lane->transport->ops->alloc(lane->transport, f, 1, len))
			return NULL;
	}
	lane->count++;
	return f;
}

/* Writes the message header of @segment and, if the packet is split, the head of the segment into
 * @f, and fills the AEAD job. The payload behind the head is not copied before encryption. */
static void build_message(struct worker *w, struct out_packet *p, uint32_t segment, uint32_t padded,
			  struct tx_frame *f)
{
	struct egress *e = &w->egress;
	struct aead_job *job = &e->jobs[e->message_count];
	uint64_t counter = p->counter + segment;
	const struct wire_data header = {
		.header.type = WIRE_DATA,
		.receiver_index = htole32(p->session->remote_index),
		.counter = htole64(counter),
	};

	memcpy(f->payload, &header, sizeof(header)); /* the payload may be unaligned */
	f->len = (uint32_t)wire_data_len(padded);
	f->encap = p->encap;
	f->tclass = ecn_encapsulate(p->data);
	f->no_gso = atomic_load_explicit(&p->peer->no_gso, memory_order_relaxed);
	*job = (struct aead_job){
		.key = p->session->send_key,
		.counter = counter,
		.src = p->data,
		.dst = f->payload + sizeof(header),
		.len = padded,
		.pad_len = padded - gso_segment_len(&p->gso, segment),
	};
	if (p->gso.segments > 1) {
		job->head_len = gso_write_head(&p->gso, p->data, segment, job->dst);
		job->src += gso_shift(&p->gso, segment) + job->head_len;
	}
	e->messages[e->message_count++] =
		(struct out_message){ .packet = p, .segment = segment, .frame = f };
}

/* Builds the messages of the packet, beginning with @segment, until the batch is full. Returns the
 * first segment that is left for the next batch. Drops the whole packet if the queue is nearly full
 * and the recent messages to the peer have used up the peer's share. */
static uint32_t build_from_packet(struct worker *w, struct out_packet *p, uint32_t segment)
{
	uint32_t limit = padding_limit(w, p);
	struct lane *lane = choose_lane(w, p, padded_len(gso_segment_len(&p->gso, 0), limit));
	unsigned before = w->egress.message_count;

	if (!segment &&
	    fair_share_exceeded(&lane->share, p->peer->slot, lane->transport->fullness)) {
		chain_drop(w, REASON_tx_full, p->gso.segments);
		return p->gso.segments;
	}
	for (; segment < p->gso.segments && w->egress.message_count < FRAME_BATCH; segment++) {
		uint32_t padded = padded_len(gso_segment_len(&p->gso, segment), limit);
		uint32_t len = (uint32_t)wire_data_len(padded);
		struct tx_frame *f = len <= DATAGRAM_MAX ? lane_add(lane, len) : NULL;

		if (f)
			build_message(w, p, segment, padded, f);
		else
			chain_drop(w, len <= DATAGRAM_MAX ? REASON_tx_full : REASON_too_big, 1);
	}
	fair_share_add(&lane->share, p->peer->slot, w->egress.message_count - before);
	return segment;
}

/* Fills the batch with messages, beginning at segment *@segment of packet *@at, and advances both
 * to the first segment that did not fit. Returns false if no message was built, because no packet
 * is left. */
static bool build_messages(struct worker *w, struct out_packet **at, const struct out_packet *end,
			   uint32_t *segment)
{
	w->egress.message_count = 0;
	for (; *at < end && w->egress.message_count < FRAME_BATCH; ++*at, *segment = 0) {
		struct out_packet *p = *at;

		if (p->reason != REASON_none || !p->session)
			continue;
		*segment = build_from_packet(w, p, *segment);
		if (*segment < p->gso.segments)
			break;
	}
	return w->egress.message_count > 0;
}

/* Updates the fullness of the queues that were nearly full. */
static void sweep_full(struct worker *w)
{
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->ports[i].tx && w->ports[i].transport->fullness >= FAIR_SHARE_FROM)
			w->ports[i].transport->ops->sweep(w->ports[i].transport);
	if (w->udp->fullness >= FAIR_SHARE_FROM)
		w->udp->ops->sweep(w->udp);
}

static void transmit_lane(struct lane *lane)
{
	if (lane->count)
		lane->transport->ops->send(lane->transport, lane->frames, lane->count);
	lane->count = 0;
}

static void transmit(struct worker *w)
{
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->ports[i].tx)
			transmit_lane(&w->egress.lanes[i]);
	transmit_lane(&w->egress.udp);
}

/* The kernel refused UDP_SEGMENT on the path to this peer, and the messages were sent singly. Later
 * messages to this peer are sent singly, too. */
static void note_gso_refused(struct worker *w, struct peer *p, int error)
{
	if (atomic_exchange_explicit(&p->no_gso, true, memory_order_relaxed))
		return;
	chain_note(w, NOTE_NO_GSO, p, (uint32_t)error, NULL);
}

/* Counts the messages of each packet that were sent, and those that the kernel refused: send() sets
 * the length of a refused frame to 0. A message without a frame was staged by stage_expired(). */
static void count_sent(struct worker *w)
{
	for (unsigned i = 0; i < w->egress.message_count; i++) {
		const struct out_message *m = &w->egress.messages[i];

		if (!m->frame)
			continue;
		if (m->frame->gso_error)
			note_gso_refused(w, m->packet->peer, m->frame->gso_error);
		if (m->frame->len) {
			m->packet->sent++;
			m->packet->bytes += m->frame->len;
		} else {
			chain_drop(w, REASON_send_failed, 1);
		}
	}
}

/* Updates the counters and timers of each peer to which messages were sent, requests handshakes for
 * sessions that must be renewed, and counts the dropped packets. */
static void note_departures(struct worker *w, struct out_packet *p, const struct out_packet *end)
{
	while (p < end) {
		struct out_packet *run = p, *stop = run_end(p, end);
		uint64_t bytes = 0;
		unsigned sent = 0;

		if (!p->session || stop == p) {
			if (p->reason != REASON_none)
				chain_drop(w, p->reason, p->gso.segments);
			p++;
			continue;
		}
		for (; p < stop; p++) {
			sent += p->sent;
			bytes += p->bytes;
		}
		if (sent && peer_sent(run->peer, sent, bytes, true, w->now_ns))
			chain_note(w, NOTE_WATCH, run->peer, 0, NULL);
		if (session_renew_after_send(run->session, w->now_ns))
			chain_want_handshake(w, run->peer);
	}
}

/* The process (SIGSTOP) or the whole host may have been stopped since this iteration of the
 * worker's loop began. No message may be sent under a key that has since expired or must now be
 * wiped. Messages under such a key are staged instead, and a handshake is requested without regard
 * to WANT_INTERVAL_NS. */
static void stage_expired(struct worker *w)
{
	for (unsigned i = 0; i < w->egress.message_count; i++) {
		struct out_message *m = &w->egress.messages[i];

		if (seal_session_usable(w, m->packet->session))
			continue;
		m->frame->len = 0;
		m->frame = NULL;
		if (!m->packet->staged)
			chain_note(w, NOTE_WANT_HANDSHAKE, m->packet->peer, 0, NULL);
		stage_segment(w, m->packet, m->segment);
	}
}

void seal_and_send(struct worker *w, struct out_packet *packets, unsigned n)
{
	struct out_packet *at = packets;
	uint32_t segment = 0;

	sweep_full(w);
	take_counters(w, packets, packets + n);
	while (build_messages(w, &at, packets + n, &segment)) {
		aead_seal_batch(w->egress.jobs, w->egress.message_count);
		if (chain_time_passed(w))
			stage_expired(w);
		transmit(w);
		count_sent(w);
	}
	note_departures(w, packets, packets + n);
}
