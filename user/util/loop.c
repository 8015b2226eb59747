/* SPDX-License-Identifier: MIT */
#include "util/loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "wgxdp/limits.h"

#define EVENTS_PER_TURN 64

/* A callback may delete any descriptor, so an entry dies only at the end of the turn: events that
 * epoll already returned for it find fn == NULL. */
struct entry {
	struct entry *next;
	int fd;
	loop_fn fn; /* NULL: deleted */
	void *ctx;
};

struct loop {
	int epoll_fd;
	struct entry *entries;
	bool any_deleted;
	void (*on_wake)(void *ctx);
	void *wake_ctx;
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

/* In ms, rounded up, so that it does not wake just before the deadline and spin. */
static int timeout_ms(uint64_t until_ns)
{
	uint64_t now_ns = loop_now_ns(), ms;

	if (until_ns == UINT64_MAX)
		return -1;
	if (until_ns <= now_ns)
		return 0;
	ms = (until_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS;
	return ms > 60000 ? 60000 : (int)ms;
}

int loop_once(struct loop *l, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int n = epoll_wait(l->epoll_fd, events, EVENTS_PER_TURN, timeout_ms(until_ns));

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
	return 0;
}

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}
