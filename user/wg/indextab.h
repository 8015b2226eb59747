/* SPDX-License-Identifier: MIT */
/*
 * indextab.h - receiver index -> handshake or session, [W] 5.4: each index that we gave out and
 * still stand for. One writer (control thread), any number of readers without a lock.
 *
 * Readers must be between two quiescent points (path/qsbr.h): memory that they may still look at
 * is given to the retire callback, never freed here.
 */
#ifndef WGXDP_INDEXTAB_H
#define WGXDP_INDEXTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct peer;
struct session;
struct indextab;

/* Takes @object and calls @free_fn(@object) once no reader can hold it. */
typedef void (*retire_fn)(void *ctx, void *object, void (*free_fn)(void *object));

struct indextab *indextab_new(retire_fn retire, void *ctx);
void indextab_free(struct indextab *t);

/* Enters @index for @peer's handshake (session NULL) or @session. Returns 0, -EEXIST if the index
 * is taken, -ENOSPC at SESSIONS_MAX, -ENOMEM. Control thread. */
int indextab_add(struct indextab *t, uint32_t index, struct peer *peer, struct session *session);

/* Turns the entry of a handshake into that of @session, in one step for readers. Control thread. */
void indextab_promote(struct indextab *t, uint32_t index, struct session *session);

/* Forgets @index; unknown ones are fine. Control thread. */
void indextab_del(struct indextab *t, uint32_t index);

/* The session of @index, or NULL if unknown or a handshake. Any thread. */
struct session *indextab_session(const struct indextab *t, uint32_t index);

/* The peer of @index, handshake or session, or NULL. Control thread. */
struct peer *indextab_peer(const struct indextab *t, uint32_t index);

bool indextab_has(const struct indextab *t, uint32_t index);
size_t indextab_count(const struct indextab *t);

#endif
