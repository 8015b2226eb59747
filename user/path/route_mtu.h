/* SPDX-License-Identifier: MIT */
/*
 * route_mtu.h - the MTUs of the host's routes into the tunnel (`ip route add ... dev wg0 mtu
 * 1299`), by destination. No packet may be padded beyond the MTU of its route.
 *
 *   routes, several tables ─▶ route_mtu_new ─▶ published, immutable ─▶ route_mtu_of per packet
 *
 * When a packet is read from the tunnel's queue, it is no longer known which routing table its
 * route came from. So each table is searched, and the smallest MTU found counts.
 */
#ifndef WGXDP_ROUTE_MTU_H
#define WGXDP_ROUTE_MTU_H

#include <stddef.h>
#include <stdint.h>

#include "io/netlink.h"

#define ROUTE_MTU_NONE UINT32_MAX

struct route_mtu;

/* Builds a table of @count routes and sorts @routes for that. Returns 0 and *@table, which is NULL
 * if no route has an MTU; or -ENOMEM. Control thread. */
int route_mtu_new(struct route_mtu **table, struct netlink_device_route *routes, size_t count);
void route_mtu_free(void *table); /* a retire callback; NULL is fine */

/* Returns the MTU for the IP packet @ip, which holds a whole IPv4 or IPv6 header, or
 * ROUTE_MTU_NONE. Any thread. */
uint32_t route_mtu_of(const struct route_mtu *table, const uint8_t *ip);

/* Returns the largest MTU of any route. Any thread. */
uint32_t route_mtu_largest(const struct route_mtu *table);

#endif
