/* SPDX-License-Identifier: MIT */
/*
 * tunnel_loop.h - tunnels in the tunnel. An endpoint may well be reached through the tunnel, by another
 * peer of it; it must not need itself, or its packets go round for ever.
 *
 *   packet ─▶ peer P ─▶ outer packet to P's endpoint ─ the route leads into the tunnel ─▶ peer Q ─▶ ...
 *                                                                       Q is P: a loop
 */
#ifndef WGXDP_TUNNEL_LOOP_H
#define WGXDP_TUNNEL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/encap.h"
#include "wg/allowedips.h"

/* Tunnels within one interface; what nests deeper is taken for a loop. */
#define TUNNEL_LOOP_MAX 8

/* Would a message to the endpoint of @e never leave the tunnel, by what routes were when peers were
 * last resolved? Only if e->via_tunnel. Any thread, between two quiescent points. */
bool tunnel_loop_exists(const struct allowedips *allowed, const struct encap *e);

/* Is the IP packet @ip of @len bytes, 20 or 40 at least, which is about to be sealed for the peer of
 * @e, one that was sealed for it before? For the moment in which a route has changed and the above
 * does not know yet. A stranger's packet between the same ports, which we forward, is none. */
bool tunnel_loop_is_own(const struct encap *e, const uint8_t *ip, uint32_t len);

#endif
