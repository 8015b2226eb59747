/* SPDX-License-Identifier: MIT */
/* netns.h - doing something in another network namespace; the calling thread stays where it is. */
#ifndef WGXDP_NETNS_H
#define WGXDP_NETNS_H

/* Calls @fn(@ctx) in a thread of its own in the namespace of @fd and waits for it. What it opens
 * (sockets) stays in that namespace. Returns what it returned, or -errno. */
int netns_call(int fd, int (*fn)(void *ctx), void *ctx);

/* A descriptor of the namespace in which the interface of the TUN descriptor @tun_fd is now, or
 * -errno: -ENOTTY before Linux 5.8. */
int netns_of_tun(int tun_fd);

#endif
