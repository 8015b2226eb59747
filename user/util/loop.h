/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the control thread's event loop: file descriptors (epoll) and one deadline. One thread.
 */
#ifndef WGXDP_LOOP_H
#define WGXDP_LOOP_H

#include <stdint.h>

struct loop;

/* @events: EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR as they came. The callback may add and delete
 * descriptors, its own included. */
typedef void (*loop_fn)(void *ctx, int fd, uint32_t events);

struct loop *loop_new(void);
void loop_free(struct loop *l); /* closes none of the descriptors */

/* Called whenever the loop wakes, before anything that it woke for. One; NULL = none. */
void loop_on_wake(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* 0 or -errno. @fd is borrowed; delete it before closing it. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *ctx);
int loop_modify(struct loop *l, int fd, uint32_t events);
void loop_delete(struct loop *l, int fd);

/* Waits until BOOTTIME @until_ns (UINT64_MAX = for ever) or an event, and calls what is due.
 * 0 or -errno. */
int loop_once(struct loop *l, uint64_t until_ns);

/* CLOCK_BOOTTIME, ns. */
uint64_t loop_now_ns(void);

#endif
