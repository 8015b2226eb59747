/* SPDX-License-Identifier: MIT */
#include "wg/heap.h"

#include <errno.h>
#include <stdlib.h>

#include "wg/peer.h"

int heap_reserve(struct heap *h, uint32_t cap)
{
	struct peer **at;

	if (cap <= h->cap)
		return 0;
	at = reallocarray(h->at, cap, sizeof(struct peer *));
	if (!at)
		return -ENOMEM;
	h->at = at;
	h->cap = cap;
	return 0;
}

void heap_done(struct heap *h)
{
	free(h->at);
	*h = (struct heap){ 0 };
}

static void place_peer(struct heap *h, uint32_t i, struct peer *p)
{
	h->at[i] = p;
	p->heap_at = i;
}

/* Puts @p into the heap. Element @i must be free. Moves other peers into the free element, up or
 * down the tree, until the free element is where @p belongs. */
static void sift(struct heap *h, uint32_t i, struct peer *p)
{
	uint32_t child;

	for (; i && h->at[(i - 1) / 2]->deadline_ns > p->deadline_ns; i = (i - 1) / 2)
		place_peer(h, i, h->at[(i - 1) / 2]);
	for (; (child = 2 * i + 1) < h->len; i = child) {
		if (child + 1 < h->len && h->at[child + 1]->deadline_ns < h->at[child]->deadline_ns)
			child++;
		if (h->at[child]->deadline_ns >= p->deadline_ns)
			break;
		place_peer(h, i, h->at[child]);
	}
	place_peer(h, i, p);
}

void heap_set(struct heap *h, struct peer *p, uint64_t deadline_ns)
{
	bool in = p->deadline_ns != TIMERS_NEVER;
	struct peer *last;

	p->deadline_ns = deadline_ns;
	if (deadline_ns != TIMERS_NEVER) {
		sift(h, in ? p->heap_at : h->len++, p);
	} else if (in) {
		last = h->at[--h->len];
		if (last != p)
			sift(h, p->heap_at, last);
	}
}

struct peer *heap_first(const struct heap *h)
{
	return h->len ? h->at[0] : NULL;
}
