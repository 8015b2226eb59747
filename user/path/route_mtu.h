/* SPDX-License-Identifier: MIT */
/*
 * route_mtu.h - the MTUs of the host's routes into the tunnel (`ip route add ... dev wg0 mtu 1299`), by
 * destination. Padding must not make of a packet what such a route would not have let through.
 *
 *   routes, several tables ─▶ route_mtu_new ─▶ published, immutable ─▶ route_mtu_of, for each packet
 *
 * Which table a packet's route came from is not known any more when it is read from the tunnel's
 * queue: the least MTU counts of those that the tables would have chosen.
 */
#ifndef WGXDP_ROUTE_MTU_H
#define WGXDP_ROUTE_MTU_H

#include <stddef.h>
#include <stdint.h>

#include "io/netlink.h"

#define ROUTE_MTU_NONE UINT32_MAX

struct route_mtu;

/* Makes a table of @count routes, which are sorted for it. Returns 0 and *@table, NULL where no route
 * has an MTU; or -ENOMEM. Control thread. */
int route_mtu_new(struct route_mtu **table, struct netlink_device_route *routes, size_t count);
void route_mtu_free(void *table); /* a retire callback; NULL is fine */

/* The MTU for the IP packet @ip, 20 or 40 bytes at least, or ROUTE_MTU_NONE. Any thread. */
uint32_t route_mtu_of(const struct route_mtu *table, const uint8_t *ip);

/* The largest MTU of any route. Any thread. */
uint32_t route_mtu_largest(const struct route_mtu *table);

#endif
