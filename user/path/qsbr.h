/* SPDX-License-Identifier: MIT */
/*
 * qsbr.h - frees objects that workers may still be reading (quiescent-state-based reclamation).
 *
 *   worker:   loop { ...uses published pointers...; qsbr_quiescent(); }
 *             It keeps no published pointer across qsbr_quiescent().
 *             It calls qsbr_offline() before it sleeps, and qsbr_online() afterwards.
 *   control:  unpublish; qsbr_retire(object, free_fn)   ... later qsbr_collect() frees the object
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
/* Frees all retired objects, and @g. All readers must be offline. */
void qsbr_free(struct qsbr *g);

/* Called by the worker thread with reader number @id, 0..QSBR_READERS_MAX-1. A reader starts
 * offline. */
void qsbr_online(struct qsbr *g, unsigned id);
void qsbr_offline(struct qsbr *g, unsigned id);
void qsbr_quiescent(struct qsbr *g, unsigned id);

/* Control thread: calls @free_fn(@object) later, when no reader can hold the object. If memory is
 * short, waits for the readers and frees the object before it returns. */
void qsbr_retire(struct qsbr *g, void *object, void (*free_fn)(void *));

/* Control thread: frees the objects that no reader can hold. Returns true if others remain. */
bool qsbr_collect(struct qsbr *g);

/* Control thread: waits for the readers and frees all retired objects. */
void qsbr_synchronize(struct qsbr *g);

#endif
