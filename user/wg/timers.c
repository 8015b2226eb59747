/* SPDX-License-Identifier: MIT */
/*
 * timers.c - timers.h has the picture. This is how the control thread learns of a new deadline:
 *
 *     worker:   time := now        (A)            control:  exchange(watched, false)  (C)
 *               exchange(watched, true)  (B)                read the times            (D)
 *                                                           if one is set,
 *                                                           exchange(watched, true)   (E)
 *
 * A check of the timers consists of C, D and E, see timers_next(). All exchanges are
 * acquire-release on one variable. So after an exchange, a thread sees everything that other
 * threads stored before their earlier exchanges:
 *
 *   B before C           D sees the time that A stored.
 *   B between C and E    The first such B reads false, so its worker tells the control thread to
 *                        check the timers. That check comes after E. It sees the A of every worker
 *                        whose B came before E.
 *   B after E            The next check sees A. It comes at most CHECK_NS after E, and the deadline
 *                        is at least CHECK_NS after the time that A stored.
 *
 * In the last case the check may be late, because the worker may have read the time before E, when
 * its turn (one pass of its loop) began. The delay is at most the part of the turn before B.
 */
#include "wg/timers.h"

#include "util/counter.h"
#include "wgxdp/limits.h"

#define RETRY_NS (REKEY_TIMEOUT_S * NS_PER_S)
#define ATTEMPT_NS (REKEY_ATTEMPT_TIME_S * NS_PER_S)
#define UNANSWERED_NS ((KEEPALIVE_TIMEOUT_S + REKEY_TIMEOUT_S) * NS_PER_S)
#define OWED_NS (KEEPALIVE_TIMEOUT_S * NS_PER_S)
#define ZERO_NS (ZERO_AFTER_TIME_S * NS_PER_S)
#define CHECK_NS OWED_NS /* longest time between checks: the minimum of OWED_NS and UNANSWERED_NS */

static void store_time(_Atomic uint64_t *time, uint64_t value)
{
	atomic_store_explicit(time, value, memory_order_relaxed);
}

/* Sets @time to @now_ns if it is unset. Returns true if the caller must tell the control thread to
 * check the timers. */
static bool begin_time(struct timers *t, _Atomic uint64_t *time, uint64_t now_ns)
{
	uint64_t unset = 0;

	/* A (see the top of this file) */
	if (counter_read(time) ||
	    !atomic_compare_exchange_strong_explicit(time, &unset, now_ns, memory_order_relaxed,
						     memory_order_relaxed))
		return false;
	/* B, pairs with C in timers_next() */
	return !atomic_exchange_explicit(&t->watched, true, memory_order_acq_rel);
}

/* Unsets @time. Writes only if @time is set, because a write removes the cache line from the caches
 * of other CPUs. */
static void clear_time(_Atomic uint64_t *time)
{
	if (counter_read(time))
		store_time(time, 0);
}

bool timers_sent(struct timers *t, bool data, uint64_t now_ns)
{
	store_time(&t->last_traffic_ns, now_ns);
	clear_time(&t->owed_since_ns);
	return data && begin_time(t, &t->unanswered_since_ns, now_ns);
}

bool timers_received(struct timers *t, bool data, uint64_t now_ns)
{
	store_time(&t->last_traffic_ns, now_ns);
	store_time(&t->last_received_ns, now_ns);
	clear_time(&t->unanswered_since_ns);
	return data && begin_time(t, &t->owed_since_ns, now_ns);
}

void timers_initiation_sent(struct timers *t, uint64_t now_ns, uint32_t jitter_ms)
{
	if (!t->attempts)
		t->attempt_began_ns = now_ns;
	t->attempts++;
	t->last_initiation_ns = now_ns;
	t->jitter_ns = jitter_ms * NS_PER_MS;
	t->retry_at_ns = now_ns + RETRY_NS + t->jitter_ns;
}

void timers_response_sent(struct timers *t, uint64_t now_ns)
{
	t->last_initiation_ns = now_ns;
}

void timers_retry_put_off(struct timers *t)
{
	t->retry_at_ns = t->last_initiation_ns + RETRY_NS;
}

void timers_handshake_wanted(struct timers *t, uint64_t now_ns)
{
	t->attempt_began_ns = now_ns;
	if (!t->retry_at_ns)
		timers_retry_put_off(t);
}

void timers_session_begun(struct timers *t, uint64_t now_ns)
{
	t->zero_at_ns = now_ns + ZERO_NS;
}

