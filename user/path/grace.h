/* SPDX-License-Identifier: MIT */
/*
 * grace.h - freeing what workers may still look at (quiescent-state reclamation).
 *
 *   worker:   loop { ...uses published pointers...; grace_quiescent(); poll }   no pointer is kept over it
 *             grace_offline() before it sleeps, grace_online() after
 *   control:  unpublish; grace_retire(object, free_fn)   ... later grace_collect() frees what is safe
 *
 * The control thread stamps each retired object with a new epoch; it is free once every online
 * worker has announced that epoch or a later one.
 */
#ifndef WGXDP_GRACE_H
#define WGXDP_GRACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GRACE_READERS_MAX 64

struct grace;

struct grace *grace_new(void);
/* Frees everything still retired; no reader may be left. */
void grace_free(struct grace *g);

/* Reader @id, 0..GRACE_READERS_MAX-1, one a worker thread; starts offline. */
void grace_online(struct grace *g, unsigned id);
void grace_offline(struct grace *g, unsigned id);
void grace_quiescent(struct grace *g, unsigned id);

/* Control thread. Out of memory: waits for the readers and frees at once. */
void grace_retire(struct grace *g, void *object, void (*free_fn)(void *));

/* Control thread: frees what is safe; true if something is still waiting. */
bool grace_collect(struct grace *g);

/* Control thread: returns when everything retired so far is free. */
void grace_synchronize(struct grace *g);

#endif
