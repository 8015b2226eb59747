/* SPDX-License-Identifier: MIT */
/*
 * valid_mark.h - net.ipv4.conf.all.src_valid_mark = 1 lets the reverse-path filter take the mark of
 * a packet into account. With a strict filter (rp_filter = 1) it would otherwise drop what comes
 * from the peers of a tunnel that has the default route.
 */
#ifndef WGXDP_VALID_MARK_H
#define WGXDP_VALID_MARK_H

#include <stdbool.h>

struct netlink;

/* Is it 1? Where it cannot be read, it cannot be set either: true. */
bool valid_mark_is_set(void);
/* 0/-errno. */
int valid_mark_set(void);
/* Sets it back to 0, unless the rules show that another tunnel has a default route and needs it. */
void valid_mark_unset(struct netlink *nl);

#endif
