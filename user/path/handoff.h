/* SPDX-License-Identifier: MIT */
/*
 * handoff.h - passes items from a worker to the control thread, in three single-producer
 * single-consumer rings: small notes, whole handshake messages, and packets that the control thread
 * answers with an ICMP error. If a ring is full, new items for it are dropped.
 *
 *   worker ──handoff_note()───▶ notes    ──handoff_take_note()────▶ control (woken by eventfd)
 *          ──handoff_message()▶ messages ──handoff_take_message()─▶
 *          ──handoff_unsent()─▶ unsent   ──handoff_take_unsent()──▶
 */
#ifndef WGXDP_HANDOFF_H
#define WGXDP_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "path/icmp.h"
#include "wg/peer.h"
#include "wgxdp/wire.h"

enum note_kind {
	NOTE_WANT_HANDSHAKE, /* a packet waits for a session, or the session is due for renewal */
	NOTE_CONFIRMED,	     /* a message was decrypted with the keys of the session peer->next */
	NOTE_ROAMED,	     /* an authenticated message came from another endpoint */
	NOTE_WATCH,	     /* check this peer's timers */
	NOTE_NO_GSO,	     /* the kernel refuses UDP_SEGMENT on the path to this peer */
	NOTE_UNALLOWED,	     /* debugging: a packet's source is not an allowed IP of the peer */
};

struct note {
	enum note_kind kind;
	uint32_t slot;	      /* slot of the peer, which may be gone when the note is read */
	uint64_t serial;      /* serial of the peer; shows whether the slot still belongs to it */
	uint32_t index;	      /* NOTE_CONFIRMED: local index of the session; NOTE_NO_GSO: errno */
	struct endpoint from; /* NOTE_ROAMED: new endpoint; NOTE_UNALLOWED: source, with port 0 */
};

struct handshake_message {
	struct endpoint from;
	uint16_t len;
	uint8_t data[sizeof(struct wire_initiation)];
};

/* The beginning of an inner packet that could not be sent. */
struct unsent_packet {
	uint16_t mtu; /* the MTU that the packet exceeds; 0: the destination is unreachable */
	uint16_t len;
	uint8_t data[ICMP_QUOTED_MAX];
};

struct handoff;

struct handoff *handoff_new(void); /* returns NULL and sets errno on failure */
void handoff_free(struct handoff *h);

/* Returns an eventfd. handoff_kick() and handoff_wake() make the eventfd readable, and
 * handoff_clear() resets it. */
int handoff_fd(const struct handoff *h);

/* Worker: add a note or a message. Return false if the ring for it is full, or if the message is
 * longer than an initiation. */
bool handoff_note(struct handoff *h, const struct note *n);
bool handoff_message(struct handoff *h, const struct endpoint *from, const void *msg, uint16_t len);
/* Worker: adds the part of a packet that an ICMP error quotes. Returns false if the ring is
 * full. */
bool handoff_unsent(struct handoff *h, const uint8_t *packet, size_t len, uint16_t mtu);
/* Worker: wakes the control thread if anything was added since the last kick. Called once in each
 * iteration of the worker's loop. */
void handoff_kick(struct handoff *h);

/* Worker: wakes the control thread now, even if nothing was added. */
void handoff_wake(struct handoff *h);

/* Control thread: resets the eventfd. Call this before emptying the rings. */
void handoff_clear(struct handoff *h);
/* Control thread: removes the oldest note, message or packet. Returns false if there is none. */
bool handoff_take_note(struct handoff *h, struct note *n);
bool handoff_take_message(struct handoff *h, struct handshake_message *m);
bool handoff_take_unsent(struct handoff *h, struct unsent_packet *u);
/* Control thread: returns true if notes were dropped since the last call. A dropped note may have
 * been about any peer. */
bool handoff_notes_lost(struct handoff *h);
/* Control thread: returns the number of messages in the ring, as a measure of the load. */
unsigned handoff_messages_waiting(const struct handoff *h);
bool handoff_unsent_waiting(const struct handoff *h);

#endif
