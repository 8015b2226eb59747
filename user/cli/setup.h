/* SPDX-License-Identifier: MIT */
/*
 * setup.h - what the command does to the host's network for an interface, as wg-quick does:
 * addresses, MTU, up, routes. All of it goes with the interface.
 */
#ifndef WGXDP_SETUP_H
#define WGXDP_SETUP_H

#include "conf/conf.h"

/* What fits into packets of @path_mtu bytes, 0 = unknown: at least the 1280 that IPv6 needs, even if
 * they are fragmented then, and at most what fits into a datagram. */
uint32_t setup_mtu(uint32_t path_mtu);

/* Before the interface is up: addresses, MTU; then sets it up. 0/-errno with @f. */
int setup_link(uint32_t ifindex, const struct conf *conf, struct fault *f);

/* After it is up: a route for every allowed IP, unless Table = off. Endpoints without a route are
 * told to @warn: they are waited for. 0/-errno with @f. */
int setup_routes(uint32_t ifindex, const struct conf *conf, conf_warn_fn warn, struct fault *f);

#endif
