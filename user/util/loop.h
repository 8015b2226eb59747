/* SPDX-License-Identifier: MIT */
/*
 * loop.h - the control thread's event loop: file descriptors (epoll) and timers.
 *
 * One turn of loop_once():
 *
 *   before_wait ─▶ epoll_wait, until the earliest timer ─▶ on_wake ─▶ callbacks of descriptors
 *                                                                 ─▶ callbacks of due timers
 *
 * A timer that has fired is no longer armed. It fires at most once a turn: if its own callback arms
 * it for "now", descriptors and other timers go first. Only one thread may use a loop.
 */
#ifndef WGXDP_LOOP_H
#define WGXDP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_NEVER UINT64_MAX

struct loop;

/* @events: the EPOLLIN, EPOLLOUT, EPOLLHUP and EPOLLERR flags that epoll returned. The callback may
 * add and delete descriptors, including its own. */
typedef void (*loop_fn)(void *ctx, int fd, uint32_t events);

/* @now_ns: CLOCK_BOOTTIME when the callback begins. The timer is no longer armed. The callback may
 * arm and cancel any timer. */
typedef void (*loop_timer_fn)(void *ctx, uint64_t now_ns);

/* A timer is a member of the struct of the module that uses it. Only loop.c accesses the members of
 * the timer. */
struct loop_timer {
	struct loop *loop; /* NULL = the timer is not registered */
	struct loop_timer *next;
	loop_timer_fn fn;
	void *ctx;
	uint64_t at_ns; /* LOOP_NEVER = not armed */
	uint64_t turn;	/* the turn in which the timer last fired */
};

struct loop *loop_new(void);	/* returns NULL and sets errno on failure */
void loop_free(struct loop *l); /* leaves the descriptors open; does nothing if l is NULL */

/* Sets the function that is called whenever the loop wakes, before the callbacks of descriptors and
 * timers. NULL: no function. */
void loop_on_wake(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Sets the function that is called before each wait. NULL: no function. @fn arms the timers of
 * modules that know their next deadline but have no loop, such as the protocol core. */
void loop_before_wait(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* Return 0 or -errno. @fd is borrowed; delete it from the loop before closing it. */
int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *ctx);
int loop_modify(struct loop *l, int fd, uint32_t events);
void loop_delete(struct loop *l, int fd);

/* Registers a timer with @l, without arming it. The timer's memory must exist until
 * loop_timer_done() or loop_free(). Timers that are due in the same turn fire in the order of their
 * deadlines. */
void loop_timer_init(struct loop_timer *t, struct loop *l, loop_timer_fn fn, void *ctx);
void loop_timer_done(struct loop_timer *t); /* does nothing if *t is all zero */

/* Arms the timer for @at_ns (CLOCK_BOOTTIME; 0 = as soon as possible), even if it is armed
 * already. */
void loop_timer_arm(struct loop_timer *t, uint64_t at_ns);
/* Arms the timer for @at_ns, unless it is armed for an earlier time. */
void loop_timer_arm_sooner(struct loop_timer *t, uint64_t at_ns);
void loop_timer_cancel(struct loop_timer *t);
bool loop_timer_armed(const struct loop_timer *t);

/* Runs one turn. Returns 0 or -errno. */
int loop_once(struct loop *l);

/* Returns CLOCK_BOOTTIME in ns. */
uint64_t loop_now_ns(void);

#endif
