/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * limits.h - the limits of the protocol ([W] 6.1 to 6.5) and our own. The unit is in the name.
 * Included by bpf/ and user/.
 *
 *   a session, in s:  0 ────────────── 120 ───────────── 180 ── 185 ─────── 540
 *                     begins        initiator           ends   index       all keys
 *                                   renews                     ends        are wiped
 */
#ifndef WGXDP_LIMITS_H
#define WGXDP_LIMITS_H

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

/* [W] 6.1: a session is renewed at the first REKEY_AFTER_* limit that it reaches, and ends at the
 * first REJECT_AFTER_* limit. */
#define REKEY_AFTER_MESSAGES (1ULL << 60)
#define REJECT_AFTER_MESSAGES (~0ULL - (1ULL << 13)) /* 2^64 - 2^13 - 1 */
#define REKEY_AFTER_TIME_S 120
#define REJECT_AFTER_TIME_S 180
#define REKEY_ATTEMPT_TIME_S 90 /* a handshake is given up after this time */
#define REKEY_TIMEOUT_S 5	/* an initiation is repeated after this time, plus jitter */
#define REKEY_TIMEOUT_JITTER_MS 334
#define KEEPALIVE_TIMEOUT_S 10
/* The session keys and pending handshakes of a peer are wiped this long after its newest session
 * began or, if it has none, after a handshake was given up. */
#define ZERO_AFTER_TIME_S (REJECT_AFTER_TIME_S * 3)
/* A receiver index stays known this long after its session has ended, so that late packets are
 * counted as `expired` and not as `unknown_index`. */
#define INDEX_GRACE_S 5

#define COOKIE_SECRET_MAX_AGE_S 120 /* [W] 5.4.7: the secret Rm changes every two minutes */
/* A received cookie is used for COOKIE_SECRET_MAX_AGE_S minus this time, because a message with the
 * cookie must arrive before the peer changes its secret. */
#define COOKIE_SECRET_LATENCY_S 5
#define INITIATIONS_PER_SECOND 50 /* accepted from one peer, as in the kernel's WireGuard */

#define REPLAY_WINDOW_BITS 8192 /* RFC 6479; only 8192 - 64 bits are usable as a window */

/* Peers of one tunnel interface. The slots of the peers are 0..PEERS_MAX-1, and each BPF map whose
 * key is a slot has room for PEERS_MAX entries. */
#define PEERS_MAX (1U << 20)
#define ALLOWED_IPS_MAX (1U << 20) /* per family */
#define SESSIONS_MAX (1U << 20)	   /* receiver indices of pending handshakes and sessions */

#define STAGED_PER_PEER 128	 /* packets that wait for a session; the oldest is dropped first */
#define STAGED_TOTAL (1U << 16)	 /* waiting packets of all peers */
#define STAGED_BYTES (64U << 20) /* memory for the waiting packets of all peers */

#define HANDSHAKE_QUEUE_LEN 4096 /* messages of types 1-3 in each queue to the control thread */
/* The device is under load while a queue of handshake messages holds at least this number of
 * messages, and for UNDER_LOAD_AFTER_S afterwards. */
#define UNDER_LOAD_QUEUE_LEN (HANDSHAKE_QUEUE_LEN / 8)
#define UNDER_LOAD_AFTER_S 1

#define HANDSHAKE_RATE_PER_S 100 /* per source, while under load; the default of --handshake-rate */
#define HANDSHAKE_BURST 200	 /* per source, while under load */

/* Work on many peers pauses after this time and continues in the next turn of the event loop, so
 * that handshakes need not wait until all peers are done. */
#define PASS_TURN_NS (5 * NS_PER_MS)

#define IFNAME_MAX 15 /* bytes of an interface name, without the NUL */
#define DATAGRAM_MAX 65535

#endif
