/* SPDX-License-Identifier: MIT */
/*
 * egress.c - the seal chain. egress_run() at the end of the file lists its steps; each step works
 * on a whole batch.
 *
 *   TUN ─▶ buffer: | IP packet | zeros |                    padding, [W] 5.4.6
 *                       └─ sealed into ─▶ | headers | type, index, counter | ciphertext | tag |
 *                                         └ a frame of the transport that sends it (a lane)
 *
 * A packet whose peer has no usable session waits in peer->stage. Staged packets leave before any
 * later packet of the same peer: egress_run() flushes the stages first, and while a stage is not
 * empty, later packets join it. Calls only go downward:
 *
 *   egress_run ──┬─▶ read_tun, choose_peers, choose_sessions
 *                ├─▶ egress_flush ─▶ gather_staged ─▶ send_gathered ─▶ seal_and_send
 *                └─▶ seal_and_send ─▶ take_counters, build_messages, transmit, note_departures
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

/* How often one data message goes through the UDP socket although AF_XDP could carry it. The
 * host's connection tracking does not see AF_XDP, and its entry must not expire: it lets the
 * answers in. */
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

/* Answers the packet with an ICMP error at a limited rate: "unreachable", or with @mtu != 0 "larger
 * than @mtu". */
static void send_icmp_error(struct worker *w, const struct out_packet *p, uint16_t mtu)
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
	chain_write_tun(w, SLOT_LOCAL, error + TUN_VNET_LEN, len);
}

/* True if the packet exceeds the interface's MTU and every route's, and may not be fragmented.
 * Such a packet was queued before the MTU was lowered, or was sent without consulting the routes.
 * A packet without DF is sent anyway; the kernel fragments the outer packet if necessary. */
static bool exceeds_mtu(const struct worker *w, const struct out_packet *p)
{
	const struct route_mtu *routes;

	if (p->len <= atomic_load_explicit(&w->mtu, memory_order_relaxed) ||
	    (p->data[0] >> 4 == 4 && !(p->data[6] & 0x40)))
		return false;
	routes = atomic_load_explicit(&w->route_mtus, memory_order_acquire);
	return !routes || p->len > route_mtu_largest(routes);
}

/* Returns why the packet cannot go to its peer, or REASON_none. */
static enum reason check_route(struct worker *w, const struct out_packet *p)
{
	if (!p->encap) {
		send_icmp_error(w, p, 0);
		return REASON_no_endpoint;
	}
	if (tunnel_loop_is_own(p->encap, p->data, p->len))
		return REASON_loop;
	if (tunnel_loop_exists(w->config.device->allowed, p->encap)) {
		send_icmp_error(w, p, 0);
		return REASON_loop;
	}
	if (exceeds_mtu(w, p)) {
		send_icmp_error(w, p,
				(uint16_t)atomic_load_explicit(&w->mtu, memory_order_relaxed));
		return REASON_too_big;
	}
	return REASON_none;
}

/* The destination address selects the peer, [W] 2. */
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
			send_icmp_error(w, p, 0);
			continue;
		}
		p->encap = roaming_encap(p->peer, &w->egress.roamed[p - w->egress.packets]);
		p->reason = check_route(w, p);
	}
}

static bool session_usable(const struct worker *w, const struct session *s)
{
	return !w->stale && s && session_may_send(s, w->now_ns);
}

/* Copies the packet into its peer's stage. The caller then flushes that peer or asks for a
 * handshake.
 *
 * The control thread may publish a session at this moment. stage_push() changes the count and the
 * control thread changes peer->current, both sequentially consistently. So either the caller sees
 * the new session, or the control thread sees the packet and asks for a flush. */
static void stage_packet(struct worker *w, struct out_packet *p)
{
	unsigned dropped = stage_push(&p->peer->stage, p->data, p->len);

	p->session = NULL;
	if (dropped)
		chain_drop(w, REASON_staged_full, dropped);
}

static bool has_staged(const struct peer *p)
{
	return atomic_load_explicit(&p->stage.count, memory_order_relaxed) > 0;
}

/* Adds @p to @peers unless it is the last one already. Returns the new count. */
static unsigned add_peer(struct peer **peers, unsigned count, struct peer *p)
{
	if (!count || peers[count - 1] != p)
		peers[count++] = p;
	return count;
}

/* Sends what is staged for the peers of this batch, so that it leaves before the batch. */
static void flush_older(struct worker *w, unsigned n)
{
	struct peer *peers[FRAME_BATCH];
	unsigned count = 0;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++)
		if (p->reason == REASON_none && has_staged(p->peer))
			count = add_peer(peers, count, p->peer);
	if (count)
		egress_flush(w, peers, count);
}

/* Gives each packet its peer's session. Packets without a usable session are staged, and so are
 * those behind them. */
static void choose_sessions(struct worker *w, unsigned n)
{
	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++) {
		if (p->reason != REASON_none)
			continue;
		p->session = peer_session(p->peer);
		if (!session_usable(w, p->session) || has_staged(p->peer))
			stage_packet(w, p);
	}
}

