/* SPDX-License-Identifier: MIT */
/*
 * device.c - the public functions of a device: its identity, its peers, their settings, and the
 * entry points for messages, workers' notes and the clock. device_private.h has the picture.
 *
 * From device_peer_add() to device_peer_remove(), a peer is in these tables of the device:
 *
 *   by_key[hash(public key)] ─▶ peer ─▶ peer     chains by hash_next
 *   by_slot[slot]            ─▶ peer             notes and BPF maps name a peer by its slot
 *   first ⇄ peer ⇄ last                          in the order of addition
 *   deadlines                                    heap of the peers that have a deadline
 */
#include "wg/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/wipe.h"
#include "wg/device_private.h"
#include "wgxdp/limits.h"

#define PEERS_MIN 16 /* initial size of the tables; a power of two */

_Static_assert(crypto_shorthash_KEYBYTES == sizeof(((struct device *)0)->hash_secret),
	       "SipHash-2-4");

/* Peers by key and slot ------------------------------------------------------------------------ */

static struct peer **key_bucket(const struct device *d, const uint8_t public[static WIRE_KEY_LEN])
{
	uint64_t hash;

	crypto_shorthash((uint8_t *)&hash, public, WIRE_KEY_LEN, d->hash_secret);
	return &d->by_key[hash & (d->by_key_cap - 1)];
}

struct peer *device_find(const struct device *d, const uint8_t public[static WIRE_KEY_LEN])
{
	struct peer *p = *key_bucket(d, public);

	while (p && memcmp(p->remote.public, public, WIRE_KEY_LEN))
		p = p->hash_next;
	return p;
}

static void hash_insert(struct device *d, struct peer *p)
{
	struct peer **head = key_bucket(d, p->remote.public);

	p->hash_next = *head;
	*head = p;
}

static void hash_remove(struct device *d, struct peer *p)
{
	struct peer **link = key_bucket(d, p->remote.public);

	while (*link != p)
		link = &(*link)->hash_next;
	*link = p->hash_next;
}

static void list_append(struct device *d, struct peer *p)
{
	p->list_next = NULL;
	p->list_prev = d->last;
	if (d->last)
		d->last->list_next = p;
	else
		d->first = p;
	d->last = p;
	d->peer_count++;
}

static void list_unlink(struct device *d, struct peer *p)
{
	if (p->list_prev)
		p->list_prev->list_next = p->list_next;
	else
		d->first = p->list_next;
	if (p->list_next)
		p->list_next->list_prev = p->list_prev;
	else
		d->last = p->list_prev;
	d->peer_count--;
}

/* Makes every table large enough for one more peer, so that adding a peer to the tables cannot
 * fail. Returns 0 or -ENOMEM. */
