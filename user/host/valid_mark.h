/* SPDX-License-Identifier: MIT */
/*
 * valid_mark.h - net.ipv4.conf.all.src_valid_mark = 1 makes the reverse-path filter consider the
 * mark of a packet. Otherwise a strict filter (rp_filter = 1) would drop packets from the peers of
 * a tunnel that has the default route.
 */
#ifndef WGXDP_VALID_MARK_H
#define WGXDP_VALID_MARK_H

#include <stdbool.h>

struct netlink;

/* Returns true if the sysctl is 1, or if it cannot be read and therefore cannot be set. */
bool valid_mark_is_set(void);
/* Sets the sysctl to 1. Returns 0 or -errno. */
int valid_mark_set(void);
/* Sets the sysctl to 0, unless the rules show that another tunnel has a default route and needs the
 * value 1. Returns 0 or -errno. */
int valid_mark_unset(struct netlink *nl);

#endif
