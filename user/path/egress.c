/* SPDX-License-Identifier: MIT */
/*
 * The seal chain. What is done to a batch, a step a function, in egress_run() at the foot.
 *
 *   TUN ─▶ buffer: | IP packet | zeros |                    padding, [W] 5.4.6
 *                       └─ sealed into ─▶ | outer headers | type 4, index, counter | ciphertext | tag |
 *                                         └ a frame of the path that it leaves by (a lane)
 *
 * A packet of a peer without a session waits in peer->stage; it leaves before any later packet of
 * that peer.
 */
#include <errno.h>
#include <string.h>

#include "io/encap.h"
#include "path/chain.h"
#include "path/ecn.h"
#include "path/icmp.h"
#include "path/roaming.h"
#include "path/route_mtu.h"
#include "path/tunnel_loop.h"
#include "wgxdp/limits.h"

/* So often a data message takes the UDP socket, that a stateful firewall of the host keeps the
 * entry which lets the answers in: what leaves by AF_XDP it does not see. */
#define UDP_REFRESH_NS (20 * NS_PER_S)

static unsigned read_tun(struct worker *w)
{
	unsigned n = 0;

	while (n < FRAME_BATCH) {
		uint8_t *buf = w->egress.buffers + (size_t)n * EGRESS_BUFFER_LEN;
		int len = tun_read(w->config.tun, buf, EGRESS_BUFFER_LEN - WIRE_PADDING);

		if (len == -EMSGSIZE) {
			chain_drop(w, REASON_too_big, 1);
			continue;
		}
		if (len <= 0)
			break;
		w->egress.packets[n++] = (struct out_packet){ .data = buf, .len = (uint32_t)len };
	}
	return n;
}

/* The sender is told, at a limited rate, that its packet goes nowhere; or with @mtu that it is larger
 * than that. */
static void answer(struct worker *w, const struct out_packet *p, uint16_t mtu)
{
	uint8_t error[TUN_VNET_LEN + ICMP_ERROR_MAX];
	uint64_t window_ns = ICMP_BURST * ICMP_INTERVAL_NS;
	size_t len;

	if (w->icmp.full_at_ns < w->now_ns)
		w->icmp.full_at_ns = w->now_ns;
	if (w->icmp.full_at_ns - w->now_ns + ICMP_INTERVAL_NS > window_ns)
		return;
	len = mtu ? icmp_too_big(error + TUN_VNET_LEN, p->data, p->len, mtu)
		  : icmp_unreachable(error + TUN_VNET_LEN, p->data, p->len);
	if (!len)
		return;
	w->icmp.full_at_ns += ICMP_INTERVAL_NS;
	chain_set_tun_writer(w, SLOT_LOCAL, error + TUN_VNET_LEN, len);
}

/* Larger than the interface's MTU and any route's into it, and it must not be cut up: it was queued
 * before the MTU was lowered, or came past the host's routes. Without DF it goes, and the outer packet
 * is fragmented if need be. */
static bool too_big(const struct worker *w, const struct out_packet *p)
{
	const struct route_mtu *routes;

	if (p->len <= atomic_load_explicit(&w->mtu, memory_order_relaxed) ||
	    (p->data[0] >> 4 == 4 && !(p->data[6] & 0x40)))
		return false;
	routes = atomic_load_explicit(&w->route_mtus, memory_order_acquire);
	return !routes || p->len > route_mtu_largest(routes);
}

/* May the packet go to its peer? */
static enum reason check_way(struct worker *w, const struct out_packet *p)
{
	if (!p->encap) {
		answer(w, p, 0);
		return REASON_no_endpoint;
	}
	if (tunnel_loop_is_own(p->encap, p->data, p->len))
		return REASON_loop;
	if (tunnel_loop_exists(w->config.device->allowed, p->encap)) {
		answer(w, p, 0);
		return REASON_loop;
	}
	if (too_big(w, p)) {
		answer(w, p, (uint16_t)atomic_load_explicit(&w->mtu, memory_order_relaxed));
		return REASON_too_big;
	}
	return REASON_none;
}

