/* SPDX-License-Identifier: MIT */
/*
 * session.h - one pair of transport keys ([W] 5.4.5, 5.4.6, 6.1).
 *
 * The control thread creates and retires sessions. Workers find them through peer_session() to send
 * and through the index table to receive. After a session is published, only its atomic members and
 * those under @lock change. A retired session is wiped and freed after every worker has passed a
 * quiescent point (device_ops.retire).
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
	/* used for every message */
	uint8_t send_key[AEAD_KEY_LEN];
	uint8_t recv_key[AEAD_KEY_LEN];
	struct peer *peer;
	uint64_t born_ns;	/* BOOTTIME */
	uint32_t local_index;	/* host order; the receiver index of received messages */
	uint32_t remote_index;	/* host order; the receiver index of sent messages */
	bool initiator;		/* this side sent the initiation and therefore renews the session */
	_Atomic bool revoked;	/* must not be used any more, because the control thread ended it */
	_Atomic bool confirmed; /* a worker decrypted a message while the session was peer->next */
	_Atomic uint64_t send_counter; /* next counter to use */
	/* only for receiving; @lock protects @replay */
	atomic_flag lock;
	struct replay replay;
};

/* Creates a session with a copy of @keys. Returns NULL when out of memory. */
struct session *session_new(struct peer *peer, const struct noise_keys *keys, bool initiator,
			    uint32_t local_index, uint32_t remote_index, uint64_t now_ns);

/* Wipes and frees a session. Does nothing if it is NULL. The argument is void * so that the
 * function can be given to device_ops.retire. */
void session_free(void *session);

/* Returns true if messages may still be decrypted under @s: until @s is REJECT_AFTER_TIME_S old or
 * revoked. Any thread may call it. */
bool session_may_receive(const struct session *s, uint64_t now_ns);

/* Returns true if a message may still be sealed under @s: session_may_receive() is true, and fewer
 * than REJECT_AFTER_MESSAGES were sent. Any thread may call this function. */
bool session_may_send(const struct session *s, uint64_t now_ns);

/* Reserves @n successive counters and sets *@first to the first of them. Returns false if fewer
 * than @n counters are left below REJECT_AFTER_MESSAGES. In that case session_may_send() returns
 * false from then on. Any thread may call this function. */
bool session_take_counters(struct session *s, unsigned n, uint64_t *first)
	__attribute__((warn_unused_result));

/* Call after sending. Returns true if the session must be renewed ([W] 6.2): by the
 * initiator after 120 s, by either side after sending 2^60 messages. Any thread may call it. */
bool session_renew_after_send(const struct session *s, uint64_t now_ns);

/* Call after receiving. Returns true if the session must be renewed ([W] 6.2): by the
 * initiator after 165 s = REJECT_AFTER_TIME_S - KEEPALIVE_TIMEOUT_S - REKEY_TIMEOUT_S. Any
 * thread may call it. */
bool session_renew_after_receive(const struct session *s, uint64_t now_ns);

/* Hold this lock around the replay_accept() calls of one session in a batch. Make no system call
 * while you hold it. Any thread may call these functions. */
void session_lock(struct session *s);
void session_unlock(struct session *s);

#endif
