/* SPDX-License-Identifier: MIT */
/* netlink_events.c - opens, reads and closes sockets that receive netlink notifications. */
#include <errno.h>
#include <sys/socket.h>

#include "io/netlink_private.h"

#define READS_MAX 256 /* the most recv() calls in one netlink_events_read() */

int netlink_events_open(struct netlink_events *e, int protocol)
{
	e->socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | SOCK_NONBLOCK);
	return e->socket && !mnl_socket_bind(e->socket, 0, MNL_SOCKET_AUTOPID) ? 0 : -errno;
}

int netlink_events_join(struct netlink_events *e, int group)
{
	return mnl_socket_setsockopt(e->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group))
		       ? -errno
		       : 0;
}

void netlink_events_close(struct netlink_events *e)
{
	if (e->socket)
		mnl_socket_close(e->socket);
	e->socket = NULL;
}

int netlink_events_fd(const struct netlink_events *e)
{
	return mnl_socket_get_fd(e->socket);
}

bool netlink_events_read(struct netlink_events *e,
			 void (*fn)(void *ctx, const struct nlmsghdr *m, int nsid), void *ctx)
{
	const struct nlmsghdr *m;
	bool lost = false;
	int n, nsid;

	for (int i = 0; i < READS_MAX; i++) {
		n = netlink_receive(netlink_events_fd(e), e->buf, &nsid);
		if (n == -ENOBUFS) { /* an overrun; messages still queued are read as usual */
			lost = true;
			continue;
		}
		if (n < 0)
			break;
		for (m = (const struct nlmsghdr *)e->buf; fn && mnl_nlmsg_ok(m, n);
		     m = mnl_nlmsg_next(m, &n))
			fn(ctx, m, nsid);
	}
	return lost;
}