/* Settles the peers for which this batch staged packets: flushes those that have a session by now,
 * and asks for a handshake with the others. */
static void flush_staged(struct worker *w, unsigned n)
{
	struct peer *peers[FRAME_BATCH];
	unsigned count = 0;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++)
		if (p->reason == REASON_none && !p->session)
			count = add_peer(peers, count, p->peer);
	if (count)
		egress_flush(w, peers, count);
}

/* Returns the end of the run of packets that leave under the session of @p. */
static struct out_packet *run_end(struct out_packet *p, const struct out_packet *end)
{
	const struct session *s = p->session;

	while (p < end && p->session == s && p->reason == REASON_none)
		p++;
	return p;
}

/* Takes the counters of each run of packets of one session at once. A session with too few counters
 * left is finished; its packets are staged for the next session. */
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
				stage_packet(w, p);
		}
	}
}

/* Returns the padded length: a multiple of WIRE_PADDING, but never above the tunnel's MTU, the MTU
 * of the route into it, or what fits the outer path's MTU. */
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

/* Returns the lane that sends the packet. AF_XDP needs a resolved next hop on an attached NIC and
 * cannot fragment. The UDP socket takes everything else, and one message every UDP_REFRESH_NS. */
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

/* Allocates a frame at the end of @lane. Returns NULL if the transport has none left. */
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

/* Gives each packet a frame, a message header and a seal job. Returns the number of jobs. */
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

/* Marks the packets that the kernel refused: send() sets their frame's length to 0. */
static void find_refused(struct out_packet *packets, unsigned n)
{
	for (struct out_packet *p = packets; p < packets + n; p++)
		if (p->reason == REASON_none && p->frame && !p->frame->len)
			p->reason = REASON_send_failed;
}

/* Updates counters, timers and renewal of each peer that sent, and counts the dropped packets. */
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

/* The process (SIGSTOP) or the whole host may have been stopped since the turn began. Nothing may
 * leave under a key that has expired or must be wiped since. Packets of such a session are staged,
 * and a handshake is requested at once, whenever the last one was requested. */
static void stage_expired(struct worker *w, struct out_packet *packets, unsigned n)
{
	for (struct out_packet *p = packets; p < packets + n; p++) {
		if (!p->frame || session_usable(w, p->session))
			continue;
		p->frame->len = 0;
		p->frame = NULL;
		stage_packet(w, p);
		chain_note(w, NOTE_WANT_HANDSHAKE, p->peer, 0, NULL);
	}
}

/* Sends @n packets that have their sessions. Packets whose session is finished or expired are
 * staged again, with session NULL. */
static void seal_and_send(struct worker *w, struct out_packet *packets, unsigned n)
{
	take_counters(w, packets, packets + n);
	aead_seal_batch(w->egress.jobs, build_messages(w, packets, n));
	if (chain_time_passed(w))
		stage_expired(w, packets, n);
	transmit(w);
	find_refused(packets, n);
	note_departures(w, packets, packets + n);
}

static void send_gathered(struct worker *w)
{
	struct egress *e = &w->egress;

	seal_and_send(w, e->gathered, e->gathered_count);
	for (unsigned i = 0; i < e->gathered_count; i++)
		stage_drop(e->staged[i]);
	e->gathered_count = 0;
}

/* Adds the staged packets of @p to the gathered batch, and sends the batch whenever it is full.
 * Asks for a handshake if packets wait and there is no usable session. */
static void gather_staged(struct worker *w, struct peer *p)
{
	struct egress *e = &w->egress;

	while (has_staged(p)) {
		struct session *s = peer_session(p);
		const struct encap *encap =
			roaming_encap(p, &e->roamed_gathered[e->gathered_count]);
		struct staged *list;
		unsigned n;

		if (!session_usable(w, s))
			chain_want_handshake(w, p);
		if (!encap || !session_usable(w, s))
			return;
		list = stage_take(&p->stage, FRAME_BATCH - e->gathered_count, &n);
		for (; list; list = list->next) {
			e->staged[e->gathered_count] = list;
			e->gathered[e->gathered_count++] = (struct out_packet){ .data = list->data,
										.len = list->len,
										.peer = p,
										.session = s,
										.encap = encap };
		}
		if (e->gathered_count == FRAME_BATCH)
			send_gathered(w);
	}
}

/* Repeats while anything was sent: a batch whose session had too few counters left is staged
 * again, and its peer may have the next session already. Each repetition empties a stage or
 * finishes a session. */
void egress_flush(struct worker *w, struct peer *const *peers, unsigned n)
{
	bool sent;

	do {
		for (unsigned i = 0; i < n; i++)
			gather_staged(w, peers[i]);
		sent = w->egress.gathered_count > 0;
		if (sent)
			send_gathered(w);
	} while (sent);
}

unsigned egress_run(struct worker *w)
{
	unsigned n = read_tun(w);

	if (!n)
		return 0;
	choose_peers(w, n);
	flush_older(w, n);
	choose_sessions(w, n);
	seal_and_send(w, w->egress.packets, n);
	flush_staged(w, n);
	return n;
}
