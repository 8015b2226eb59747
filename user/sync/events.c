/* SPDX-License-Identifier: MIT */
/* Samples of what died in BPF: for debugging, else thrown away. */
#include <sys/epoll.h>

#include "daemon/daemon.h"

static void on_sample(void *ctx, const struct event *e)
{
	diag_sample(ctx, e);
}

static void on_events(void *ctx, int fd, uint32_t events)
{
	struct daemon *n = ctx;

	(void)fd;
	(void)events;
	loader_events_read(n->loader, diag_is_on() ? on_sample : NULL, n);
}

int events_watch(struct daemon *n)
{
	int fd = n->loader ? loader_events_fd(n->loader) : -1;

	return fd < 0 ? 0 : loop_add(n->loop, fd, EPOLLIN, on_events, n);
}