/* [W] 2: the destination chooses the peer. */
static void choose_peers(struct worker *w, unsigned n)
{
	const struct allowedips *allowed = w->config.device->allowed;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++) {
		if (p->len >= 20 && p->data[0] >> 4 == 4) {
			p->peer = allowedips_lookup4(allowed, p->data + 16);
		} else if (p->len >= 40 && p->data[0] >> 4 == 6) {
			p->peer = allowedips_lookup6(allowed, p->data + 24);
		} else {
			p->reason = REASON_bad_inner;
			continue;
		}
		if (!p->peer) {
			p->reason = REASON_no_peer;
			answer(w, p, 0);
			continue;
		}
		p->encap = roaming_encap(p->peer, &w->egress.moved[p - w->egress.packets]);
		p->reason = check_way(w, p);
	}
}

static bool session_usable(const struct worker *w, const struct session *s)
{
	return !w->stale && s && session_may_send(s, w->now_ns);
}

/* The packet waits for a session, and the handshake for it is asked for. */
static void wait_for_session(struct worker *w, struct out_packet *p)
{
	unsigned dropped = stage_push(&p->peer->stage, p->data, p->len);

	p->session = NULL;
	if (dropped)
		chain_drop(w, REASON_staged_full, dropped);
	/* A session may have begun since we looked. Either we see it now, or whoever publishes it sees
	 * the packet: the exchange of the count in stage_push() and of peer->current are both
	 * sequentially consistent. */
	if (session_usable(w, peer_session(p->peer)))
		egress_flush(w, &p->peer, 1);
	else
		chain_want_handshake(w, p->peer);
}

static void choose_sessions(struct worker *w, unsigned n)
{
	const struct peer *flushed = NULL;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++) {
		if (p->reason != REASON_none)
			continue;
		p->session = peer_session(p->peer);
		if (!session_usable(w, p->session)) {
			wait_for_session(w, p);
			continue;
		}
		if (p->peer != flushed &&
		    atomic_load_explicit(&p->peer->stage.count, memory_order_relaxed))
			egress_flush(w, &p->peer, 1);
		flushed = p->peer;
	}
}

/* The end of the run of packets that leave under the session of @p. */
static struct out_packet *run_end(struct out_packet *p, const struct out_packet *end)
{
	const struct session *s = p->session;

	while (p < end && p->session == s && p->reason == REASON_none)
		p++;
	return p;
}

/* One atomic add for each run of packets of one session. A session without enough of them is
 * finished for good: a new one is asked for. */
static void take_counters(struct worker *w, struct out_packet *p, const struct out_packet *end)
{
	while (p < end) {
		struct out_packet *run = p, *stop = run_end(p, end);
		uint64_t first;

		if (!p->session || stop == p) {
			p++;
			continue;
		}
		if (session_take_counters(p->session, (unsigned)(stop - run), &first)) {
			for (p = run; p < stop; p++)
				p->counter = first + (uint64_t)(p - run);
		} else {
			for (p = run; p < stop; p++)
				wait_for_session(w, p);
		}
	}
}

/* To a multiple of 16, but never beyond what the tunnel's MTU, that of the route into it, or the
 * outer path's takes. */
static uint32_t padded_len(const struct worker *w, const struct out_packet *p)
{
	const struct route_mtu *routes = atomic_load_explicit(&w->route_mtus, memory_order_acquire);
	uint32_t padded = (p->len + WIRE_PADDING - 1) & ~(uint32_t)(WIRE_PADDING - 1);
	uint32_t mtu = atomic_load_explicit(&w->mtu, memory_order_relaxed);
	uint32_t route_mtu = routes ? route_mtu_of(routes, p->data) : ROUTE_MTU_NONE;
	uint32_t outer = encap_overhead(p->encap) + (uint32_t)wire_data_len(0);

	if (padded > mtu)
		padded = mtu;
	if (padded > route_mtu)
		padded = route_mtu;
	if (p->encap->mtu > outer && padded > p->encap->mtu - outer)
		padded = p->encap->mtu - outer;
	return padded < p->len ? p->len : padded;
}

