/* SPDX-License-Identifier: MIT */
/*
 * roaming.h - from the packet that shows that a peer has moved to the encap that is resolved for it, the
 * control thread's affair, some time passes; and the host's answer to that very packet is sent at once.
 * So workers tell each other:
 *
 *   roaming_tell:  peer->moved_to := from, peer->roam_count := n + 1 ──note──▶ control: encap, with roam_count = n + 1
 *   roaming_encap: encap->roam_count != peer->roam_count ──▶ to peer->moved_to, by the UDP socket
 *
 * Any worker; nothing here makes a system call.
 */
#ifndef WGXDP_ROAMING_H
#define WGXDP_ROAMING_H

#include "io/encap.h"
#include "path/handoff.h"

/* The encap for what is sent to @p now: the published one or, if it is older than the last move, one in
 * @room. NULL: no endpoint is known. */
const struct encap *roaming_encap(struct peer *p, struct encap *room);

/* Is @from where the peer's newest packet came from? */
bool roaming_knows(struct peer *p, const struct endpoint *from);

/* An authenticated packet came from @to. The control thread is told by @h; if it cannot be, nothing
 * has changed. */
void roaming_tell(struct peer *p, const struct endpoint *to, struct handoff *h);

#endif
