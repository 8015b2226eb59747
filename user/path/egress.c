/* SPDX-License-Identifier: MIT */
/*
 * egress.c - the send chain. egress_run() at the end of the file lists its steps; each step works
 * on a whole batch.
 *
 *   TUN ─▶ buffer: | IP packet |
 *                       └─ padded ([W] 5.4.6) and sealed into
 *                            ─▶ | outer headers | type, index, counter | ciphertext | tag |
 *                               └ a frame of the transport that sends the message (a lane)
 *
 * A packet whose peer has no usable session waits in peer->stage. Staged packets are sent before
 * any later packet of the same peer: egress_run() flushes the stages first, and while a stage is
 * not empty, later packets are appended to it. Calls go only from left to right:
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
#include "path/offsets.h"
#include "path/roaming.h"
#include "path/route_mtu.h"
#include "path/tunnel_loop.h"
#include "wgxdp/limits.h"

/* In a turn, the worker reads, seals and sends at most this many portions. So packets that arrive
 * during each send cannot keep the worker from receiving. */
#define PORTIONS_PER_TURN 3

/* Reads a portion: packets until the buffer is full, until they make FRAME_BATCH messages together
 * with the portions before, or until the TUN device has no more packets. Adds the messages to
 * *@messages. A large packet (GSO) makes many messages. A refused packet counts as one message, so
 * that a long run of refused packets ends, too. */
static unsigned read_tun(struct worker *w, unsigned *messages)
{
	uint8_t *at = w->egress.buffer, *end = at + EGRESS_BUFFER_LEN;
	unsigned n = 0;

	while (*messages < FRAME_BATCH && end - at >= EGRESS_PACKET_MAX + WIRE_PADDING) {
		struct out_packet *p = &w->egress.packets[n];
		struct virtio_net_hdr vnet;
		int len = tun_read(w->config.tun, &vnet, at, EGRESS_PACKET_MAX);

		if (len == -EMSGSIZE) {
			chain_drop(w, REASON_too_big, 1);
			++*messages;
			continue;
		}
		if (len <= 0)
			break;
		*p = (struct out_packet){ .data = at };
		if (!gso_parse(&p->gso, &vnet, at, (uint32_t)len)) {
			chain_drop(w, REASON_bad_inner, 1);
			++*messages;
			continue;
		}
		*messages += p->gso.segments;
		at += ((size_t)len + WIRE_PADDING + 63) & ~(size_t)63;
		n++;
	}
	return n;
}

/* Makes the control thread answer the packet with an ICMP error, at a limited rate. The error is
 * "unreachable" if @mtu is 0, else "fragmentation needed" or "packet too big" with @mtu. */
static void send_icmp_error(struct worker *w, const struct out_packet *p, uint16_t mtu)
{
	uint64_t window_ns = ICMP_BURST * ICMP_INTERVAL_NS;

	if (w->icmp.full_at_ns < w->now_ns)
		w->icmp.full_at_ns = w->now_ns;
	if (w->icmp.full_at_ns - w->now_ns + ICMP_INTERVAL_NS > window_ns)
		return;
	if (!icmp_answerable(p->data, p->gso.len))
		return;
	w->icmp.full_at_ns += ICMP_INTERVAL_NS;
	handoff_unsent(w->config.handoff, p->data, p->gso.len, mtu);
}

/* Returns true if the packet exceeds the MTU of the interface and of every route, and must not be
 * fragmented. Such a packet was queued before the MTU was lowered, or its sender ignored the
 * routes. An IPv4 packet without DF is sent anyway; the kernel fragments the outer packet if
 * necessary. */
static bool exceeds_mtu(const struct worker *w, const struct out_packet *p)
{
	const struct route_mtu *routes;
	uint32_t len = gso_segment_len(&p->gso, 0);

	if (len <= atomic_load_explicit(&w->mtu, memory_order_relaxed) ||
	    (p->data[0] >> 4 == 4 && !(p->data[6] & 0x40)))
		return false;
	routes = atomic_load_explicit(&w->route_mtus, memory_order_acquire);
	return !routes || len > route_mtu_largest(routes);
}

/* Returns why the packet cannot be sent to its peer, or REASON_none. Answers a refused packet with
 * an ICMP error if there is a suitable one. */
