/* SPDX-License-Identifier: MIT */
/*
 * peer_timers.c - handles the timers of a peer when they expire. timers.h sets the deadlines:
 *
 *   heap of deadlines ─▶ peer_timers_run ─▶ timers_due ─▶ wipe, retry, give up, keepalive
 *                              │                            │
 *                              ▼                            ▼
 *                     peer_timers_schedule          handshake_*, keypairs_*
 */
#include <endian.h>
#include <string.h>

#include "crypto/aead.h"
#include "crypto/wipe.h"
#include "util/counter.h"
#include "wg/device_private.h"
#include "wgxdp/limits.h"

/* When this number of initiations has got no answer, ops->unanswered is called before each retry.
 * The first initiation was then sent at least 2 * REKEY_TIMEOUT_S ago, unless
 * device_peer_redirect() has sent an initiation early. */
#define UNANSWERED_ATTEMPTS 2

/* Returns true if a handshake with the peer's key is possible. Otherwise drops the staged packets.
 * If our own key has changed since the last check, then also calls peer_changed, so that the
 * workers refuse further packets. */
static bool key_is_usable(struct device *d, struct peer *p)
{
	bool was_stale = p->remote.stale;

	if (!noise_remote_unusable(&p->remote, &d->identity))
		return true;
	d->counts[REASON_no_session] += stage_purge(&p->stage);
	if (was_stale)
		d->ops->peer_changed(d->ctx, p, PEER_CHANGE_ENDPOINT);
	return false;
}

bool peer_timers_reachable(struct device *d, struct peer *p)
{
	return d->up && d->identity.set && p->endpoint.remote.sa.sa_family != AF_UNSPEC &&
	       key_is_usable(d, p);
}

void peer_timers_send(struct device *d, struct peer *p, const void *msg, size_t len,
		      uint64_t now_ns)
{
	if (d->ops->send(d->ctx, p, &p->endpoint, msg, len))
		return;
	atomic_store_explicit(&p->last_udp_ns, now_ns, memory_order_relaxed);
	peer_sent(p, 1, len, false, now_ns);
}

bool peer_timers_flush(struct device *d, struct peer *p)
{
	if (!atomic_load_explicit(&p->stage.count, memory_order_seq_cst)) /* see peer_session() */
		return false;
	d->ops->flush(d->ctx, p);
	return true;
}

/* Sends a keepalive, which is a data message without a packet ([W] 6.5). Returns false
 * if @s has no counter left. */
static bool send_empty(struct device *d, struct peer *p, struct session *s, uint64_t now_ns)
{
	struct {
		struct wire_data header;
		uint8_t tag[WIRE_TAG_LEN];
	} msg = { .header.header.type = WIRE_DATA };
	struct aead_job job = { .key = s->send_key, .src = msg.tag, .dst = msg.tag };

	_Static_assert(sizeof(msg) == wire_data_len(0), "[W] 5.4.6");
	if (!session_take_counters(s, 1, &job.counter))
		return false;
	msg.header.receiver_index = htole32(s->remote_index);
	msg.header.counter = htole64(job.counter);
	aead_seal_batch(&job, 1);
	peer_timers_send(d, p, &msg, sizeof(msg), now_ns);
	d->ops->event(d->ctx, DEVICE_KEEPALIVE_SENT, p, &p->endpoint);
	return true;
}

void peer_timers_keepalive(struct device *d, struct peer *p, uint64_t now_ns)
{
	struct session *s = atomic_load_explicit(&p->current, memory_order_relaxed);

	if (!peer_timers_reachable(d, p))
		return;
	if (!s || !session_may_send(s, now_ns)) {
		handshake_begin(d, p, now_ns);
		return;
	}
	if (peer_timers_flush(d, p))
		return;
	if (!send_empty(d, p, s, now_ns) || session_renew_after_send(s, now_ns))
		handshake_begin(d, p, now_ns);
}

void peer_timers_handshake_done(struct device *d, struct peer *p)
{
	timers_handshake_done(&p->timers);
	p->latest_handshake_unix_ns = d->ops->unix_ns(d->ctx);
	d->ops->peer_changed(d->ctx, p, PEER_CHANGE_HANDSHAKE);
}

/* Lets the next packet request a handshake immediately, because the handshake that an earlier
 * packet requested was dropped. The store is sequentially consistent, like the accesses to
 * stage->count. If a worker stages a packet at the same time, either the worker sees the store, or
 * the control thread sees the packet when it next reads stage->count. */