static int make_room_for_peer(struct device *d)
{
	uint32_t cap = d->by_key_cap ? d->by_key_cap * 2 : PEERS_MIN, *slots;
	struct peer **by_key, **by_slot;

	if (d->peer_count < d->by_key_cap)
		return 0;
	if (heap_reserve(&d->deadlines, cap))
		return -ENOMEM;
	slots = reallocarray(d->free_slots, cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	d->free_slots = slots;
	by_slot = reallocarray(d->by_slot, cap, sizeof(*by_slot));
	if (!by_slot)
		return -ENOMEM;
	d->by_slot = by_slot;
	by_key = calloc(cap, sizeof(struct peer *));
	if (!by_key)
		return -ENOMEM;
	free(d->by_key);
	d->by_key = by_key;
	d->by_key_cap = cap;
	for (struct peer *p = d->first; p; p = p->list_next)
		hash_insert(d, p);
	return 0;
}

static void take_slot(struct device *d, struct peer *p)
{
	p->slot = d->free_slot_count ? d->free_slots[--d->free_slot_count] : d->next_slot++;
	d->by_slot[p->slot] = p;
}

static void give_slot(struct device *d, uint32_t slot)
{
	d->by_slot[slot] = NULL;
	d->free_slots[d->free_slot_count++] = slot;
}

struct peer *device_peer_at(const struct device *d, uint32_t slot, uint64_t serial)
{
	struct peer *p = slot < d->next_slot ? d->by_slot[slot] : NULL;

	return p && p->serial == serial ? p : NULL;
}

struct peer *device_peer_next(const struct device *d, struct device_place *at)
{
	struct peer *p = at->serial ? device_peer_at(d, at->slot, at->serial) : NULL;

	p = p ? p->list_next : d->first;
	while (p && p->serial <= at->serial)
		p = p->list_next;
	if (p)
		*at = (struct device_place){ .serial = p->serial, .slot = p->slot };
	return p;
}

/* The device ----------------------------------------------------------------------------------- */

int device_init(struct device *d, const struct device_ops *ops, void *ctx,
		const struct device_mirror *mirror, void *mirror_ctx)
{
	*d = (struct device){ .ops = ops, .ctx = ctx, .mirror = mirror, .mirror_ctx = mirror_ctx };
	ops->random(ctx, d->hash_secret, sizeof(d->hash_secret));
	d->indices = indextab_new(ops->retire, ctx);
	d->allowed = allowedips_new(ops->retire, ctx);
	if (d->indices && d->allowed && !device_set_handshake_rate(d, HANDSHAKE_RATE_PER_S) &&
	    !make_room_for_peer(d))
		return 0;
	device_done(d);
	return -ENOMEM;
}

void device_done(struct device *d)
{
	device_peers_clear(d);
	ratelimit_free(d->limiter);
	allowedips_free(d->allowed);
	indextab_free(d->indices);
	heap_done(&d->deadlines);
	free(d->free_slots);
	free(d->by_slot);
	free(d->by_key);
	wipe(d, sizeof(*d));
}

int device_set_handshake_rate(struct device *d, uint32_t per_s)
{
	struct ratelimit *limiter;
	uint8_t secret[16];

	d->ops->random(d->ctx, secret, sizeof(secret));
	limiter = ratelimit_new(per_s, HANDSHAKE_BURST, secret);
	wipe(secret, sizeof(secret));
	if (!limiter)
		return -ENOMEM;
	ratelimit_free(d->limiter);
	d->limiter = limiter;
	return 0;
}

/* Wipes all state of the peer that was derived from the device's old private key. */
static void rekey_peer(struct device *d, struct peer *p, uint64_t now_ns)
{
	peer_timers_forget(d, p);
	noise_remote_expire(&p->remote);
	peer_timers_resume(d, p, now_ns);
}

void device_set_private_key(struct device *d, const uint8_t key[static WIRE_KEY_LEN],
			    uint64_t now_ns)
{
	struct noise_identity new;
	struct peer *self;

	noise_identity_set(&new, key);
	if (equal_ct(new.private, d->identity.private, sizeof(new.private)))
		goto out;
	self = new.set ? device_find(d, new.public) : NULL;
	if (self)
		device_peer_remove(d, self);
	d->identity = new;
	cookie_checker_wipe(&d->checker);
	if (new.set)
		cookie_checker_init(&d->checker, new.public);
	d->mirror->identity_changed(d->mirror_ctx);
	for (struct peer *p = d->first; p; p = p->list_next)
		rekey_peer(d, p, now_ns);
out:
	noise_identity_wipe(&new);
}

static void shut_peer(struct device *d, struct peer *p, uint64_t now_ns)
{
	peer_timers_forget(d, p);
	d->counts[REASON_down] += stage_purge(&p->stage);
	peer_timers_schedule(d, p, now_ns);
}

void device_set_up(struct device *d, bool up, uint64_t now_ns)
{
	if (d->up == up)
		return;
	d->up = up;
	for (struct peer *p = d->first; p; p = p->list_next) {
		if (up)
			peer_timers_resume(d, p, now_ns);
		else
			shut_peer(d, p, now_ns);
	}
}

/* Peers ---------------------------------------------------------------------------------------- */

int device_peer_add(struct device *d, const uint8_t public[static WIRE_KEY_LEN], struct peer **peer)
{
	struct peer *p;
	int err;

	if (d->identity.set && equal_ct(public, d->identity.public, WIRE_KEY_LEN))
		return -EADDRINUSE;
	if (device_find(d, public))
		return -EEXIST;
	if (d->peer_count >= PEERS_MAX)
		return -ENOSPC;
	if (make_room_for_peer(d))
		return -ENOMEM;
	p = peer_new(&d->identity, public);
	if (!p)
		return -ENOMEM;
	take_slot(d, p);
	p->serial = ++d->last_serial;
	/* The peer may have been removed and added again. The other side drops our next initiation
	 * as a replay unless its timestamp is newer than that of our last one. */
	p->last_tai64n_unix_ns = d->last_tai64n_unix_ns;
	err = d->mirror->peer_begin(d->mirror_ctx, p);
	if (err) {
		give_slot(d, p->slot);
		peer_free(p);
		return err;
	}
	hash_insert(d, p);
	list_append(d, p);
	*peer = p;
	return 0;
}

void device_peer_remove(struct device *d, struct peer *p)
{
	hash_remove(d, p);
	list_unlink(d, p);
	device_peer_replace_begin(p); /* The two calls remove all prefixes. */
	device_peer_replace_end(d, p);
	peer_timers_forget(d, p);
	d->counts[REASON_no_session] += stage_purge(&p->stage);
	heap_set(&d->deadlines, p, TIMERS_NEVER);
	if (d->ops->peer_removed)
		d->ops->peer_removed(d->ctx, p);
	d->mirror->peer_end(d->mirror_ctx, p);
	give_slot(d, p->slot);
	d->ops->retire(d->ctx, p, peer_free);
}

void device_peers_clear(struct device *d)
{
	while (d->last)
		device_peer_remove(d, d->last);
}

void device_peer_set_psk(struct device *d, struct peer *p, const uint8_t psk[static WIRE_KEY_LEN])
{
	(void)d;
	memcpy(p->remote.psk, psk, WIRE_KEY_LEN);
}

void device_peer_set_endpoint(struct device *d, struct peer *p, const struct endpoint *e)
{
	if (endpoint_same(&p->endpoint, e))
		return;
	p->endpoint = *e;
	d->ops->peer_changed(d->ctx, p, PEER_CHANGE_ENDPOINT);
}

void device_peer_redirect(struct device *d, struct peer *p, const struct endpoint *e,
			  uint64_t now_ns)
{
	device_peer_set_endpoint(d, p, e);
	peer_timers_redirected(d, p, now_ns);
}

void device_peer_set_keepalive(struct device *d, struct peer *p, uint16_t interval_s,
			       uint64_t now_ns)
{
	bool begins = interval_s && !p->timers.persistent_s;

	p->timers.persistent_s = interval_s;
	if (begins)
		peer_timers_keepalive(d, p, now_ns);
	peer_timers_schedule(d, p, now_ns);
}

void device_peer_set_name(struct device *d, struct peer *p, const char *name)
{
	snprintf(p->name, sizeof(p->name), "%s", name);
	d->ops->peer_changed(d->ctx, p, PEER_CHANGE_NAME);
}

int device_peer_allow(struct device *d, struct peer *p, const struct prefix *prefix)
{
	struct prefix masked = *prefix;
	int err;

	if (!prefix_valid(prefix))
		return -EINVAL;
	prefix_mask(&masked);
	err = d->mirror->allowed_begin(d->mirror_ctx, &masked, p);
	if (err)
		return err;
	err = allowedips_insert(d->allowed, &masked, p, &p->allowed);
	/* The insertion fails only for a prefix that no peer had. So the map entry is new, too, and
	 * its removal restores the old state. */
	if (err)
		d->mirror->allowed_end(d->mirror_ctx, &masked);
	return err;
}

void device_peer_disallow(struct device *d, struct peer *p, const struct prefix *prefix)
{
	struct prefix masked = *prefix;

	if (!prefix_valid(prefix))
		return;
	prefix_mask(&masked);
	if (allowedips_remove(d->allowed, &masked, p))
		d->mirror->allowed_end(d->mirror_ctx, &masked);
}

void device_peer_replace_begin(struct peer *p)
{
	allowedips_relist(&p->allowed, &p->leaving);
}

static void delete_allowed(void *ctx, const struct prefix *prefix)
{
	struct device *d = ctx;

	d->mirror->allowed_end(d->mirror_ctx, prefix);
}

void device_peer_replace_end(struct device *d, struct peer *p)
{
	allowedips_remove_all(d->allowed, &p->leaving, delete_allowed, d);
}

/* Messages and notes --------------------------------------------------------------------------- */

enum reason device_handshake_input(struct device *d, const void *msg, size_t len,
				   const struct endpoint *from, bool under_load, uint64_t now_ns)
{
	enum reason why = handshake_input(d, msg, len, from, under_load, now_ns);

	if (why)
		d->counts[why]++;
	return why;
}

void device_want_handshake(struct device *d, struct peer *p, uint64_t now_ns)
{
	struct session *s = atomic_load_explicit(&p->current, memory_order_relaxed);

	if (s && session_may_send(s, now_ns) && !session_renew_after_send(s, now_ns) &&
	    !session_renew_after_receive(s, now_ns)) {
		/* The requested handshake is already complete. A worker may have staged a packet
		 * after the handshake had flushed p->stage, so flush p->stage again. */
		peer_timers_flush(d, p);
		return;
	}
	handshake_begin(d, p, now_ns);
	peer_timers_schedule(d, p, now_ns);
}

void device_confirmed(struct device *d, struct peer *p, const struct session *s, uint64_t now_ns)
{
	struct session *next = atomic_load_explicit(&p->next, memory_order_relaxed);

	if (!s || s != next)
		return;
	keypairs_confirm(d, p, next);
	/* Drop our own pending initiation, because a late response to that initiation would replace
	 * this session. */
	handshake_drop(d, p);
	peer_timers_handshake_done(d, p);
	peer_timers_flush(d, p);
	peer_timers_schedule(d, p, now_ns);
}

void device_roamed(struct device *d, struct peer *p, const struct endpoint *from)
{
	if (endpoint_martian(from) || endpoint_same(&p->endpoint, from))
		return;
	if (d->ops->answerable && !endpoint_same_remote(&p->endpoint, from) &&
	    !d->ops->answerable(d->ctx, from))
		return;
	p->endpoint = *from;
	d->ops->peer_changed(d->ctx, p, PEER_CHANGE_ENDPOINT);
}

void device_check_timers(struct device *d, struct peer *p, uint64_t now_ns)
{
	peer_timers_run(d, p, now_ns);
}

void device_catch_up(struct device *d, struct peer *p, uint64_t now_ns)
{
	struct session *next = atomic_load_explicit(&p->next, memory_order_relaxed);

	if (next && atomic_load_explicit(&next->confirmed, memory_order_acquire))
		device_confirmed(d, p, next, now_ns);
	if (atomic_load_explicit(&p->stage.count, memory_order_seq_cst))
		device_want_handshake(d, p, now_ns);
	device_check_timers(d, p, now_ns);
}

void device_tick(struct device *d, uint64_t now_ns)
{
	uint64_t until_ns = d->ops->boot_ns(d->ctx) + PASS_TURN_NS;
	struct peer *p;

	while ((p = heap_first(&d->deadlines)) && p->deadline_ns <= now_ns) {
		peer_timers_run(d, p, now_ns);
		if (d->ops->boot_ns(d->ctx) >= until_ns)
			return;
	}
}

uint64_t device_next(const struct device *d)
{
	struct peer *p = heap_first(&d->deadlines);

	return p ? p->deadline_ns : TIMERS_NEVER;
}

void device_zero_all(struct device *d, uint64_t now_ns)
{
	for (struct peer *p = d->first; p; p = p->list_next) {
		peer_timers_forget(d, p);
		d->ops->event(d->ctx, DEVICE_KEYS_WIPED, p, NULL);
		peer_timers_resume(d, p, now_ns);
	}
}
