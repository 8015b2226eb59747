/* SPDX-License-Identifier: MIT */
/*
 * roaming.h - the endpoint of a peer that roamed a moment ago. The control thread resolves an
 * encap for the new endpoint, which takes some time, but the host answers the peer's packet at
 * once. Until then workers share the new endpoint through the peer:
 *
 *   roaming_tell:   peer->moved_to := from, peer->roam_count := n + 1
 *                       └─note─▶ control thread: resolves an encap with roam_count = n + 1
 *   roaming_encap:  encap->roam_count != peer->roam_count ─▶ use peer->moved_to, by the UDP socket
 *
 * Any worker may call these functions; none makes a system call.
 */
#ifndef WGXDP_ROAMING_H
#define WGXDP_ROAMING_H

#include "io/encap.h"
#include "path/handoff.h"

/* Returns the encap to use for @p: the published one, or, if @p has roamed since that was
 * resolved, a new one built in @room. NULL if no endpoint is known. */
const struct encap *roaming_encap(struct peer *p, struct encap *room);

/* Is @from the endpoint of the peer's newest authenticated packet? */
bool roaming_knows(struct peer *p, const struct endpoint *from);

/* Records that an authenticated packet came from the new endpoint @to, and tells the control thread
 * through @h. If @h is full, the old endpoint stays in force. */
void roaming_tell(struct peer *p, const struct endpoint *to, struct handoff *h);

#endif
