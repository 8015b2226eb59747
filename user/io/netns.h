/* SPDX-License-Identifier: MIT */
/* netns.h - runs a function in another network namespace, and finds and names namespaces. */
#ifndef WGXDP_NETNS_H
#define WGXDP_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NETNS_NAME_LEN (NAME_MAX + 1)

/* Calls @fn(@ctx) in the namespace of @fd, in a thread of its own, and waits for it. Sockets that
 * @fn opens stay in that namespace. Returns the result of @fn, or -errno. */
int netns_call(int fd, int (*fn)(void *ctx), void *ctx);

/* Opens the namespace in which the interface of the TUN descriptor @tun_fd is now. Returns a
 * descriptor or -errno: -ENOTTY before Linux 5.8. */
int netns_of_tun(int tun_fd);

/* The inode of the namespace of process @pid ("self" for this one), which identifies the namespace
 * as long as that exists. 0 if the process is gone or may not be seen. */
uint64_t netns_of_process(const char *pid);
/* Fills in the name that ip-netns(8) has for the namespace. False if it has none. */
bool netns_name(uint64_t ns, char name[static NETNS_NAME_LEN]);
/* Opens the namespace by its name or by a process in it. Returns a descriptor, -ENOENT if neither
 * can be found, or -errno. */
int netns_open(uint64_t ns);

#endif
