/* SPDX-License-Identifier: MIT */
/*
 * pmtu.h - hears that a router found one of our outer packets too large: ICMP "fragmentation needed",
 * ICMPv6 "packet too big".
 *
 * The kernel learns from them, after checks of its own, but tells nobody (FIB exceptions have no
 * notification). So what is heard here is only a reason to ask for a route again: nothing in it is
 * believed, and anybody can send it.
 */
#ifndef WGXDP_PMTU_H
#define WGXDP_PMTU_H

#include <linux/types.h>

#include "wg/endpoint.h"

struct pmtu_watch;

/* In the network namespace of the caller. NULL: errno; without CAP_NET_RAW there is none. */
struct pmtu_watch *pmtu_open(void);
void pmtu_close(struct pmtu_watch *w); /* NULL is fine */
int pmtu_fd(const struct pmtu_watch *w);

/* Reads what has come, at most PMTU_READS messages. Those about UDP packets from @port are put into
 * @to, each destination once, @max of them at most; returns how many. What is left is told again. */
#define PMTU_READS 64
unsigned pmtu_read(struct pmtu_watch *w, __be16 port, struct endpoint *to, unsigned max);

#endif
