/* SPDX-License-Identifier: MIT */
#include "sync/handshake_rx.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "path/handoff.h"
#include "sync/icmp_sender.h"

/* One turn of the event loop handles at most this many handshake messages, and this many notes
 * (short reports about a peer), of one worker, so that timers and configuration are not delayed. */
#define MESSAGES_PER_TURN 256
#define NOTES_PER_TURN 256
/* If a worker had no room for a note and dropped the note, all peers must be checked. One turn of
 * the event loop spends at most this time on the check. */
#define CATCH_UP_TURN_NS (5 * NS_PER_MS)

static void handle_note(struct handshake_rx *rx, const struct note *note, uint64_t now_ns)
{
	struct device *device = rx->config.device;
	struct peer *p = device_peer_at(device, note->slot, note->serial);

	if (!p)
		return;
	switch (note->kind) {
	case NOTE_WANT_HANDSHAKE:
		device_want_handshake(device, p, now_ns);
		break;
	case NOTE_CONFIRMED:
		device_confirmed(device, p, indextab_session(device->indices, note->index), now_ns);
		break;
	case NOTE_ROAMED:
		device_roamed(device, p, &note->from);
		nexthops_roamed(rx->config.nexthops, p);
		break;
	case NOTE_WATCH:
		device_check_timers(device, p, now_ns);
		break;
	case NOTE_NO_GSO:
		diag_no_gso(p, (int)note->index);
		break;
	case NOTE_UNALLOWED:
		diag_unallowed(rx->config.diag, p, &note->from);
		break;
	}
}

/* Handles at most NOTES_PER_TURN notes. Returns true if more may be left in the queue. Reads the
 * clock for each note, because a time that was read before the note arrived could be earlier than
 * times that the device has recorded. */
static bool handle_notes(struct handshake_rx *rx, struct handoff *h)
{
	struct note note;
	unsigned notes = 0;

	while (notes < NOTES_PER_TURN && handoff_take_note(h, &note)) {
		handle_note(rx, &note, loop_now_ns());
		notes++;
	}
	/* A dropped note may have been about any peer, so check all of them. If such a pass is in
	 * progress, it continues at its current peer: a restart after each loss could keep the pass
	 * from reaching the last peers. */
	if (handoff_notes_lost(h))
		rx->catch_up_left = rx->config.device->next_slot;
	return notes == NOTES_PER_TURN;
}

/* Handles at most MESSAGES_PER_TURN messages. Returns true if more may be left in the queue. Reads
 * the clock for each message, because a turn may take long. If all messages had the time at which
 * the turn began, an initiation that arrives later in the turn would seem to follow the peer's last
 * initiation too soon, and would be dropped as rate_limited. */
static bool handle_messages(struct handshake_rx *rx, struct handoff *h)
{
	struct handshake_message m;

	for (unsigned i = 0; i < MESSAGES_PER_TURN; i++) {
		unsigned waiting = handoff_messages_waiting(h);
		uint64_t now_ns;

		if (!handoff_take_message(h, &m))
			return false;
		now_ns = loop_now_ns();
		if (waiting >= UNDER_LOAD_QUEUE_LEN)
			rx->under_load_until_ns = now_ns + UNDER_LOAD_AFTER_S * NS_PER_S;
		device_handshake_input(rx->config.device, m.data, m.len, &m.from,
				       now_ns < rx->under_load_until_ns, now_ns);
	}
	return true;
}

/* Handles the notes and messages of one worker, and answers its unsent packets with ICMP errors.
 * Schedules another turn if notes or messages are left. */
static void handle_handoff(struct handshake_rx *rx, struct handoff *h)
{
	bool left = handle_notes(rx, h);

	left |= handle_messages(rx, h);
	icmp_sender_run(rx->config.tunnel, h);
	if (left || rx->catch_up_left)
		loop_timer_arm(&rx->rest_timer, 0);
}

static void handle_inbox(struct handshake_rx *rx)
{
	if (handle_messages(rx, rx->inbox))
		loop_timer_arm(&rx->rest_timer, 0);
}

