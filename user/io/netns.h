/* SPDX-License-Identifier: MIT */
/* netns.h - runs a function in another network namespace, and finds and names namespaces. */
#ifndef WGXDP_NETNS_H
#define WGXDP_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NETNS_NAME_LEN (NAME_MAX + 1)

/* Calls @fn(@ctx) in the namespace of @fd, in a new thread, and waits until @fn has returned.
 * Sockets that @fn opens stay in that namespace. Returns the result of @fn, or -errno. */
int netns_call(int fd, int (*fn)(void *ctx), void *ctx);

/* Opens the namespace in which the interface of the TUN descriptor @tun_fd is now. Returns a
 * descriptor or -errno: -EBADFD (the interface was deleted), -EPERM (no CAP_NET_ADMIN there). */
int netns_of_tun(int tun_fd);

/* Returns the inode of the namespace of process @pid ("self" for this process). The inode
 * identifies the namespace as long as the namespace exists. Returns 0 if the process is gone or may
 * not be inspected. */
uint64_t netns_of_process(const char *pid);
/* Fills in the name that ip-netns(8) has for the namespace with the inode @ns. Returns false if the
 * namespace has no name. */
bool netns_name(uint64_t ns, char name[static NETNS_NAME_LEN]);
/* Opens the namespace with the inode @ns, through its name or through a process in it. Returns a
 * descriptor, -ENOENT if neither is found, or another -errno. */
int netns_open(uint64_t ns);

#endif
