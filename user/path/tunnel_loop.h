/* SPDX-License-Identifier: MIT */
/*
 * tunnel_loop.h - detects routing loops through the tunnel. A peer's endpoint may be reached
 * through another peer of the same interface. If it can only be reached through itself, packets
 * loop for ever.
 *
 *   packet ─▶ peer P ─▶ outer packet to P's endpoint ─ route into the tunnel ─▶ peer Q ─▶ ...
 *                                                                       if Q is P: a loop
 */
#ifndef WGXDP_TUNNEL_LOOP_H
#define WGXDP_TUNNEL_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "io/encap.h"
#include "wg/allowedips.h"

/* How many tunnels of one interface may be nested; deeper nesting is treated as a loop. */
#define TUNNEL_LOOP_MAX 8

/* Would a message to the endpoint of @e never leave the tunnel? Judges by the routes at the time
 * the peers were last resolved; false unless e->via_tunnel. Any thread, between two quiescent
 * points. */
bool tunnel_loop_exists(const struct allowedips *allowed, const struct encap *e);

/* Was the IP packet @ip itself sealed for the peer of @e, for whom it is about to be sealed? This
 * catches a loop while a changed route is not yet known to tunnel_loop_exists(). A forwarded
 * packet of another host between the same ports is not taken for one. @ip of @len bytes holds a
 * whole IP header. */
bool tunnel_loop_is_own(const struct encap *e, const uint8_t *ip, uint32_t len);

#endif
