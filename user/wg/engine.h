/* SPDX-License-Identifier: MIT */
/*
 * engine.h - private to the four files that make up struct device; control thread only.
 *
 *   device.c      configuration: identity, peers, their settings
 *   handshake.c   messages of types 1 to 3, in and out
 *   keypairs.c     the sessions of a peer: previous, current, next
 *   peer_timers.c      keepalives, timers, notes
 */
#ifndef WGXDP_ENGINE_H
#define WGXDP_ENGINE_H

#include "wg/device.h"

/* handshake.c APIs: */

/* Begins a handshake with @p, now or as soon as it is allowed; nothing if it cannot be reached. */
void handshake_begin(struct device *d, struct peer *p, uint64_t now_ns);

/* Sends an initiation at once, in place of one that may be pending. */
void handshake_initiate(struct device *d, struct peer *p, uint64_t now_ns);

/* Forgets our pending initiation and its index. */
void handshake_drop(struct device *d, struct peer *p);

/* keypairs.c APIs: */

/* An index that is not in use. Returns 0 or -ENOSPC. */
int keypairs_new_index(const struct device *d, uint32_t *index);

/* Turns the completed handshake @hs, wiped here, into a session of @p: as initiator it is current
 * at once, as responder it is next. Workers and XDP know its index then. Returns 0 or -errno, with
 * the index unknown. */
int keypairs_begin(struct device *d, struct peer *p, struct noise_handshake *hs, uint64_t now_ns);

/* @s, which is peer->next, was used by the other side: it becomes current. */
void keypairs_confirm(struct device *d, struct peer *p, struct session *s);

/* Drops the sessions that are INDEX_GRACE_S past their end, and sets when to look again. */
void keypairs_reap(struct device *d, struct peer *p, uint64_t now_ns);

/* Drops all sessions of @p. */
void keypairs_clear(struct device *d, struct peer *p);

/* peer_timers.c APIs: */

/* May anything be sent to @p? Up, with a private key, a usable peer key and an endpoint. */
bool peer_timers_reachable(const struct device *d, const struct peer *p);

/* Sends @len bytes to @p's endpoint, and counts them if the kernel took them. */
void peer_timers_send(struct device *d, struct peer *p, const void *msg, size_t len,
		      uint64_t now_ns);

/* Sends a keepalive, or what waits, or begins a handshake for want of a session. */
void peer_timers_keepalive(struct device *d, struct peer *p, uint64_t now_ns);

/* Lets what waits be sent. Returns false if nothing waits. */
bool peer_timers_flush(struct device *d, struct peer *p);

/* A handshake is complete and confirmed. */
void peer_timers_handshake_done(struct device *d, struct peer *p);

/* Wipes sessions, handshake and timers; what waits stays. */
void peer_timers_forget(struct device *d, struct peer *p);

/* Begins anew after peer_timers_forget() or when the device comes up: for a persistent keepalive or for
 * what waits; else the peer is silent until there is a packet. */
void peer_timers_resume(struct device *d, struct peer *p, uint64_t now_ns);

/* Enters the peer's next deadline in the heap; always later than @now_ns. */
void peer_timers_schedule(struct device *d, struct peer *p, uint64_t now_ns);

#endif
