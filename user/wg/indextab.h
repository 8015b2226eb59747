/* SPDX-License-Identifier: MIT */
/*
 * indextab.h - receiver index -> handshake or session ([W] 5.4): every index that we
 * have assigned and that is still valid. There is one writer (the control thread) and any number of
 * readers, which take no lock. indextab.c has a picture.
 *
 * A reader uses a result only until its next quiescent point (path/qsbr.h). Memory that a reader
 * may still hold is given to the retire callback and never freed here.
 */
#ifndef WGXDP_INDEXTAB_H
#define WGXDP_INDEXTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;
struct session;
struct indextab;

/* Becomes the owner of @object, and calls @free_fn(@object) when no reader can hold it any more.
 * The caller has removed every pointer by which a reader can find @object. */
typedef void (*retire_fn)(void *ctx, void *object, void (*free_fn)(void *object));

/* Returns an empty table, or NULL when out of memory. @ctx is passed to @retire. */
struct indextab *indextab_new(retire_fn retire, void *ctx);
/* Frees the table but not its sessions and peers. No reader may be left. Does nothing if @t is
 * NULL. */
void indextab_free(struct indextab *t);

/* Enters @index (host order) for @session, or for the pending handshake of @peer if @session is
 * NULL. Returns 0, -EEXIST if the index is taken, -ENOSPC at SESSIONS_MAX, or -ENOMEM. Only the
 * control thread calls it. */
int indextab_add(struct indextab *t, uint32_t index, struct peer *peer, struct session *session);

/* Turns the entry of a pending handshake into the entry of @session. Does nothing if @index is
 * unknown. A concurrent reader sees either the pending handshake or the session. Only the control
 * thread calls it. */
void indextab_promote(struct indextab *t, uint32_t index, struct session *session);

/* Removes @index. Does nothing if @index is unknown. Only the control thread calls it. */
void indextab_del(struct indextab *t, uint32_t index);

/* Returns the session of @index, or NULL if @index is unknown or belongs to a pending handshake.
 * Any thread may call it. */
struct session *indextab_session(const struct indextab *t, uint32_t index);

/* Returns the peer whose pending handshake or session has @index, or NULL. Only the control thread
 * calls it. */
struct peer *indextab_peer(const struct indextab *t, uint32_t index);

/* Returns true if @index is taken. Only the control thread calls it. */
bool indextab_has(const struct indextab *t, uint32_t index);
/* Returns the number of indices. Only the control thread calls it. */
size_t indextab_count(const struct indextab *t);

#endif