/* The lane that the packet leaves by. AF_XDP needs a next hop on a NIC of ours and must not
 * fragment; the UDP socket takes the rest, and one message every UDP_REFRESH_NS. */
static struct lane *choose_lane(struct worker *w, const struct out_packet *p)
{
	const struct encap *e = p->encap;
	uint32_t outer = encap_overhead(e) + (uint32_t)wire_data_len(p->padded);
	uint64_t last_udp_ns;

	if (!e->xsk_ok || (e->mtu && outer > e->mtu))
		return &w->egress.udp;
	last_udp_ns = atomic_load_explicit(&p->peer->last_udp_ns, memory_order_relaxed);
	if (w->now_ns - last_udp_ns >= UDP_REFRESH_NS) {
		atomic_store_explicit(&p->peer->last_udp_ns, w->now_ns, memory_order_relaxed);
		return &w->egress.udp;
	}
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->ports[i].tx && w->ports[i].path->ifindex == e->ifindex &&
		    outer <= w->ports[i].path->mtu)
			return &w->egress.lanes[i];
	return &w->egress.udp;
}

/* A frame at the end of @lane, or NULL when the path has none left even after reaping. */
static struct tx_frame *lane_add(struct lane *lane)
{
	struct tx_frame *f = &lane->frames[lane->count];

	if (!lane->path->ops->alloc(lane->path, f, 1)) {
		lane->path->ops->sweep(lane->path);
		if (!lane->path->ops->alloc(lane->path, f, 1))
			return NULL;
	}
	lane->count++;
	return f;
}

/* Gives each packet its frame, message header and seal job. Returns the number of jobs. */
static unsigned build_messages(struct worker *w, struct out_packet *packets, unsigned n)
{
	unsigned jobs = 0;

	for (struct out_packet *p = packets; p < packets + n; p++) {
		struct wire_data *msg;
		struct tx_frame *f;

		if (p->reason != REASON_none || !p->session)
			continue;
		p->padded = padded_len(w, p);
		f = lane_add(choose_lane(w, p));
		if (!f || wire_data_len(p->padded) > f->room) {
			p->reason = f ? REASON_too_big : REASON_tx_full;
			if (f)
				f->len = 0;
			continue;
		}
		memset(p->data + p->len, 0, p->padded - p->len);
		msg = (void *)f->payload;
		*msg = (struct wire_data){
			.header.type = WIRE_DATA,
			.receiver_index = htole32(p->session->remote_index),
			.counter = htole64(p->counter),
		};
		f->len = (uint32_t)wire_data_len(p->padded);
		f->encap = p->encap;
		f->tclass = ecn_encapsulate(p->data);
		p->frame = f;
		w->egress.jobs[jobs++] = (struct aead_job){
			.key = p->session->send_key,
			.counter = p->counter,
			.src = p->data,
			.dst = f->payload + sizeof(*msg),
			.len = p->padded,
		};
	}
	return jobs;
}

static void transmit_lane(struct lane *lane)
{
	if (lane->count)
		lane->path->ops->send(lane->path, lane->frames, lane->count);
	lane->count = 0;
}

static void transmit(struct worker *w)
{
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->ports[i].tx)
			transmit_lane(&w->egress.lanes[i]);
	transmit_lane(&w->egress.udp);
}

/* What the kernel did not take is dead; send() says which by a length of 0. */
static void find_refused(struct out_packet *packets, unsigned n)
{
	for (struct out_packet *p = packets; p < packets + n; p++)
		if (p->reason == REASON_none && p->frame && !p->frame->len)
			p->reason = REASON_send_failed;
}

