/* SPDX-License-Identifier: MIT */
/* mtu.h - chooses the MTU of a tunnel whose config has no MTU. */
#ifndef WGXDP_MTU_H
#define WGXDP_MTU_H

#include <stdint.h>

struct conf;
struct netlink;

/* Returns the inner MTU for a path of @path_mtu bytes (0 = unknown): at least the 1280 bytes that
 * IPv6 needs, even if packets are then fragmented, and at most what fits into a UDP datagram. */
uint32_t mtu_for_path(uint32_t path_mtu);

/* Returns the inner MTU for the smallest path MTU among the endpoints of @conf. If no endpoint has
 * a path, uses the IPv4 default route. Looks up routes with @mark. Ignores paths through the tunnel
 * itself, whose ifindex is @tunnel. */
uint32_t mtu_choose(struct netlink *nl, const struct conf *conf, uint32_t mark, uint32_t tunnel);

#endif
