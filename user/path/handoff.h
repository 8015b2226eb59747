/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - what a worker tells the control thread: two single-producer single-consumer rings,
 * one of small notes and one of whole handshake messages. A full ring drops and counts.
 *
 *   worker ──handoff_note()───▶ notes    ──handoff_take_note()────▶ control (woken by eventfd)
 *          ──handoff_message()▶ messages ──handoff_take_message()─▶
 */
#ifndef WGXDP_HANDOFF_H
#define WGXDP_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "wg/peer.h"
#include "wgxdp/wire.h"

enum note_kind {
	NOTE_WANT_HANDSHAKE, /* a packet waits for a session, or one is due for renewal */
	NOTE_CONFIRMED,	     /* peer->next opened a message */
	NOTE_MOVED,	     /* authenticated from another endpoint */
	NOTE_WATCH,	     /* timers: look at this peer */
	NOTE_UNALLOWED,	     /* debugging: it sent a packet from an address that is not its own */
};

struct note {
	enum note_kind kind;
	uint32_t slot;	      /* of the peer: a peer may be gone when the note is read */
	uint64_t serial;      /* of the peer, to compare with whom the slot holds by then */
	uint32_t index;	      /* NOTE_CONFIRMED: local index of the session */
	struct endpoint from; /* NOTE_MOVED; NOTE_UNALLOWED: that address, port 0 */
};

struct handshake_message {
	struct endpoint from;
	uint16_t len;
	uint8_t data[sizeof(struct wire_initiation)];
};

struct handoff;

struct handoff *handoff_new(void);
void handoff_free(struct handoff *h);

/* Readable (an eventfd) when something was put in since handoff_clear(). */
int handoff_fd(const struct handoff *h);

/* Worker. False when the ring is full; the control thread hears that something is lost. */
bool handoff_note(struct handoff *h, const struct note *n);
bool handoff_message(struct handoff *h, const struct endpoint *from, const void *msg, uint16_t len);
/* Worker, once a loop: wakes the control thread if anything was put in. */
void handoff_kick(struct handoff *h);

/* Worker: wakes it now, whether or not anything was put in. */
void handoff_wake(struct handoff *h);

/* Control thread. False when empty. */
void handoff_clear(struct handoff *h);
bool handoff_take_note(struct handoff *h, struct note *n);
bool handoff_take_message(struct handoff *h, struct handshake_message *m);
/* Did notes find no room since this was last asked? Then any peer may have been meant. */
bool handoff_notes_lost(struct handoff *h);
/* Messages waiting now: the measure of load. */
unsigned handoff_messages_waiting(const struct handoff *h);

#endif
