/* SPDX-License-Identifier: MIT */
/*
 * session.h - one pair of transport keys, [W] 5.4.5, 5.4.6, 6.1.
 *
 * Made and retired by the control thread; used by workers through peer->current (sending) and the
 * index table (receiving). Immutable after publication but for the marked members. Freed, with
 * its keys wiped, only after every worker has passed a quiescent point (device_ops.retire).
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
	uint32_t local_index;	/* host order; the receiver index of what we get */
	uint32_t remote_index;	/* host order; the receiver index of what we send */
	bool initiator;		/* we sent the initiation: renewing it is our part */
	_Atomic bool revoked;	/* sends and accepts nothing any more (key changed, peer gone) */
	_Atomic bool confirmed; /* as peer->next: a message came under it, see peer_session() */
	_Atomic uint64_t send_counter; /* next counter to use */
	/* receive side, under @lock */
	atomic_flag lock;
	struct replay replay;
};

/* A new session from @keys (copied). Returns NULL when out of memory. */
struct session *session_new(struct peer *peer, const struct noise_keys *keys, bool initiator,
			    uint32_t local_index, uint32_t remote_index, uint64_t now_ns);

/* Wipes and frees; NULL is fine. Takes void * so that it can be a retire callback. */
void session_free(void *session);

/* May it still open messages? Within REJECT_AFTER_TIME_S and not revoked. Any thread. */
bool session_may_receive(const struct session *s, uint64_t now_ns);

/* May it still seal a message? As above, and below REJECT_AFTER_MESSAGES. Any thread. */
bool session_may_send(const struct session *s, uint64_t now_ns);

/* Takes @n successive counters. Returns true and the first in *@first; false when fewer than @n are left
 * before REJECT_AFTER_MESSAGES: the session is then finished, it may send nothing more. Any thread. */
bool session_take_counters(struct session *s, unsigned n, uint64_t *first)
	__attribute__((warn_unused_result));

/* Is it time to renew it, seen after sending ([W] 6.2: initiator, 120 s or 2^60 messages)? */
bool session_renew_after_send(const struct session *s, uint64_t now_ns);

/* The same after receiving: the initiator renews 165 s = 180 - 10 - 5 after birth, [W] 6.2. */
bool session_renew_after_receive(const struct session *s, uint64_t now_ns);

/* Bracket for a run of replay_accept() of one session. Short; never held over a system call. */
void session_lock(struct session *s);
void session_unlock(struct session *s);

#endif
