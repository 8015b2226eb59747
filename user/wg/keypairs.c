/* SPDX-License-Identifier: MIT */
/*
 * keypairs.c - the sessions of a peer ([W] 6.3).
 *
 *   as initiator:   the response proves that the responder has the keys:
 *                       previous := next, or current if there is no next;  current := new
 *   as responder:   only the first message under the new keys proves that our response arrived:
 *                       next := new;  after that message:  previous := current;  current := next
 *
 * A session that is neither previous, current nor next any more ends immediately: its index is
 * removed, and the revoked flag stops a worker that still holds the session. The session is retired
 * after all pointers to it have been removed.
 */
#include <errno.h>

#include "crypto/wipe.h"
#include "wg/device_private.h"
#include "wgxdp/limits.h"

/* At most SESSIONS_MAX = 2^20 of 2^32 indices are in use, so the probability that all 8 tries fail
 * is 2^-96. */
#define INDEX_TRIES 8

int keypairs_new_index(const struct device *d, uint32_t *index)
{
	uint32_t random;

	for (unsigned i = 0; i < INDEX_TRIES; i++) {
		d->ops->random(d->ctx, &random, sizeof(random));
		if (!indextab_has(d->indices, random)) {
			*index = random;
			return 0;
		}
	}
	return -ENOSPC;
}

static struct session *session_in(_Atomic(struct session *) *place)
{
	return atomic_load_explicit(place, memory_order_relaxed); /* no other thread writes */
}

static void set_session(_Atomic(struct session *) *place, struct session *s)
{
	atomic_store_explicit(place, s, memory_order_seq_cst); /* see peer_session() */
}

/* Ends @s. The caller has removed the peer's pointers to @s. Does nothing if @s is NULL. */
static void end_session(struct device *d, struct session *s)
{
	if (!s)
		return;
	atomic_store_explicit(&s->revoked, true, memory_order_relaxed);
	indextab_del(d->indices, s->local_index);
	d->mirror->index_end(d->mirror_ctx, s->local_index);
	d->ops->retire(d->ctx, s, session_free);
}

/* The kernel's WireGuard driver drops its previous session as soon as it has a new next session. We
 * keep p->previous until p->next is confirmed: if both sides have sent initiations at the same
 * time, the other side still sends under p->previous for a round trip. There are never more than
 * three sessions, as the paper requires. */
static void add_next(struct device *d, struct peer *p, struct session *new)
{
	struct session *unconfirmed = session_in(&p->next);

	set_session(&p->next, new);
	end_session(d, unconfirmed);
}

static void add_current(struct device *d, struct peer *p, struct session *new)
{
	struct session *next = session_in(&p->next), *current = session_in(&p->current);
	struct session *previous = p->previous;

	/* The other side may already send under the unconfirmed p->next, so p->next and not
	 * p->current becomes p->previous. */
	p->previous = next ? next : current;
	set_session(&p->next, NULL);
	set_session(&p->current, new);
	end_session(d, previous);
	if (next)
		end_session(d, current);
}

/* Enters @s under its index, first in the BPF map and then in the index table. After an error, no
 * worker can have found @s, so the caller may free @s without retiring it. If we are the initiator,
 * the index then still belongs to the pending handshake. */
static int publish_session(struct device *d, struct peer *p, struct session *s)
{
	int err = d->mirror->index_begin(d->mirror_ctx, s->local_index, p, false);

	if (err)
		return err;
	if (s->initiator) {
		indextab_promote(d->indices, s->local_index, s);
		return 0;
	}
	err = indextab_add(d->indices, s->local_index, p, s);
	if (err)
		d->mirror->index_end(d->mirror_ctx, s->local_index);
	return err;
}

int keypairs_begin(struct device *d, struct peer *p, struct noise_handshake *hs, uint64_t now_ns)
{
	uint32_t local = hs->local_index, remote = hs->remote_index;
	bool initiator = hs->state == NOISE_CONSUMED_RESPONSE;
	struct noise_keys keys;
	struct session *s;
	int err;

	noise_derive_keys(hs, &keys);
	s = session_new(p, &keys, initiator, local, remote, now_ns);
	wipe(&keys, sizeof(keys));
	err = s ? publish_session(d, p, s) : -ENOMEM;
	if (err)
		goto fail;
	if (initiator)
		add_current(d, p, s);
	else
		add_next(d, p, s);
	timers_session_begun(&p->timers, now_ns);
	keypairs_reap(d, p, now_ns);
	d->ops->event(d->ctx, DEVICE_SESSION_BEGUN, p, NULL);
	return 0;

fail:
	session_free(s);
	if (initiator) { /* The tables still hold the index of the pending handshake. */
		indextab_del(d->indices, local);
		d->mirror->index_end(d->mirror_ctx, local);
	}
	return err;
}

void keypairs_confirm(struct device *d, struct peer *p, struct session *s)
{
	struct session *previous = p->previous;

	p->previous = session_in(&p->current);
	set_session(&p->current, s);
	set_session(&p->next, NULL);
	end_session(d, previous);
}

static uint64_t grace_end_ns(const struct session *s)
{
	return s->born_ns + (REJECT_AFTER_TIME_S + INDEX_GRACE_S) * NS_PER_S;
}

/* Returns true if the grace period of @s (INDEX_GRACE_S) is over. Otherwise lowers index_reap_ns to
 * the end of the grace period, unless index_reap_ns is earlier. */
static bool is_past_grace(struct peer *p, const struct session *s, uint64_t now_ns)
{
	if (!s)
		return false;
	if (now_ns >= grace_end_ns(s))
		return true;
	if (!p->timers.index_reap_ns || grace_end_ns(s) < p->timers.index_reap_ns)
		p->timers.index_reap_ns = grace_end_ns(s);
	return false;
}

static void reap_place(struct device *d, struct peer *p, _Atomic(struct session *) *place,
		       uint64_t now_ns)
{
	struct session *s = session_in(place);

	if (is_past_grace(p, s, now_ns)) {
		set_session(place, NULL);
		end_session(d, s);
	}
}

void keypairs_reap(struct device *d, struct peer *p, uint64_t now_ns)
{
	struct session *previous;

	p->timers.index_reap_ns = 0;
	reap_place(d, p, &p->current, now_ns);
	reap_place(d, p, &p->next, now_ns);
	previous = p->previous;
	if (is_past_grace(p, previous, now_ns)) {
		p->previous = NULL;
		end_session(d, previous);
	}
}

void keypairs_clear(struct device *d, struct peer *p)
{
	struct session *current = session_in(&p->current), *next = session_in(&p->next);
	struct session *previous = p->previous;

	set_session(&p->current, NULL);
	set_session(&p->next, NULL);
	p->previous = NULL;
	end_session(d, previous);
	end_session(d, current);
	end_session(d, next);
	p->timers.index_reap_ns = 0;
}
