/* SPDX-License-Identifier: MIT */
/*
 * qsbr.c - why an object is never freed while a reader can hold it:
 *
 *   control                               reader
 *   unpublish(p)                          (A) seen := epoch       online / quiescent
 *   (B) stamp := ++epoch                  (C) epoch += 0
 *   free p when every nonzero             ... uses what it finds published ...
 *        seen is >= stamp                 (D) seen := 0           offline
 *
 * B and C are read-modify-writes of one variable, so one of them comes first. If C comes first, B
 * acquires A, and the control thread sees a reader that may hold p. If B comes first, C acquires
 * the unpublishing, and the reader cannot find p. A later A or D is a store-release, so the
 * reader's accesses to p come before the free.
 */
#include "path/qsbr.h"

#include <sched.h>
#include <stdlib.h>

struct reader {
	_Alignas(64) _Atomic uint64_t seen; /* 0 = offline */
};

struct retired {
	struct retired *next;
	uint64_t stamp;
	void *object;
	void (*free_fn)(void *);
};

struct qsbr {
	_Alignas(64) _Atomic uint64_t epoch;
	struct reader readers[QSBR_READERS_MAX];
	struct retired *first, **tail; /* oldest first; control thread only */
};

struct qsbr *qsbr_new(void)
{
	struct qsbr *g = aligned_alloc(64, sizeof(*g));

	if (!g)
		return NULL;
	atomic_init(&g->epoch, 1);
	for (unsigned i = 0; i < QSBR_READERS_MAX; i++)
		atomic_init(&g->readers[i].seen, 0);
	g->first = NULL;
	g->tail = &g->first;
	return g;
}

void qsbr_free(struct qsbr *g)
{
	if (!g)
		return;
	qsbr_synchronize(g);
	free(g);
}

/* The letters A to D below refer to the diagram at the top of this file. */
void qsbr_quiescent(struct qsbr *g, unsigned id)
{
	uint64_t epoch = atomic_load_explicit(&g->epoch, memory_order_acquire);

	atomic_store_explicit(&g->readers[id].seen, epoch, memory_order_release); /* A */
	atomic_fetch_add_explicit(&g->epoch, 0, memory_order_acq_rel);		  /* C */
}

void qsbr_online(struct qsbr *g, unsigned id)
{
	qsbr_quiescent(g, id);
}

void qsbr_offline(struct qsbr *g, unsigned id)
{
	atomic_store_explicit(&g->readers[id].seen, 0, memory_order_release); /* D */
}

/* Returns the greatest epoch that every online reader has reached. */
static uint64_t safe_stamp(const struct qsbr *g)
{
	uint64_t safe = UINT64_MAX;

	for (unsigned i = 0; i < QSBR_READERS_MAX; i++) {
		uint64_t seen = atomic_load_explicit(&g->readers[i].seen, memory_order_acquire);

		if (seen && seen < safe)
			safe = seen;
	}
	return safe;
}

void qsbr_retire(struct qsbr *g, void *object, void (*free_fn)(void *))
{
	struct retired *r = malloc(sizeof(*r));
	uint64_t stamp = atomic_fetch_add_explicit(&g->epoch, 1, memory_order_acq_rel) + 1; /* B */

	if (!r) {
		while (safe_stamp(g) < stamp)
			sched_yield();
		free_fn(object);
		return;
	}
	*r = (struct retired){ .stamp = stamp, .object = object, .free_fn = free_fn };
	*g->tail = r;
	g->tail = &r->next;
}

bool qsbr_collect(struct qsbr *g)
{
	uint64_t safe = g->first ? safe_stamp(g) : 0;

	while (g->first && g->first->stamp <= safe) {
		struct retired *r = g->first;

		g->first = r->next;
		if (!g->first)
			g->tail = &g->first;
		r->free_fn(r->object);
		free(r);
	}
	return g->first;
}

void qsbr_synchronize(struct qsbr *g)
{
	while (qsbr_collect(g))
		sched_yield();
}
