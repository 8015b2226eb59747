/* SPDX-License-Identifier: MIT */
/* Samples of what died in BPF, for `LOG_LEVEL=debug`: reason, hook, and between whom. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "daemon/node.h"
#include "util/log.h"

static const char *const hooks[] = {
	[EVENT_XDP] = "XDP",
	[EVENT_NIC] = "TC on the NIC",
	[EVENT_EGRESS] = "TC egress",
	[EVENT_INGRESS] = "TC ingress",
};

static const char *const sentences[REASON_COUNT] = {
#define X(id, name, sentence) [id] = sentence,
	FOREACH_REASON(X)
#undef X
};

/* Source and destination of the packet that begins with @e->head, as far as it says. */
static void addresses(const struct event *e, char from[static INET6_ADDRSTRLEN],
		      char to[static INET6_ADDRSTRLEN])
{
	snprintf(from, INET6_ADDRSTRLEN, "?");
	snprintf(to, INET6_ADDRSTRLEN, "?");
	if (e->head_len >= 20 && e->head[0] >> 4 == 4) {
		inet_ntop(AF_INET, e->head + 12, from, INET6_ADDRSTRLEN);
		inet_ntop(AF_INET, e->head + 16, to, INET6_ADDRSTRLEN);
	} else if (e->head_len >= 40 && e->head[0] >> 4 == 6) {
		inet_ntop(AF_INET6, e->head + 8, from, INET6_ADDRSTRLEN);
		inet_ntop(AF_INET6, e->head + 24, to, INET6_ADDRSTRLEN);
	}
}

static void say(void *ctx, const struct event *e)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	(void)ctx;
	if (e->reason >= REASON_COUNT || e->hook >= sizeof(hooks) / sizeof(*hooks))
		return;
	addresses(e, from, to);
	log_debug("%s dropped a packet of %u bytes from %s to %s: %s", hooks[e->hook], e->bytes,
		  from, to, sentences[e->reason]);
}

static void on_events(void *ctx, int fd, uint32_t events)
{
	struct node *n = ctx;

	(void)fd;
	(void)events;
	loader_events_read(n->loader, log_get_level() >= LOG_LEVEL_DEBUG ? say : NULL, n);
}

int events_watch(struct node *n)
{
	int fd = n->loader ? loader_events_fd(n->loader) : -1;

	return fd < 0 ? 0 : loop_add(n->loop, fd, EPOLLIN, on_events, n);
}
