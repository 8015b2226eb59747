/* SPDX-License-Identifier: MIT */
/*
 * route_mtu.h - the MTUs of the host's routes into the tunnel (`ip route add ... dev wg0 mtu
 * 1299`), by destination. No packet may be padded beyond the MTU of its route.
 *
 *   routes, several tables ─▶ route_mtu_new ─▶ published, immutable ─▶ route_mtu_of per packet
 *
 * A worker that reads a packet from the tunnel's queue cannot know which routing table the packet's
 * route came from. So every routing table is searched, and the smallest MTU found is used.
 */
#ifndef WGXDP_ROUTE_MTU_H
#define WGXDP_ROUTE_MTU_H

#include <stddef.h>
#include <stdint.h>

#include "io/netlink.h"

#define ROUTE_MTU_NONE UINT32_MAX

struct route_mtu;

/* Builds *@table from @count routes. Sorts and changes @routes. Sets *@table to NULL if no route
 * has an MTU. Returns 0 or -ENOMEM. The control thread calls this. */
int route_mtu_new(struct route_mtu **table, struct netlink_device_route *routes, size_t count);
void route_mtu_free(void *table); /* can be given to qsbr_retire(); does nothing if NULL */

/* Returns the MTU for the IP packet @ip, or ROUTE_MTU_NONE. The caller has checked that @ip holds a
 * whole IPv4 or IPv6 header. Any thread may call this. */
uint32_t route_mtu_of(const struct route_mtu *table, const uint8_t *ip);

/* Returns the largest MTU of any route. Any thread may call this. */
uint32_t route_mtu_largest(const struct route_mtu *table);

#endif