static void clear_wanted(struct peer *p)
{
	atomic_store_explicit(&p->wanted_ns, 0, memory_order_seq_cst);
}

void peer_timers_forget(struct device *d, struct peer *p)
{
	keypairs_clear(d, p);
	handshake_drop(d, p);
	timers_reset(&p->timers);
	clear_wanted(p);
}

void peer_timers_schedule(struct device *d, struct peer *p, uint64_t now_ns)
{
	uint64_t at = timers_next(&p->timers, now_ns);

	if (!d->up)
		at = TIMERS_NEVER;
	heap_set(&d->deadlines, p, at > now_ns ? at : now_ns + 1);
}

void peer_timers_resume(struct device *d, struct peer *p, uint64_t now_ns)
{
	/* With persistent keepalives no handshake need be requested here. last_traffic_ns is 0, so
	 * a keepalive is due now, and the keepalive begins the handshake. */
	if (!p->timers.persistent_s && atomic_load_explicit(&p->stage.count, memory_order_seq_cst))
		timers_handshake_wanted(&p->timers, now_ns);
	peer_timers_schedule(d, p, now_ns);
}

/* Lets the route choose our source address again, because the peer may not be able to reach the old
 * source address any more. */
static void forget_local(struct device *d, struct peer *p)
{
	struct endpoint before = p->endpoint;

	endpoint_forget_local(&p->endpoint);
	if (!endpoint_same(&before, &p->endpoint))
		d->ops->peer_changed(d->ctx, p, PEER_CHANGE_ENDPOINT);
}

static void retry_initiation(struct device *d, struct peer *p, uint64_t now_ns)
{
	if (!peer_timers_reachable(d, p))
		return;
	if (!timers_may_initiate(&p->timers, now_ns)) { /* we have just sent a response */
		timers_retry_put_off(&p->timers);
		return;
	}
	if (p->timers.attempts >= UNANSWERED_ATTEMPTS && d->ops->unanswered)
		d->ops->unanswered(d->ctx, p);
	if (p->timers.attempts) {
		d->ops->event(d->ctx, DEVICE_HANDSHAKE_RETRY, p, &p->endpoint);
		forget_local(d, p);
	}
	handshake_initiate(d, p, now_ns);
}

void peer_timers_redirected(struct device *d, struct peer *p, uint64_t now_ns)
{
	bool wanted = p->timers.persistent_s || p->timers.retry_at_ns ||
		      counter_read(&p->timers.unanswered_since_ns) ||
		      atomic_load_explicit(&p->stage.count, memory_order_seq_cst);

	if (!wanted || !peer_timers_reachable(d, p))
		return;
	timers_handshake_wanted(&p->timers, now_ns);
	handshake_initiate(d, p, now_ns);
	peer_timers_schedule(d, p, now_ns);
}

static void give_up_handshake(struct device *d, struct peer *p)
{
	clear_wanted(p);
	d->counts[REASON_no_session] += stage_purge(&p->stage);
	d->ops->event(d->ctx, DEVICE_HANDSHAKE_GIVEN_UP, p, &p->endpoint);
}

/* Handles the timers in @due. Wipes expired keys first, so that nothing below uses them. */
static void run_due(struct device *d, struct peer *p, unsigned due, uint64_t now_ns)
{
	if (due & TIMERS_ZERO) {
		keypairs_clear(d, p);
		handshake_drop(d, p);
		d->ops->event(d->ctx, DEVICE_KEYS_WIPED, p, NULL);
	}
	if (due & TIMERS_REAP)
		keypairs_reap(d, p, now_ns);
	if (due & TIMERS_GIVE_UP)
		give_up_handshake(d, p);
	if (due & TIMERS_RETRY)
		retry_initiation(d, p, now_ns);
	if (due & TIMERS_NEW_HANDSHAKE) {
		forget_local(d, p);
		handshake_begin(d, p, now_ns);
	}
	if (due & (TIMERS_KEEPALIVE | TIMERS_PERSISTENT))
		peer_timers_keepalive(d, p, now_ns);
}

void peer_timers_run(struct device *d, struct peer *p, uint64_t now_ns)
{
	if (d->up)
		run_due(d, p, timers_due(&p->timers, now_ns), now_ns);
	peer_timers_schedule(d, p, now_ns);
}
