/* SPDX-License-Identifier: MIT */
/*
 * moved.h - from the packet that shows that a peer has moved to the encap that is resolved for it, the
 * control thread's affair, some time passes; and the host's answer to that very packet is sent at once.
 * So workers tell each other:
 *
 *   moved_tell:  peer->moved_to := from, peer->moved := n + 1 ──note──▶ control: encap, with moved = n + 1
 *   moved_encap: encap->moved != peer->moved ──▶ to peer->moved_to, by the UDP socket
 *
 * Any worker; nothing here makes a system call.
 */
#ifndef WGXDP_MOVED_H
#define WGXDP_MOVED_H

#include "io/encap.h"
#include "path/handoff.h"

/* The encap for what is sent to @p now: the published one or, if it is older than the last move, one in
 * @room. NULL: no endpoint is known. */
const struct encap *moved_encap(struct peer *p, struct encap *room);

/* Is @from where the peer's newest packet came from? */
bool moved_knows(struct peer *p, const struct endpoint *from);

/* An authenticated packet came from @to. The control thread is told by @h; if it cannot be, nothing
 * has changed. */
void moved_tell(struct peer *p, const struct endpoint *to, struct handoff *h);

#endif
