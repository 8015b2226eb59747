/* SPDX-License-Identifier: MIT */
/* endpoint_check.h - warnings of endpoints that are not reached as the config means it. */
#ifndef WGXDP_ENDPOINT_CHECK_H
#define WGXDP_ENDPOINT_CHECK_H

#include <stdint.h>

struct conf;
struct netlink;

/* Tells @warn of endpoints without a route, of those whose packets are routed into the tunnel
 * itself (@tunnel, its index), and of those whose packets would carry the tunnel's address as their
 * source. All routes are in place, and the tunnel's sockets have @fwmark. */
void endpoint_check(struct netlink *nl, uint32_t tunnel, uint32_t fwmark, const struct conf *conf,
		    void (*warn)(void *ctx, const char *sentence), void *ctx);

#endif
