/* SPDX-License-Identifier: MIT */
/*
 * device_private.h - the functions that the four files of struct device share. Only the control
 * thread calls these functions.
 *
 *   device.c       every function of device.h: configuration, messages, workers' reports, the clock
 *      │
 *      ├──▶ handshake.c     messages of types 1 to 3, received and sent
 *      │        │  ▲
 *      │        ▼  │ a handshake is due
 *      └──▶ peer_timers.c   keepalives, retries, deadlines of one peer
 *               │
 *               ▼
 *           keypairs.c      the sessions of one peer: previous, current, next
 */
#ifndef WGXDP_DEVICE_PRIVATE_H
#define WGXDP_DEVICE_PRIVATE_H

#include "wg/device.h"

/* handshake.c APIs: */

/* Does the work of device_handshake_input(), except that it does not count the returned reason. */
enum reason handshake_input(struct device *d, const void *msg, size_t len,
			    const struct endpoint *from, bool under_load, uint64_t now_ns);

/* Begins a handshake with @p: sends an initiation as soon as timers_may_initiate() returns true.
 * Does nothing if @p cannot be reached. */
void handshake_begin(struct device *d, struct peer *p, uint64_t now_ns);

/* Sends an initiation now, which replaces a pending initiation. If the initiation cannot be made
 * (no memory, a full map), the retry timer tries again. */
void handshake_initiate(struct device *d, struct peer *p, uint64_t now_ns);

/* Wipes our pending initiation and removes its index from the tables. Does nothing if no initiation
 * is pending. */
void handshake_drop(struct device *d, struct peer *p);

/* keypairs.c APIs: */

/* Draws a random index that is not in use. Returns 0 or -ENOSPC. */
int keypairs_new_index(const struct device *d, uint32_t *index);

/* Turns the completed handshake @hs into a session of @p and wipes @hs. If we are the initiator,
 * the session becomes p->current; if we are the responder, it becomes p->next. On success, the
 * workers and the BPF maps (d->mirror) know the session's index. Returns 0, -ENOMEM, -EEXIST,
 * -ENOSPC or an error of d->mirror. After an error, neither the workers nor the maps know the
 * index. */
int keypairs_begin(struct device *d, struct peer *p, struct noise_handshake *hs, uint64_t now_ns);

/* Moves @s from p->next to p->current, because a message under @s has authenticated. */
void keypairs_confirm(struct device *d, struct peer *p, struct session *s);

/* Ends the sessions that expired more than INDEX_GRACE_S ago, and sets timers.index_reap_ns to the
 * time at which the next one must be ended. */
void keypairs_reap(struct device *d, struct peer *p, uint64_t now_ns);

/* Ends all sessions of @p. */
void keypairs_clear(struct device *d, struct peer *p);

/* peer_timers.c APIs: */

/* Returns true if messages can be sent to @p: the device is up and has a private key, and the peer
 * has an endpoint and a public key that is not of low order. Drops the staged packets of a peer
 * whose key is of low order. */
bool peer_timers_reachable(struct device *d, struct peer *p);

/* Sends @len bytes to the endpoint of @p, and counts them if the kernel accepted them. */
void peer_timers_send(struct device *d, struct peer *p, const void *msg, size_t len,
		      uint64_t now_ns);

/* Tells a worker to send the staged packets of @p, or sends a keepalive if there are none. Begins a
 * handshake if @p has no session that may send, or if the session that sent the keepalive must be
 * renewed. */
void peer_timers_keepalive(struct device *d, struct peer *p, uint64_t now_ns);

/* Does the work of device_peer_redirect() after the endpoint has been replaced. */
void peer_timers_redirected(struct device *d, struct peer *p, uint64_t now_ns);

/* Tells a worker to send the staged packets. Returns false if there are none. */
bool peer_timers_flush(struct device *d, struct peer *p);

/* Ends the retries and records the time of the handshake, which is complete and confirmed. */
void peer_timers_handshake_done(struct device *d, struct peer *p);

/* Wipes the sessions, the pending handshake and the timers. Staged packets stay. */
void peer_timers_forget(struct device *d, struct peer *p);

/* Starts the timers of the peer after peer_timers_forget(), or when the device comes up. If the
 * peer has a persistent keepalive or staged packets, the next device_tick() begins a handshake.
 * Otherwise the first packet from the host to the peer begins a handshake. */
void peer_timers_resume(struct device *d, struct peer *p, uint64_t now_ns);

/* Handles the expired timers of @p, then schedules @p. */
void peer_timers_run(struct device *d, struct peer *p, uint64_t now_ns);

/* Enters the next deadline of @p in the heap. The deadline is always later than @now_ns, because
 * device_tick() would otherwise handle @p again and again. */
void peer_timers_schedule(struct device *d, struct peer *p, uint64_t now_ns);

#endif
