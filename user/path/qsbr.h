/* SPDX-License-Identifier: MIT */
/*
 * qsbr.h - freeing what workers may still look at (quiescent-state reclamation).
 *
 *   worker:   loop { ...uses published pointers...; qsbr_quiescent(); poll }   no pointer is kept over it
 *             qsbr_offline() before it sleeps, qsbr_online() after
 *   control:  unpublish; qsbr_retire(object, free_fn)   ... later qsbr_collect() frees what is safe
 *
 * The control thread stamps each retired object with a new epoch; it is free once every online
 * worker has announced that epoch or a later one.
 */
#ifndef WGXDP_QSBR_H
#define WGXDP_QSBR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GRACE_READERS_MAX 64

struct qsbr;

struct qsbr *qsbr_new(void);
/* Frees everything still retired; no reader may be left. */
void qsbr_free(struct qsbr *g);

/* Reader @id, 0..GRACE_READERS_MAX-1, one a worker thread; starts offline. */
void qsbr_online(struct qsbr *g, unsigned id);
void qsbr_offline(struct qsbr *g, unsigned id);
void qsbr_quiescent(struct qsbr *g, unsigned id);

/* Control thread. Out of memory: waits for the readers and frees at once. */
void qsbr_retire(struct qsbr *g, void *object, void (*free_fn)(void *));

/* Control thread: frees what is safe; true if something is still waiting. */
bool qsbr_collect(struct qsbr *g);

/* Control thread: returns when everything retired so far is free. */
void qsbr_synchronize(struct qsbr *g);

#endif
