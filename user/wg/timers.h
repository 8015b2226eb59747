/* SPDX-License-Identifier: MIT */
/*
 * timers.h - the timer state machine of one peer, [W] 6. It has no clock: every call is given
 * BOOTTIME in ns, and timers_next() says when it wants to be called again.
 *
 * Workers only store three times (relaxed atomics); the control thread derives all deadlines from
 * them when it looks. So a data packet never arms or cancels anything, and a worker needs to wake
 * the control thread once at most per look (@watched), not per packet:
 *
 *   unanswered_since  first data sent since we last heard the peer   -> +15 s, jitter: new handshake
 *   owed_since        first data received since we last sent         -> +10 s passive keepalive
 *   last_traffic      newest authenticated packet either way         -> +interval persistent keepalive
 *
 *      worker: time := now; if !exchange(watched, true) note NOTE_WATCH to control
 *      control: watched := false, then look, then (re)schedule; a store in between notes again
 */
#ifndef WGXDP_TIMERS_H
#define WGXDP_TIMERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

struct timers {
	/* stored by workers and the control thread */
	_Atomic uint64_t unanswered_since_ns; /* 0 = none */
	_Atomic uint64_t owed_since_ns;	      /* 0 = none */
	_Atomic uint64_t last_traffic_ns;     /* 0 = never */
	_Atomic bool watched; /* the control thread knows that there is a deadline */
	/* control thread only */
	uint64_t retry_at_ns;	     /* an initiation is sent then; 0 = no handshake under way */
	uint64_t attempt_began_ns;   /* first initiation, or newest packet that asked for one */
	uint64_t last_initiation_ns; /* when we last sent an initiation or response; 0 = never */
	uint64_t jitter_ns;	     /* as drawn for the last initiation */
	uint64_t zero_at_ns;	     /* all keys are wiped then; 0 = nothing to wipe */
	uint64_t index_reap_ns;	     /* the next expired session is forgotten then; 0 = none */
	uint16_t attempts;	     /* initiations sent in this attempt */
	uint16_t persistent_s;	     /* persistent keepalive interval; 0 = off */
};

/* What is due; a set. The control thread does it and reports back by the functions below. */
enum timers_due {
	TIMERS_RETRY = 1 << 0,	       /* send the initiation again */
	TIMERS_GIVE_UP = 1 << 1,       /* stop trying: purge what waits, [W] 6.4 */
	TIMERS_NEW_HANDSHAKE = 1 << 2, /* 15 s + jitter without an answer: begin one, [W] 6.5 */
	TIMERS_KEEPALIVE = 1 << 3,     /* passive keepalive, [W] 6.5 */
	TIMERS_PERSISTENT = 1 << 4,    /* persistent keepalive */
	TIMERS_ZERO = 1 << 5,	       /* wipe all keys, [W] 6.3 */
	TIMERS_REAP = 1 << 6,	       /* forget sessions whose index is past its grace */
};

/* Called by whoever sends or accepts; @data: it carried a packet, not a keepalive. Any thread.
 * Return true when the control thread should be told to look (NOTE_WATCH). Who cannot tell it, for
 * want of room, sets watched to false, so that the next packet tries again. */
bool timers_sent(struct timers *t, bool data, uint64_t now_ns);
bool timers_received(struct timers *t, bool data, uint64_t now_ns);

/* Control thread. @jitter_ms: random, 0..REKEY_TIMEOUT_JITTER_MS. It puts off the retry, and every
 * new handshake for want of an answer until the next initiation: that a draw serves for both keeps
 * this free of randomness, and all that it is for is that two sides do not begin at once. */
void timers_initiation_sent(struct timers *t, uint64_t now_ns, uint32_t jitter_ms);
void timers_response_sent(struct timers *t, uint64_t now_ns); /* counts as an initiation of ours */
/* Data asks for a session while an initiation is under way or not allowed yet: tries go on for the
 * full time from now, [W] 6.4, and the next is as soon as timers_may_initiate(). */
void timers_handshake_wanted(struct timers *t, uint64_t now_ns);
/* A retry was due and may not be sent yet: it is, as soon as it may. The end of all tries stays. */
void timers_retry_put_off(struct timers *t);
void timers_session_begun(struct timers *t, uint64_t now_ns); /* keys derived: zero_at moves */
void timers_handshake_done(struct timers *t);		      /* confirmed: retries end */
void timers_reset(struct timers *t); /* peer new, keys wiped; keeps persistent_s */

/* May an initiation be sent now, i.e. REKEY_TIMEOUT_S after the last one? [W] 6.1. A response counts
 * too: its receiver is about to confirm a session, and must be given the time. */
bool timers_may_initiate(const struct timers *t, uint64_t now_ns);

/* Which of enum timers_due are due at @now_ns; what is returned is disarmed, so a second call
 * returns 0. */
unsigned timers_due(struct timers *t, uint64_t now_ns);

/* The earliest deadline, or TIMERS_NEVER; clears @watched first, see above. */
uint64_t timers_next(struct timers *t);

#endif