static enum reason refuse_unsendable(struct worker *w, const struct out_packet *p)
{
	if (!p->encap) {
		send_icmp_error(w, p, 0);
		return REASON_no_endpoint;
	}
	if (tunnel_loop_is_own(p->encap, p->data, p->gso.len))
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

static bool same_destination(const struct out_packet *a, const struct out_packet *b)
{
	if (a->data[0] >> 4 != b->data[0] >> 4)
		return false;
	return a->data[0] >> 4 == 4
		       ? !memcmp(a->data + IP4_DESTINATION, b->data + IP4_DESTINATION, 4)
		       : !memcmp(a->data + IP6_DESTINATION, b->data + IP6_DESTINATION, 16);
}

/* The destination address selects the peer, [W] 2. Packets of one flow usually follow each other,
 * so the last result is reused if the destination is the same. */
static void choose_peers(struct worker *w, unsigned n)
{
	const struct allowedips *allowed = w->config.device->allowed;
	const struct out_packet *last = NULL;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++) {
		bool v6 = p->data[0] >> 4 == 6;

		if (p->gso.len >= IP4_LEN && p->data[0] >> 4 == 4) {
			p->peer = last && same_destination(last, p)
					  ? last->peer
					  : allowedips_lookup4(allowed, p->data + IP4_DESTINATION);
		} else if (p->gso.len >= IP6_LEN && v6) {
			p->peer = last && same_destination(last, p)
					  ? last->peer
					  : allowedips_lookup6(allowed, p->data + IP6_DESTINATION);
		} else {
			p->reason = REASON_bad_inner;
			continue;
		}
		if (!p->peer) {
			p->reason = REASON_no_peer;
			send_icmp_error(w, p, 0);
			continue;
		}
		last = p;
		p->encap = roaming_encap(p->peer, &w->egress.roamed[p - w->egress.packets]);
		p->reason = refuse_unsendable(w, p);
	}
}

static bool has_staged(const struct peer *p)
{
	return atomic_load_explicit(&p->stage.count, memory_order_relaxed) > 0;
}

/* Adds @p to @peers unless @p is already the last element. Returns the new count. */
static unsigned add_peer(struct peer **peers, unsigned count, struct peer *p)
{
	if (!count || peers[count - 1] != p)
		peers[count++] = p;
	return count;
}

/* Sends the packets that were staged earlier for the peers of this batch, so that the older packets
 * leave first. */
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

/* Chooses the session of each packet's peer. A packet is staged if there is no usable session, or
 * if earlier packets of its peer are still staged. */
static void choose_sessions(struct worker *w, unsigned n)
{
	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++) {
		if (p->reason != REASON_none)
			continue;
		p->session = peer_session(p->peer);
		if (!seal_session_usable(w, p->session) || has_staged(p->peer))
			seal_stage_packet(w, p);
	}
}

/* For each peer with packets that this batch has staged: sends the packets if the peer now has a
 * session, else requests a handshake. */
static void flush_staged(struct worker *w, unsigned n)
{
	struct peer *peers[FRAME_BATCH];
	unsigned count = 0;

	for (struct out_packet *p = w->egress.packets; p < w->egress.packets + n; p++)
		if (p->staged)
			count = add_peer(peers, count, p->peer);
	if (count)
		egress_flush(w, peers, count);
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
 * Requests a handshake if packets are staged but there is no usable session. Returns whether it
 * sent a batch. */
static bool gather_staged(struct worker *w, struct peer *p)
{
	struct egress *e = &w->egress;
	bool sent = false;

	while (has_staged(p)) {
		struct session *s = peer_session(p);
		const struct encap *encap =
			roaming_encap(p, &e->roamed_gathered[e->gathered_count]);
		struct staged *list;
		unsigned n;

		if (!seal_session_usable(w, s))
			chain_want_handshake(w, p);
		if (!encap || !seal_session_usable(w, s))
			break;
		list = stage_take(&p->stage, FRAME_BATCH - e->gathered_count, &n);
		for (; list; list = list->next) {
			e->staged[e->gathered_count] = list;
			e->gathered[e->gathered_count++] = (struct out_packet){
				.data = list->data,
				.gso = { .len = list->len, .segments = 1 },
				.peer = p,
				.session = s,
				.encap = encap,
			};
		}
		if (e->gathered_count == FRAME_BATCH) {
			send_gathered(w);
			sent = true;
		}
	}
	return sent;
}

/* Sends the staged packets of all peers, and repeats this pass until it sends nothing. A pass may
 * stage packets again, because their session had too few counters left or has expired meanwhile;
 * the next pass sends them if the peer already has its next session. The loop ends, because after a
 * pass that sends a batch, a stage is empty or a session is no longer usable. */
void egress_flush(struct worker *w, struct peer *const *peers, unsigned n)
{
	bool sent;

	do {
		sent = false;
		for (unsigned i = 0; i < n; i++)
			sent |= gather_staged(w, peers[i]);
		if (w->egress.gathered_count) {
			send_gathered(w);
			sent = true;
		}
	} while (sent);
}

static void send_portion(struct worker *w, unsigned n)
{
	choose_peers(w, n);
	flush_older(w, n);
	choose_sessions(w, n);
	seal_and_send(w, w->egress.packets, n);
	flush_staged(w, n);
}

unsigned egress_run(struct worker *w)
{
	unsigned packets = 0, messages = 0;

	for (unsigned portion = 0; portion < PORTIONS_PER_TURN && messages < FRAME_BATCH;
	     portion++) {
		unsigned before = messages, n = read_tun(w, &messages);

		if (n)
			send_portion(w, n);
		packets += n;
		/* The host may have queued more packets meanwhile, but hardly after a portion of
		 * one message: this is often a request or an ACK, and the host then waits. */
		if (messages <= before + 1)
			break;
	}
	return packets;
}
