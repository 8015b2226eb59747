/* SPDX-License-Identifier: MIT */
/* endpoint_check.h - warns of endpoints that packets cannot reach as the config intends. */
#ifndef WGXDP_ENDPOINT_CHECK_H
#define WGXDP_ENDPOINT_CHECK_H

#include <stdatomic.h>
#include <stdint.h>

struct conf;
struct netlink;

/* Calls @warn for endpoints without a route, for endpoints that are routed into the tunnel itself
 * (whose ifindex is @tunnel), and for endpoints to which packets would carry the tunnel's address
 * as their source. Call this after all routes are set and the tunnel's sockets have @fwmark. Stops
 * early when another thread sets *@stop. */
void endpoint_check(struct netlink *nl, uint32_t tunnel, uint32_t fwmark, const struct conf *conf,
		    const atomic_bool *stop, void (*warn)(void *ctx, const char *sentence),
		    void *ctx);

#endif
