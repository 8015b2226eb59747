/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. The packets of a peer that wait for a session are a linked list, which a
 * spin lock protects. No memory is allocated or freed while the lock is held. */
#include "wg/stage.h"

#include <stdlib.h>
#include <string.h>

#include "wg/spin.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"

/* The sum of cost_of(), in bytes, over the staged packets of all peers. A packet that stage_take()
 * has returned counts until stage_drop() frees it. */
static _Atomic uint32_t total;

void stage_init(struct stage *s)
{
	atomic_flag_clear(&s->lock);
	atomic_init(&s->count, 0);
	s->first = s->last = NULL;
}

static size_t size_of(uint32_t len)
{
	return sizeof(struct staged) + len + WIRE_PADDING;
}

/* Returns how much memory a staged packet of @len bytes occupies, but at least STAGED_BYTES /
 * STAGED_TOTAL. So at most STAGED_TOTAL packets fit into STAGED_BYTES. */
static uint32_t cost_of(uint32_t len)
{
	const uint32_t least = STAGED_BYTES / STAGED_TOTAL;

	return size_of(len) > least ? (uint32_t)size_of(len) : least;
}

static void release(uint32_t cost)
{
	atomic_fetch_sub_explicit(&total, cost, memory_order_relaxed);
}

/* Adds @cost to the total. Returns false, with nothing changed, if the total would exceed
 * STAGED_BYTES. */
static bool reserve(uint32_t cost)
{
	if (atomic_fetch_add_explicit(&total, cost, memory_order_relaxed) <= STAGED_BYTES - cost)
		return true;
	release(cost);
	return false;
}

void stage_drop(struct staged *packet)
{
	release(cost_of(packet->len));
	free(packet);
}

/* Removes the oldest packet and returns it; NULL if there is none. The caller holds the lock. */
static struct staged *pop(struct stage *s)
{
	struct staged *packet = s->first;

	if (!packet)
		return NULL;
	s->first = packet->next;
	if (!s->first)
		s->last = NULL;
	atomic_fetch_sub_explicit(&s->count, 1, memory_order_relaxed);
	packet->next = NULL;
	return packet;
}

/* The caller holds the lock. */
static void append(struct stage *s, struct staged *packet)
{
	if (s->last)
		s->last->next = packet;
	else
		s->first = packet;
	s->last = packet;
	atomic_fetch_add_explicit(&s->count, 1, memory_order_seq_cst); /* see peer_session() */
}

/* Reserves @cost. While the total leaves no room for @cost, drops the oldest packet of @s and
 * increments *@dropped. Keeps the costs of the dropped packets reserved for the new packet, so that
 * no other thread can use this room. Returns false if @s is empty and @cost still does not fit. */
static bool make_room(struct stage *s, uint32_t cost, unsigned *dropped)
{
	uint32_t have = 0;

	while (have < cost && !reserve(cost - have)) {
		unsigned n;
		struct staged *old = stage_take(s, 1, &n);

		if (!old) {
			release(have);
			return false;
		}
		have += cost_of(old->len);
		free(old);
		++*dropped;
	}
	if (have > cost)
		release(have - cost);
	return true;
}

unsigned stage_push(struct stage *s, const void *packet, uint32_t len)
{
	struct staged *new = malloc(size_of(len)), *old = NULL;
	unsigned dropped = 0;

	if (!new || !make_room(s, cost_of(len), &dropped)) {
		free(new);
		return dropped + 1;
	}
	new->next = NULL;
	new->len = len;
	memcpy(new->data, packet, len);
	spin_lock(&s->lock);
	if (atomic_load_explicit(&s->count, memory_order_relaxed) >= STAGED_PER_PEER)
		old = pop(s);
	append(s, new);
	spin_unlock(&s->lock);
	if (old)
		stage_drop(old);
	return dropped + !!old;
}

struct staged *stage_take(struct stage *s, unsigned max, unsigned *n)
{
	struct staged *first, *last;
	unsigned taken = 0;

	*n = 0;
	if (!max)
		return NULL;
	spin_lock(&s->lock);
	first = last = pop(s);
	if (first)
		taken = 1;
	while (taken && taken < max && s->first) {
		last->next = pop(s);
		last = last->next;
		taken++;
	}
	spin_unlock(&s->lock);
	*n = taken;
	return first;
}

unsigned stage_purge(struct stage *s)
{
	unsigned n;
	struct staged *packet = stage_take(s, STAGED_PER_PEER, &n), *next;

	for (; packet; packet = next) {
		next = packet->next;
		stage_drop(packet);
	}
	return n;
}
