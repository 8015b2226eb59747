/* SPDX-License-Identifier: MIT */
#include "util/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "util/clock.h"
#include "wgxdp/limits.h"

#define EVENTS_PER_TURN 64

/* A callback may delete a descriptor for which epoll has already returned an event. So a deleted
 * entry gets fn == NULL and is freed only when all events of the turn have been handled. */
struct entry {
	struct entry *next;
	int fd;
	loop_fn fn; /* NULL = deleted */
	void *ctx;
};

struct loop {
	int epoll_fd;
	struct entry *entries;
	bool any_deleted;
	struct loop_timer *timers;
	uint64_t turn; /* counts calls of loop_once() */
	void (*on_wake)(void *ctx);
	void *wake_ctx;
	void (*before_wait)(void *ctx);
	void *wait_ctx;
};

static struct entry *find(struct loop *l, int fd)
{
	for (struct entry *e = l->entries; e; e = e->next)
		if (e->fn && e->fd == fd)
			return e;
	return NULL;
}

static void free_deleted(struct loop *l)
{
	struct entry **at = &l->entries;

	while (l->any_deleted && *at) {
		struct entry *e = *at;

		if (e->fn) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		free(e);
	}
	l->any_deleted = false;
}

struct loop *loop_new(void)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	for (struct entry *e = l->entries, *next; e; e = next) {
		next = e->next;
		free(e);
	}
	close(l->epoll_fd);
	free(l);
}

void loop_on_wake(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->on_wake = fn;
	l->wake_ctx = ctx;
}

void loop_before_wait(struct loop *l, void (*fn)(void *ctx), void *ctx)
{
	l->before_wait = fn;
	l->wait_ctx = ctx;
}

int loop_add(struct loop *l, int fd, uint32_t events, loop_fn fn, void *ctx)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct epoll_event event = { .events = events, .data.ptr = e };

	if (!e)
		return -ENOMEM;
	if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		int err = -errno;

		free(e);
		return err;
	}
	*e = (struct entry){ .next = l->entries, .fd = fd, .fn = fn, .ctx = ctx };
	l->entries = e;
	return 0;
}

int loop_modify(struct loop *l, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = find(l, fd) };

	if (!event.data.ptr)
		return -ENOENT;
	return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

void loop_delete(struct loop *l, int fd)
{
	struct entry *e = find(l, fd);

	if (!e)
		return;
	epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	e->fn = NULL;
	l->any_deleted = true;
}

/* Timers --------------------------------------------------------------------------------------- */

void loop_timer_init(struct loop_timer *t, struct loop *l, loop_timer_fn fn, void *ctx)
{
	*t = (struct loop_timer){
		.loop = l, .next = l->timers, .fn = fn, .ctx = ctx, .at_ns = LOOP_NEVER
	};
	l->timers = t;
}

void loop_timer_done(struct loop_timer *t)
{
	struct loop_timer **at;

	if (!t->loop)
		return;
	for (at = &t->loop->timers; *at != t; at = &(*at)->next)
		;
	*at = t->next;
	t->loop = NULL;
}

void loop_timer_arm(struct loop_timer *t, uint64_t at_ns)
{
	t->at_ns = at_ns;
}

void loop_timer_arm_sooner(struct loop_timer *t, uint64_t at_ns)
{
	if (at_ns < t->at_ns)
		t->at_ns = at_ns;
}

void loop_timer_cancel(struct loop_timer *t)
{
	t->at_ns = LOOP_NEVER;
}

bool loop_timer_armed(const struct loop_timer *t)
{
	return t->loop && t->at_ns != LOOP_NEVER;
}

/* Returns the timer with the earliest deadline among those that are armed and have not fired in
 * this turn; NULL if there is none. */
static struct loop_timer *earliest_timer(const struct loop *l)
{
	struct loop_timer *earliest = NULL;

	for (struct loop_timer *t = l->timers; t; t = t->next)
		if (t->at_ns != LOOP_NEVER && t->turn != l->turn &&
		    (!earliest || t->at_ns < earliest->at_ns))
			earliest = t;
	return earliest;
}

static void fire_timers(struct loop *l)
{
	uint64_t turn_ns = loop_now_ns();
	struct loop_timer *t;

	while ((t = earliest_timer(l)) && t->at_ns <= turn_ns) {
		t->at_ns = LOOP_NEVER;
		t->turn = l->turn;
		t->fn(t->ctx, loop_now_ns());
	}
}

/* Turns ---------------------------------------------------------------------------------------- */

/* Returns the time until the earliest deadline in ms, at most 60000, or -1 if there is no deadline.
 * Rounds up, so that the loop does not wake just before the deadline and spin. */
static int timeout_ms(const struct loop *l)
{
	const struct loop_timer *t = earliest_timer(l);
	uint64_t now_ns = loop_now_ns(), ms;

	if (!t)
		return -1;
	if (t->at_ns <= now_ns)
		return 0;
	ms = (t->at_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

int loop_once(struct loop *l)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n;

	l->turn++;
	if (l->before_wait)
		l->before_wait(l->wait_ctx);
	n = epoll_wait(l->epoll_fd, events, EVENTS_PER_TURN, timeout_ms(l));
	if (n < 0 && errno != EINTR)
		return -errno;
	if (l->on_wake)
		l->on_wake(l->wake_ctx);
	for (int i = 0; i < n; i++) {
		struct entry *e = events[i].data.ptr;

		if (e->fn)
			e->fn(e->ctx, e->fd, events[i].events);
	}
	free_deleted(l);
	fire_timers(l);
	return 0;
}

uint64_t loop_now_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}
