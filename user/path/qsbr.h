/* SPDX-License-Identifier: MIT */
/*
 * qsbr.h - freeing what workers may still look at (quiescent-state reclamation).
 *
 *   worker:   loop { ...uses published pointers...; qsbr_quiescent(); }  keeps no pointer across it
 *             qsbr_offline() before it sleeps, qsbr_online() after
 *   control:  unpublish; qsbr_retire(object, free_fn)   ... later qsbr_collect() frees what is safe
 *
 * The control thread stamps each retired object with a new epoch. The object is freed once every
 * online worker has announced that epoch or a later one.
 */
#ifndef WGXDP_QSBR_H
#define WGXDP_QSBR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define QSBR_READERS_MAX 64

struct qsbr;

struct qsbr *qsbr_new(void);
/* Frees everything that is still retired. All readers must be offline. */
void qsbr_free(struct qsbr *g);

/* Reader @id, 0..QSBR_READERS_MAX-1; one per worker thread. A reader starts offline. */
void qsbr_online(struct qsbr *g, unsigned id);
void qsbr_offline(struct qsbr *g, unsigned id);
void qsbr_quiescent(struct qsbr *g, unsigned id);

/* Control thread. If memory is short, waits for the readers and frees the object at once. */
void qsbr_retire(struct qsbr *g, void *object, void (*free_fn)(void *));

/* Control thread: frees what is safe. Returns true if retired objects remain. */
bool qsbr_collect(struct qsbr *g);

/* Control thread: waits until everything retired so far is freed. */
void qsbr_synchronize(struct qsbr *g);

#endif
