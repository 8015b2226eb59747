/* SPDX-License-Identifier: MIT */
/*
 * What reaches the control thread from outside, and how much of it at a time:
 *
 *   worker 0..n ─▶ hand-off: notes ───────────────────────────▶ device_want_handshake, device_roamed, ...
 *               └▶ hand-off: messages ──┐
 *   leader of the UDP group ─▶ inbox ───┴─▶ MESSAGES_PER_TURN ─▶ device_input
 *
 * A note that finds no room is lost, and with it perhaps the only word of a packet that waits: then all
 * peers are looked at, some at a time.
 *
 * Each of the queues holds HANDSHAKE_QUEUE_LEN messages; one that is UNDER_LOAD_QUEUE_LEN full means
 * that the device is under load, [W] 5.3.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "daemon/daemon.h"

/* Taken in one go, so that timers and configuration get their turn. */
#define MESSAGES_PER_TURN 256
#define NOTES_PER_TURN 256
#define CATCH_UP_TURN_NS (5 * NS_PER_MS)

static void take_note(struct daemon *n, const struct note *note, uint64_t now_ns)
{
	struct peer *p = upcalls_peer(n, note);

	if (!p)
		return;
	switch (note->kind) {
	case NOTE_WANT_HANDSHAKE:
		device_want_handshake(&n->device, p, now_ns);
		break;
	case NOTE_CONFIRMED:
		device_confirmed(&n->device, p, indextab_session(n->device.indices, note->index),
				 now_ns);
		break;
	case NOTE_MOVED:
		device_roamed(&n->device, p, &note->from);
		nexthops_moved(n, p);
		break;
	case NOTE_WATCH:
		device_check_timers(&n->device, p, now_ns);
		break;
	case NOTE_UNALLOWED:
		diag_unallowed(n, p, &note->from);
		break;
	}
}

/* True if messages are left. */
static bool take_messages(struct daemon *n, struct handoff *h, uint64_t now_ns)
{
	struct handshake_message m;

	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		if (handoff_messages_waiting(h) >= UNDER_LOAD_QUEUE_LEN)
			n->under_load_until_ns = now_ns + UNDER_LOAD_AFTER_S * NS_PER_S;
		if (!handoff_take_message(h, &m))
			return false;
		device_input(&n->device, m.data, m.len, &m.from, now_ns < n->under_load_until_ns,
			     now_ns);
	}
	return true;
}

/* True if there is more. */
static bool take_all(struct daemon *n, struct handoff *h, uint64_t now_ns)
{
	struct note note;
	unsigned notes = 0;

	while (notes < NOTES_PER_TURN && handoff_take_note(h, &note)) {
		take_note(n, &note, now_ns);
		notes++;
	}
	if (handoff_notes_lost(h))
		n->catch_up_slot = 0;
	return take_messages(n, h, now_ns) || notes == NOTES_PER_TURN ||
	       n->catch_up_slot < n->slot_cap;
}

/* True if there is more. */
static bool catch_up(struct daemon *n, uint64_t now_ns)
{
	while (n->catch_up_slot < n->slot_cap) {
		struct peer *p = n->slots[n->catch_up_slot++];

		if (p)
			device_catch_up(&n->device, p, now_ns);
		if (loop_now_ns() - now_ns > CATCH_UP_TURN_NS)
			return n->catch_up_slot < n->slot_cap;
	}
	return false;
}

static void on_handoff(void *ctx, int fd, uint32_t events)
{
	struct dataplane_worker *nw = ctx;
	struct daemon *n = nw->node;

	(void)fd;
	(void)events;
	handoff_clear(nw->handoff);
	n->messages_left |= take_all(n, nw->handoff, loop_now_ns());
}

/* Into the inbox with all that waits at the leader's sockets; what does not fit is dropped and
 * counted there. A data message can only be here in the instant before the group is steered. */
static void on_leader(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;
	struct transport *o = n->udp.leader;
	struct rx_frame frames[FRAME_BATCH];
	unsigned got;

	(void)fd;
	(void)events;
	for (unsigned total = 0; total < HANDSHAKE_QUEUE_LEN; total += got) {
		got = o->ops->recv(o, frames, FRAME_BATCH);
		for (unsigned i = 0; i < got; i++) {
			struct endpoint from = frame_endpoint(&frames[i]);

			if (frames[i].len > sizeof(struct wire_initiation))
				n->device.counts[REASON_malformed]++;
			else if (!handoff_message(n->inbox, &from, frames[i].payload,
						  (uint16_t)frames[i].len))
				n->device.counts[REASON_queue_full]++;
		}
		o->ops->sweep(o);
		if (!got)
			break;
	}
	n->messages_left |= take_messages(n, n->inbox, loop_now_ns());
}

int handshake_rx_watch(struct daemon *n)
{
	int err = 0;

	for (unsigned i = 0; i < n->worker_count && !err; i++)
		err = loop_add(n->loop, handoff_fd(n->workers[i].handoff), EPOLLIN, on_handoff,
			       &n->workers[i]);
	return err;
}

int handshake_rx_watch_leader(struct daemon *n)
{
	if (n->worker_count == 1)
		return 0;
	return loop_add(n->loop, n->udp.leader->fd, EPOLLIN, on_leader, n);
}

void handshake_rx_go_on(struct daemon *n)
{
	if (!n->messages_left)
		return;
	n->messages_left = take_messages(n, n->inbox, loop_now_ns());
	for (unsigned i = 0; i < n->worker_count; i++)
		n->messages_left |= take_all(n, n->workers[i].handoff, loop_now_ns());
	n->messages_left |= catch_up(n, loop_now_ns());
}
