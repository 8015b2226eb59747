/* SPDX-License-Identifier: MIT */
/* netns.h - doing something in another network namespace; the calling thread stays where it is. */
#ifndef WGXDP_NETNS_H
#define WGXDP_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NETNS_NAME_LEN (NAME_MAX + 1)

/* Calls @fn(@ctx) in a thread of its own in the namespace of @fd and waits for it. What it opens
 * (sockets) stays in that namespace. Returns what it returned, or -errno. */
int netns_call(int fd, int (*fn)(void *ctx), void *ctx);

/* A descriptor of the namespace in which the interface of the TUN descriptor @tun_fd is now, or
 * -errno: -ENOTTY before Linux 5.8. */
int netns_of_tun(int tun_fd);

/* A namespace is known by its inode as long as it lives. That of process @pid, "self" for ours; 0 if
 * it has gone or may not be seen. */
uint64_t netns_of_process(const char *pid);
/* How ip-netns(8) calls it; false: not at all. */
bool netns_name(uint64_t ns, char name[static NETNS_NAME_LEN]);
/* A descriptor of it, by its name or by a process that lives there; -ENOENT: neither can be found. */
int netns_open(uint64_t ns);

#endif
