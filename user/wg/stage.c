/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. A plain list under a spin lock; memory is got and freed outside of it. */
#include "wg/stage.h"

#include <stdlib.h>
#include <string.h>

#include "wg/spin.h"
#include "wgxdp/limits.h"
#include "wgxdp/wire.h"

static _Atomic uint32_t total; /* packets on the heap, taken ones included until dropped */

void stage_init(struct stage *s)
{
	atomic_flag_clear(&s->lock);
	atomic_init(&s->count, 0);
	s->first = s->last = NULL;
}

/* Has STAGED_TOTAL room for one more? If so it is taken. */
static bool reserve(void)
{
	if (atomic_fetch_add_explicit(&total, 1, memory_order_relaxed) < STAGED_TOTAL)
		return true;
	atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
	return false;
}

void stage_drop(struct staged *packet)
{
	free(packet);
	atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
}

/* Under the lock. NULL when empty. */
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

/* Under the lock. */
static void append(struct stage *s, struct staged *packet)
{
	if (s->last)
		s->last->next = packet;
	else
		s->first = packet;
	s->last = packet;
	atomic_fetch_add_explicit(&s->count, 1, memory_order_seq_cst); /* see peer_session() */
}

unsigned stage_push(struct stage *s, const void *packet, uint32_t len)
{
	bool reserved = reserve();
	struct staged *new = malloc(sizeof(*new) + len + WIRE_PADDING), *old = NULL;
	bool pushed = false;

	if (new) {
		new->next = NULL;
		new->len = len;
		memcpy(new->data, packet, len);
		spin_lock(&s->lock);
		/* Without room in all, only in the place of an older packet of the same peer. */
		if (!reserved ||
		    atomic_load_explicit(&s->count, memory_order_relaxed) >= STAGED_PER_PEER)
			old = pop(s);
		pushed = reserved || old;
		if (pushed)
			append(s, new);
		spin_unlock(&s->lock);
	}

	if (pushed && !old)
		return 0;
	if (!pushed)
		free(new);
	if (!pushed && reserved)
		atomic_fetch_sub_explicit(&total, 1, memory_order_relaxed);
	if (pushed && reserved)
		stage_drop(old);
	else
		free(old); /* its place in the total is the new one's now */
	return 1;
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
