/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - from a worker to the control thread: two single-producer single-consumer rings, one
 * for small notes and one for whole handshake messages. Items that do not fit are dropped.
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
	NOTE_WANT_HANDSHAKE, /* a packet waits for a session, or the session is due for renewal */
	NOTE_CONFIRMED,	     /* peer->next opened a message */
	NOTE_MOVED,	     /* an authenticated message came from another endpoint */
	NOTE_WATCH,	     /* check this peer's timers */
	NOTE_NO_GSO,	     /* the kernel refuses UDP_SEGMENT on the way to this peer */
	NOTE_UNALLOWED,	     /* debugging: the peer sent a packet from an address not its own */
};

struct note {
	enum note_kind kind;
	uint32_t slot;	      /* names the peer, which may be gone when the note is read */
	uint64_t serial;      /* tells whether the slot still belongs to that peer */
	uint32_t index;	      /* NOTE_CONFIRMED: local index of the session; NOTE_NO_GSO: errno */
	struct endpoint from; /* NOTE_MOVED: the new endpoint; NOTE_UNALLOWED: the source, port 0 */
};

struct handshake_message {
	struct endpoint from;
	uint16_t len;
	uint8_t data[sizeof(struct wire_initiation)];
};

struct handoff;

struct handoff *handoff_new(void);
void handoff_free(struct handoff *h);

/* An eventfd, readable when something was put in since handoff_clear(). */
int handoff_fd(const struct handoff *h);

/* Worker. False when the ring is full; handoff_notes_lost() then tells the control thread. */
bool handoff_note(struct handoff *h, const struct note *n);
bool handoff_message(struct handoff *h, const struct endpoint *from, const void *msg, uint16_t len);
/* Worker, once a loop: wakes the control thread if anything was put in. */
void handoff_kick(struct handoff *h);

/* Worker: wakes the control thread now, even if nothing was put in. */
void handoff_wake(struct handoff *h);

/* Control thread. False when empty. */
void handoff_clear(struct handoff *h);
bool handoff_take_note(struct handoff *h, struct note *n);
bool handoff_take_message(struct handoff *h, struct handshake_message *m);
/* Were notes lost since the last call? They may have concerned any peer. */
bool handoff_notes_lost(struct handoff *h);
/* The number of messages waiting now, which measures the load. */
unsigned handoff_messages_waiting(const struct handoff *h);

#endif