void timers_handshake_done(struct timers *t)
{
	t->retry_at_ns = 0;
	t->attempt_began_ns = 0;
	t->attempts = 0;
}

void timers_reset(struct timers *t)
{
	store_time(&t->unanswered_since_ns, 0);
	store_time(&t->owed_since_ns, 0);
	store_time(&t->last_traffic_ns, 0);
	atomic_store_explicit(&t->watched, false, memory_order_relaxed);
	timers_handshake_done(t);
	t->last_initiation_ns = 0;
	t->jitter_ns = 0;
	t->zero_at_ns = 0;
	t->index_reap_ns = 0;
}

bool timers_may_initiate(const struct timers *t, uint64_t now_ns)
{
	return !t->last_initiation_ns || now_ns >= t->last_initiation_ns + RETRY_NS;
}

static uint64_t persistent_at(const struct timers *t)
{
	uint64_t last = counter_read(&t->last_traffic_ns);

	if (!t->persistent_s)
		return TIMERS_NEVER;
	return last ? last + t->persistent_s * NS_PER_S : 0;
}

/* Returns true, and clears *@at, if the deadline *@at has passed. Only the control thread writes
 * *@at. */
static bool take_deadline(uint64_t *at, uint64_t now_ns)
{
	if (!*at || now_ns < *at)
		return false;
	*at = 0;
	return true;
}

/* Returns true, and unsets @time, if @span has passed since @time. Returns false if a worker stores
 * a new time at this moment, because the new time has its own deadline. */
static bool take_elapsed(_Atomic uint64_t *time, uint64_t span, uint64_t now_ns)
{
	uint64_t since = counter_read(time);

	return since && now_ns >= since + span &&
	       atomic_compare_exchange_strong_explicit(time, &since, 0, memory_order_relaxed,
						       memory_order_relaxed);
}

/* Retries go on for REKEY_ATTEMPT_TIME_S after a packet last needed a session ([W]
 * 6.4). */
static unsigned retry_due(struct timers *t, uint64_t now_ns)
{
	if (!take_deadline(&t->retry_at_ns, now_ns))
		return 0;
	if (now_ns < t->attempt_began_ns + ATTEMPT_NS)
		return TIMERS_RETRY;
	timers_handshake_done(t);
	store_time(&t->owed_since_ns, 0);
	if (!t->zero_at_ns)
		t->zero_at_ns = now_ns + ZERO_NS;
	return TIMERS_GIVE_UP;
}

unsigned timers_due(struct timers *t, uint64_t now_ns)
{
	unsigned due = retry_due(t, now_ns);

	if (take_elapsed(&t->unanswered_since_ns, UNANSWERED_NS + t->jitter_ns, now_ns))
		due |= TIMERS_NEW_HANDSHAKE;
	if (take_elapsed(&t->owed_since_ns, OWED_NS, now_ns))
		due |= TIMERS_KEEPALIVE;
	if (now_ns >= persistent_at(t)) {
		store_time(&t->last_traffic_ns, now_ns);
		due |= TIMERS_PERSISTENT;
	}
	if (take_deadline(&t->zero_at_ns, now_ns))
		due |= TIMERS_ZERO;
	if (take_deadline(&t->index_reap_ns, now_ns))
		due |= TIMERS_REAP;
	return due;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Returns @since + @span, or TIMERS_NEVER if @since is 0. */
static uint64_t deadline_after(uint64_t since, uint64_t span)
{
	return since ? since + span : TIMERS_NEVER;
}

uint64_t timers_next(struct timers *t, uint64_t now_ns)
{
	uint64_t unanswered_ns, owed_ns, next;

	/* C, which pairs with B in begin_time(). The two reads below are D. The top of this file
	 * explains the letters. */
	atomic_exchange_explicit(&t->watched, false, memory_order_acq_rel);
	unanswered_ns = counter_read(&t->unanswered_since_ns);
	owed_ns = counter_read(&t->owed_since_ns);
	next = earlier(deadline_after(t->retry_at_ns, 0), deadline_after(t->zero_at_ns, 0));
	next = earlier(next, deadline_after(t->index_reap_ns, 0));
	next = earlier(next, persistent_at(t));
	if (!unanswered_ns && !owed_ns)
		return next;
	/* E: the caller will check the timers again within CHECK_NS */
	atomic_exchange_explicit(&t->watched, true, memory_order_acq_rel);
	next = earlier(next, deadline_after(unanswered_ns, UNANSWERED_NS + t->jitter_ns));
	next = earlier(next, deadline_after(owed_ns, OWED_NS));
	return earlier(next, now_ns + CHECK_NS);
}
