/* SPDX-License-Identifier: MIT */
/*
 * session.h - one pair of transport keys, [W] 5.4.5, 5.4.6, 6.1.
 *
 * The control thread creates and retires sessions. Workers find them through peer->current
 * (sending) and the index table (receiving). Only the atomic members and those under @lock change
 * after publication. A session is wiped and freed after every worker has passed a quiescent point
 * (device_ops.retire).
 */
#ifndef WGXDP_SESSION_H
#define WGXDP_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/aead.h"
#include "wg/noise.h"
#include "wg/replay.h"

struct peer;

struct session {
	/* hot */
	uint8_t send_key[AEAD_KEY_LEN];
	uint8_t recv_key[AEAD_KEY_LEN];
	struct peer *peer;
	uint64_t born_ns;	/* BOOTTIME */
	uint32_t local_index;	/* host order; the receiver index of received messages */
	uint32_t remote_index;	/* host order; the receiver index of sent messages */
	bool initiator;		/* this side sent the initiation and therefore renews the session */
	_Atomic bool revoked;	/* must not be used any more (key changed, peer removed) */
	_Atomic bool confirmed; /* as peer->next: it opened a message, see peer_session() */
	_Atomic uint64_t send_counter; /* next counter to use */
	/* receiving, under @lock */
	atomic_flag lock;
	struct replay replay;
};

/* Creates a session with a copy of @keys. Returns NULL when out of memory. */
struct session *session_new(struct peer *peer, const struct noise_keys *keys, bool initiator,
			    uint32_t local_index, uint32_t remote_index, uint64_t now_ns);

/* Wipes and frees; NULL is fine. Takes void * to serve as a retire callback. */
void session_free(void *session);

/* May the session still open messages? True for REJECT_AFTER_TIME_S, unless revoked. Any thread. */
bool session_may_receive(const struct session *s, uint64_t now_ns);

/* May the session still seal a message? As above, and below REJECT_AFTER_MESSAGES. Any thread. */
bool session_may_send(const struct session *s, uint64_t now_ns);

/* Takes @n successive counters, of which *@first is the first. Returns false if fewer than @n are
 * left before REJECT_AFTER_MESSAGES; the session is then finished and may not send any more. Any
 * thread. */
bool session_take_counters(struct session *s, unsigned n, uint64_t *first)
	__attribute__((warn_unused_result));

/* Must the session be renewed, asked after sending? [W] 6.2: the initiator after 120 s, both sides
 * after 2^60 messages. */
bool session_renew_after_send(const struct session *s, uint64_t now_ns);

/* The same, asked after receiving: the initiator renews 165 s = 180 - 10 - 5 after birth, [W]
 * 6.2. */
bool session_renew_after_receive(const struct session *s, uint64_t now_ns);

/* Hold this lock around the replay_accept() calls of one session in a batch. Never hold it over a
 * system call. */
void session_lock(struct session *s);
void session_unlock(struct session *s);

#endif