static void catch_up(struct handshake_rx *rx)
{
	struct device *device = rx->config.device;
	uint64_t until_ns = loop_now_ns() + CATCH_UP_TURN_NS, now_ns;

	for (; rx->catch_up_left && (now_ns = loop_now_ns()) <= until_ns; rx->catch_up_left--) {
		struct peer *p;

		if (rx->catch_up_slot >= device->next_slot)
			rx->catch_up_slot = 0;
		p = device->by_slot[rx->catch_up_slot++];
		if (p)
			device_catch_up(device, p, now_ns);
	}
	if (rx->catch_up_left)
		loop_timer_arm(&rx->rest_timer, 0);
}

static void handle_rest(void *ctx, uint64_t now_ns)
{
	struct handshake_rx *rx = ctx;

	(void)now_ns;
	handle_inbox(rx);
	for (unsigned i = 0; i < rx->source_count; i++)
		handle_handoff(rx, rx->sources[i].handoff);
	catch_up(rx);
}

static void on_handoff(void *ctx, int fd, uint32_t events)
{
	struct handshake_rx_source *source = ctx;

	(void)fd;
	(void)events;
	handoff_clear(source->handoff);
	handle_handoff(source->rx, source->handoff);
}

/* Moves messages from the leader's sockets into the inbox until the sockets are empty or
 * HANDSHAKE_QUEUE_LEN messages were read. Messages for which the inbox has no room are dropped and
 * counted. A message that is longer than an initiation is not a handshake message. Such a message
 * is dropped and counted, too. */
static void on_leader(void *ctx, int fd, uint32_t events)
{
	struct handshake_rx *rx = ctx;
	struct transport *leader = rx->config.dataplane->udp.leader;
	uint64_t *counts = rx->config.device->counts;
	struct rx_frame frames[FRAME_BATCH];
	unsigned got;

	(void)fd;
	(void)events;
	for (unsigned total = 0; total < HANDSHAKE_QUEUE_LEN; total += got) {
		got = leader->ops->recv(leader, frames, FRAME_BATCH);
		for (unsigned i = 0; i < got; i++) {
			struct endpoint from = frame_endpoint(&frames[i]);

			if (frames[i].len > sizeof(struct wire_initiation))
				counts[REASON_malformed]++;
			else if (!handoff_message(rx->inbox, &from, frames[i].payload,
						  (uint16_t)frames[i].len))
				counts[REASON_queue_full]++;
		}
		leader->ops->sweep(leader);
		if (!got)
			break;
	}
	handle_inbox(rx);
}

int handshake_rx_watch(struct handshake_rx *rx)
{
	const struct workers *workers = &rx->config.dataplane->workers;
	int err = 0;

	for (unsigned i = 0; i < workers->count && !err; i++) {
		struct handshake_rx_source *source = &rx->sources[i];

		*source = (struct handshake_rx_source){ rx, workers->handoffs[i] };
		err = loop_add(rx->config.loop, handoff_fd(source->handoff), EPOLLIN, on_handoff,
			       source);
		if (!err)
			rx->source_count = i + 1;
	}
	return err;
}

int handshake_rx_watch_leader(struct handshake_rx *rx)
{
	const struct udp_group *udp = &rx->config.dataplane->udp;
	int err;

	if (!udp->member_count) /* the only worker reads the leader itself */
		return 0;
	err = loop_add(rx->config.loop, udp->leader->fd, EPOLLIN, on_leader, rx);
	if (!err)
		rx->leader_fd = udp->leader->fd;
	return err;
}

void handshake_rx_unwatch_leader(struct handshake_rx *rx)
{
	if (rx->leader_fd >= 0)
		loop_delete(rx->config.loop, rx->leader_fd);
	rx->leader_fd = -1;
}

int handshake_rx_init(struct handshake_rx *rx, const struct handshake_rx_config *config)
{
	*rx = (struct handshake_rx){ .config = *config, .leader_fd = -1 };
	loop_timer_init(&rx->rest_timer, config->loop, handle_rest, rx);
	rx->inbox = handoff_new();
	return rx->inbox ? 0 : -errno;
}

void handshake_rx_done(struct handshake_rx *rx)
{
	loop_timer_done(&rx->rest_timer);
	handoff_free(rx->inbox);
	rx->inbox = NULL;
}
