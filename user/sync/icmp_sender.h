/* SPDX-License-Identifier: MIT */
/*
 * icmp_sender.h - sends ICMP errors for inner packets that could not be sent. As with the kernel's
 * WireGuard, each error is sent in the namespace of the tunnel interface, and from the address that
 * this host uses to reach the sender of the packet.
 *
 *   worker ─▶ hand-off: unsent packet ─▶ undo NAT (conntrack) ─▶ ICMP error ─▶ raw socket ─▶ sender
 *
 * The errors are not written to the TUN device. They would have a source address of this host, and
 * the stack drops such packets when it receives them (martian source). Only the control thread
 * calls these functions.
 */
#ifndef WGXDP_ICMP_SENDER_H
#define WGXDP_ICMP_SENDER_H

#include "io/conntrack.h"
#include "path/handoff.h"
#include "sync/tunnel.h"

/* Sends an ICMP error for each unsent packet in @h, the hand-off of one worker. Errors that cannot
 * be sent are dropped. */
void icmp_sender_run(const struct tunnel *t, struct handoff *h);

/* Reads addresses, protocol and ports of the IP packet @p. Returns false for a fragment other than
 * the first, a truncated packet, and any protocol or ICMP type that conntrack_before() does not
 * support. */
bool icmp_sender_tuple(const uint8_t *p, size_t len, struct conntrack_tuple *t);

/* Changes addresses and ports of the IP packet @p to those of @before, the tuple before NAT, and
 * adjusts the checksums. Call this only if icmp_sender_tuple() could read @p. Does not access bytes
 * beyond @len. */
void icmp_sender_undo_nat(uint8_t *p, size_t len, const struct conntrack_tuple *before);

#endif
