/* SPDX-License-Identifier: MIT */
/*
 * tunnel_loop.h - detects routing loops through the tunnel. The endpoint of a peer may be routed
 * through another peer of the same interface. If the chain of such routes leads back to the first
 * peer, its packets loop for ever.
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

/* Returns true if a message to the endpoint of @e would never leave the tunnel, according to the
 * routes at the time when the encaps were resolved. Returns false if e->via_tunnel is false. Any
 * thread may call this; a worker does so between two calls of qsbr_quiescent(). */
bool tunnel_loop_exists(const struct allowedips *allowed, const struct encap *e);

/* Returns true if the IP packet @ip, which is about to be sealed for the peer of @e, is itself a
 * message that was sealed for that peer. This catches a loop when a route has changed but
 * tunnel_loop_exists() does not know yet. Returns false for a packet that this host forwards for
 * another host, even if its UDP ports are the same, provided that @e has a local address. @ip of
 * @len bytes holds a whole IP header. */
bool tunnel_loop_is_own(const struct encap *e, const uint8_t *ip, uint32_t len);

#endif
