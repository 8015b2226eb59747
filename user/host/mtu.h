/* SPDX-License-Identifier: MIT */
/* mtu.h - the MTU of a tunnel whose config gives none. */
#ifndef WGXDP_MTU_H
#define WGXDP_MTU_H

#include <stdint.h>

struct conf;
struct netlink;

/* The inner MTU for a path of @path_mtu bytes (0 = unknown): at least the 1280 bytes that IPv6
 * needs, even if packets are then fragmented, and at most what a datagram holds. */
uint32_t mtu_for_path(uint32_t path_mtu);

/* Chooses the MTU for the narrowest path to an endpoint of @conf, else for the path to an address
 * that only a default route matches. Routes are looked up under @mark. Paths through the tunnel
 * itself, @tunnel, do not count. */
uint32_t mtu_choose(struct netlink *nl, const struct conf *conf, uint32_t mark, uint32_t tunnel);

#endif
