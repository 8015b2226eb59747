/* SPDX-License-Identifier: MIT */
/*
 * timers.h - the timer state machine of one peer ([W] 6). Callers pass the time
 * (BOOTTIME in ns), and timers_next() returns the time at which timers_due() must be called next.
 *
 * Sending or receiving a message updates some of four timestamps (relaxed atomics):
 *
 *   unanswered_since  first data sent since we last received        +15 s, jitter: new handshake
 *   owed_since        first data received since we last sent        +10 s: passive keepalive
 *   last_traffic      newest authentic packet, either direction     +interval: persistent keepalive
 *   last_received     newest authentic packet from the peer         no deadline; shows liveness
 *
 * The control thread derives these deadlines from the timestamps, so a data packet never arms or
 * cancels a timer. A packet does not wake the control thread if the control thread will read the
 * timestamps within 10 s anyway, because the timer that a packet starts runs for at least 10 s. So
 * the control thread reads the timestamps of a peer with steady traffic once in 10 s. The flag
 * @watched is true if a worker has told the control thread to read them, or if the control thread
 * will read them within 10 s anyway:
 *
 *      worker:   time := now; if !exchange(watched, true), send NOTE_WATCH to the control thread
 *      control:  watched := false, then read the times; if data is unanswered or a keepalive is
 *                owed, watched := true; then schedule the peer, in that case within 10 s
 */
#ifndef WGXDP_TIMERS_H
#define WGXDP_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

struct timers {
	/* stored by workers and the control thread */
	_Atomic uint64_t unanswered_since_ns; /* 0 = no data is unanswered */
	_Atomic uint64_t owed_since_ns;	      /* 0 = no keepalive is owed */
	_Atomic uint64_t last_traffic_ns;     /* 0 = never */
	_Atomic uint64_t last_received_ns;    /* 0 = never */
	/* true: a worker that starts a timer need not send NOTE_WATCH. Either a NOTE_WATCH was sent
	 * after the control thread last read the times, or the control thread will read the times
	 * again within 10 s of its last reading. */
	_Atomic bool watched;
	/* control thread only */
	uint64_t retry_at_ns; /* when the next initiation is sent; 0 = no handshake in progress */
	/* when the first initiation of this attempt was sent, or when a packet last needed a
	 * session, whichever is later */
	uint64_t attempt_began_ns;
	uint64_t last_initiation_ns; /* time of our newest initiation or response; 0 = never */
	uint64_t jitter_ns;	     /* random delay drawn for the last initiation */
	uint64_t zero_at_ns;	     /* when all session keys are wiped; 0 = none to wipe */
	uint64_t index_reap_ns;	     /* when the next expired session is removed; 0 = none */
	uint16_t attempts;	     /* initiations sent in this attempt */
	uint16_t persistent_s;	     /* persistent keepalive interval; 0 = off */
};

/* Flags for the timers that have expired; [W] is the WireGuard paper. The control thread handles
 * them. When it has sent a message or begun a session, it calls the functions below. */
enum timers_due {
	TIMERS_RETRY = 1 << 0,	       /* send another initiation */
	TIMERS_GIVE_UP = 1 << 1,       /* stop trying; drop the packets that wait, [W] 6.4 */
	TIMERS_NEW_HANDSHAKE = 1 << 2, /* no answer for 15 s + jitter, [W] 6.5 */
	TIMERS_KEEPALIVE = 1 << 3,     /* passive keepalive, [W] 6.5 */
	TIMERS_PERSISTENT = 1 << 4,    /* persistent keepalive */
	TIMERS_ZERO = 1 << 5,	       /* wipe all session keys, [W] 6.3 */
	TIMERS_REAP = 1 << 6,	       /* end the sessions whose index is past its grace period */
};

/* Call when an authenticated message was sent or received. @data: the message carried a packet and
 * was not a keepalive. Return true if the caller must tell the control thread to check the timers
 * (NOTE_WATCH). If the ring to the control thread is full, the caller sets @watched to false, so
 * that the next packet that starts a timer tries again. Any thread may call these functions. */
bool timers_sent(struct timers *t, bool data, uint64_t now_ns);
bool timers_received(struct timers *t, bool data, uint64_t now_ns);

/* Only the control thread calls the functions from here on. */

/* Call when an initiation was sent. @jitter_ms: random, 0..REKEY_TIMEOUT_JITTER_MS. Until the next
 * initiation, the jitter is added to the delays of the retry and of TIMERS_NEW_HANDSHAKE, so that
 * the two sides do not initiate at the same time. */
void timers_initiation_sent(struct timers *t, uint64_t now_ns, uint32_t jitter_ms);
/* Call when a response was sent. It counts as an initiation for timers_may_initiate(). */
void timers_response_sent(struct timers *t, uint64_t now_ns);
/* Call when a packet needs a session, also if an initiation is already pending. Retries go on for
 * the full REKEY_ATTEMPT_TIME_S from now ([W] 6.4). If no initiation is pending, one
 * is sent as soon as timers_may_initiate() returns true. */
void timers_handshake_wanted(struct timers *t, uint64_t now_ns);
/* Call if a retry is due but not allowed yet. The retry waits until timers_may_initiate() returns
 * true. The end of the attempt is not postponed. */
void timers_retry_put_off(struct timers *t);
/* Call when the keys of a new session were derived. Postpones the wiping of all keys. */
void timers_session_begun(struct timers *t, uint64_t now_ns);
/* Call when the handshake is complete and confirmed. Ends the retries. */
void timers_handshake_done(struct timers *t);
/* Clears everything except persistent_s and last_received_ns, for peer_timers_forget(). */
void timers_reset(struct timers *t);

/* Returns true if an initiation may be sent now: REKEY_TIMEOUT_S have passed since our last
 * initiation ([W] 6.1) and since our last response. The receiver of a response needs
 * that time to confirm the session. */
bool timers_may_initiate(const struct timers *t, uint64_t now_ns);

/* Returns the set of enum timers_due flags for the timers that have expired at @now_ns, and disarms
 * these timers. So a second call returns 0. */
unsigned timers_due(struct timers *t, uint64_t now_ns);

/* Returns the time at which timers_due() must be called next: the earliest deadline, but no later
 * than 10 s after @now_ns if data is unanswered or a keepalive is owed (see the top of this file).
 * Returns TIMERS_NEVER if there is no deadline. The caller must call timers_due() at the returned
 * time, because workers rely on that call. */
uint64_t timers_next(struct timers *t, uint64_t now_ns);

#endif