/* What a run that left means for its peer: counters, timers, renewal; and the dead are counted. */
static void note_departures(struct worker *w, struct out_packet *p, const struct out_packet *end)
{
	while (p < end) {
		struct out_packet *run = p, *stop = run_end(p, end);
		uint64_t bytes = 0;

		if (!p->session || stop == p) {
			if (p->reason != REASON_none)
				chain_drop(w, p->reason, 1);
			p++;
			continue;
		}
		for (; p < stop; p++)
			bytes += wire_data_len(p->padded);
		if (peer_sent(run->peer, (unsigned)(stop - run), bytes, true, w->now_ns))
			chain_note(w, NOTE_WATCH, run->peer, 0, NULL);
		if (session_renew_after_send(run->session, w->now_ns))
			chain_want_handshake(w, run->peer);
	}
}

/* We may have been held up since the turn began, stopped (SIGSTOP) or with the whole host: nothing
 * leaves under a key that has ended or must be wiped. What is still good goes; the rest waits for a
 * new session, which is asked for whenever the last one was. */
static void hold_back(struct worker *w, struct out_packet *packets, unsigned n)
{
	for (struct out_packet *p = packets; p < packets + n; p++) {
		unsigned dropped;

		if (!p->frame || session_usable(w, p->session))
			continue;
		p->frame->len = 0;
		p->frame = NULL;
		p->session = NULL;
		dropped = stage_push(&p->peer->stage, p->data, p->len);
		if (dropped)
			chain_drop(w, REASON_staged_full, dropped);
		chain_note(w, NOTE_WANT_HANDSHAKE, p->peer, 0, NULL);
	}
}

/* The second half of the chain, for packets that have their sessions. */
static void seal_and_send(struct worker *w, struct out_packet *packets, unsigned n)
{
	take_counters(w, packets, packets + n);
	aead_seal_batch(w->egress.jobs, build_messages(w, packets, n));
	if (chain_time_passed(w))
		hold_back(w, packets, n);
	transmit(w);
	find_refused(packets, n);
	note_departures(w, packets, packets + n);
}

static void send_gathered(struct worker *w)
{
	struct egress *e = &w->egress;

	seal_and_send(w, e->waiting, e->waiting_count);
	for (unsigned i = 0; i < e->waiting_count; i++)
		stage_drop(e->staged[i]);
	e->waiting_count = 0;
}

/* What waits for @p joins the batch that leaves together; what is full leaves. */
static void gather(struct worker *w, struct peer *p)
{
	struct egress *e = &w->egress;

	for (;;) {
		struct session *s = peer_session(p);
		const struct encap *encap = roaming_encap(p, &e->moved_waiting[e->waiting_count]);
		struct staged *list;
		unsigned n;

		if (!encap || !session_usable(w, s))
			return;
		list = stage_take(&p->stage, FRAME_BATCH - e->waiting_count, &n);
		if (!n)
			return;
		for (; list; list = list->next) {
			e->staged[e->waiting_count] = list;
			e->waiting[e->waiting_count++] = (struct out_packet){ .data = list->data,
									      .len = list->len,
									      .peer = p,
									      .session = s,
									      .encap = encap };
		}
		if (e->waiting_count == FRAME_BATCH)
			send_gathered(w);
	}
}

/* A packet whose session was finished meanwhile is staged again while its batch is being sent, which
 * asks for a flush: that one leaves it to the next round here. */
void egress_flush(struct worker *w, struct peer *const *peers, unsigned n)
{
	bool sent;

	if (w->egress.flushing)
		return;
	w->egress.flushing = true;
	do {
		for (unsigned i = 0; i < n; i++)
			gather(w, peers[i]);
		sent = w->egress.waiting_count > 0;
		if (sent)
			send_gathered(w);
	} while (sent);
	w->egress.flushing = false;
}

unsigned egress_run(struct worker *w)
{
	unsigned n = read_tun(w);

	if (!n)
		return 0;
	choose_peers(w, n);
	choose_sessions(w, n);
	seal_and_send(w, w->egress.packets, n);
	return n;
}
