/* SPDX-License-Identifier: MIT */
/*
 * pmtu.h - receives the errors of routers that found one of our outer packets too large: ICMP
 * "fragmentation needed" and ICMPv6 "packet too big".
 *
 * The kernel checks such an error and lowers its path MTU, but does not notify programs (there are
 * no notifications for FIB exceptions). An error received here is only a reason to query the route
 * again. The contents of the error are not trusted, because any host can send one.
 */
#ifndef WGXDP_PMTU_H
#define WGXDP_PMTU_H

#include <linux/types.h>

#include "wg/endpoint.h"

struct pmtu_watch;

/* Opens the sockets in the network namespace of the caller, which needs CAP_NET_RAW. Returns NULL
 * and sets errno on failure. */
struct pmtu_watch *pmtu_open(void);
void pmtu_close(struct pmtu_watch *w); /* does nothing if w is NULL */
int pmtu_fd(const struct pmtu_watch *w);

/* Reads at most PMTU_READS errors. For errors about UDP packets from @port, stores the destinations
 * of those packets in @to, each once and at most @max, and returns their number. The descriptor
 * stays readable while errors are left. */
#define PMTU_READS 64
unsigned pmtu_read(struct pmtu_watch *w, __be16 port, struct endpoint *to, unsigned max);

#endif
