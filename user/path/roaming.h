/* SPDX-License-Identifier: MIT */
/*
 * roaming.h - the endpoint of a peer that has just roamed. The control thread needs some time to
 * resolve the route to the new endpoint (struct encap), but the host may answer the peer's packet
 * immediately. Until the new encap is published, workers share the new endpoint in struct peer:
 *
 *   roaming_tell:   peer->moved_to := from, peer->roam_count := n + 1
 *                       └─note─▶ control thread: resolves an encap with roam_count = n + 1
 *   roaming_encap:  encap->roam_count != peer->roam_count ─▶ send to peer->moved_to, by UDP socket
 *
 * Any worker may call these functions; none makes a system call.
 */
#ifndef WGXDP_ROAMING_H
#define WGXDP_ROAMING_H

#include "io/encap.h"
#include "path/handoff.h"

/* Returns the encap to use for @p: the published one, or a new one in @room if @p has roamed since
 * the published encap was resolved. Returns NULL if none is published. */
const struct encap *roaming_encap(struct peer *p, struct encap *room);

/* Returns true if @from is already the endpoint of @p: the one to which @p has roamed, or else the
 * endpoint for which the published encap was resolved. */
bool roaming_knows(struct peer *p, const struct endpoint *from);

/* Records that an authenticated packet came from the new endpoint @to, and tells the control thread
 * through @h. If @h is full, workers keep using the old endpoint. */
void roaming_tell(struct peer *p, const struct endpoint *to, struct handoff *h);

#endif
