/* SPDX-License-Identifier: MIT */
/*
 * setup.h - what `wgxdp attach` does to the host's network, as wg-quick(8) does: addresses, MTU,
 * link up, routes. The kernel removes all of it together with the interface, so whoever fails here
 * only has to end the daemon.
 */
#ifndef WGXDP_SETUP_H
#define WGXDP_SETUP_H

#include "conf/conf.h"

/* The inner MTU for a path of @path_mtu bytes (0 = unknown): at least the 1280 bytes that IPv6
 * needs, even if packets are then fragmented, and at most what a datagram holds. */
uint32_t setup_mtu(uint32_t path_mtu);

/* Fills in conf->mtu if the config gives none, from the routes to the endpoints. To be called
 * before the tunnel exists, because its own addresses and routes would be found instead. 0/-errno
 * with @f. */
int setup_choose_mtu(struct conf *conf, struct fault *f);

/* Sets addresses and MTU, then sets the interface up. 0/-errno with @f. */
int setup_link(uint32_t ifindex, const struct conf *conf, struct fault *f);

/* Adds a route for every allowed IP, unless Table = off. The interface is up. Tells @warn of
 * endpoints without a route, for which the daemon waits, and of those whose packets would be routed
 * into the tunnel or have its address as their source. 0/-errno with @f. */
int setup_routes(uint32_t ifindex, const struct conf *conf, conf_warn_fn warn, struct fault *f);

/* Reads back what setup_link() and setup_routes() set. Returns -EIO with @f if the kernel has
 * dropped or changed anything of it, as it does with IPv6 addresses at an MTU below 1280. */
int setup_verify(uint32_t ifindex, const struct conf *conf, struct fault *f);

#endif
