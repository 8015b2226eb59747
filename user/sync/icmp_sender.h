/* SPDX-License-Identifier: MIT */
/*
 * icmp_sender.h - sends ICMP errors for inner packets that could not be sent. As with the kernel's
 * WireGuard, each error is sent in the namespace of the tunnel interface. Its source is the address
 * that the host uses towards the packet's sender:
 *
 *   worker ─▶ hand-off: unsent packet ─▶ undo NAT (conntrack) ─▶ ICMP error ─▶ raw socket ─▶ sender
 *
 * Errors are not written into the tunnel interface, because the stack drops a received packet whose
 * source is an address of this host (martian). Control thread.
 */
#ifndef WGXDP_ICMP_SENDER_H
#define WGXDP_ICMP_SENDER_H

#include "io/conntrack.h"
#include "path/handoff.h"
#include "sync/tunnel.h"

/* Sends errors for the packets that a worker has handed over. Errors that cannot be sent are
 * dropped. */
void icmp_sender_run(const struct tunnel *t, struct handoff *h);

/* Reads addresses, protocol and ports of the IP packet @p. Returns false for a fragment other than
 * the first, a truncated packet, and any protocol or ICMP type that conntrack_before() does not
 * support. */
bool icmp_sender_tuple(const uint8_t *p, size_t len, struct conntrack_tuple *t);

/* Changes addresses and ports of the IP packet @p to those of @before, and adjusts the checksums.
 * Call this only if icmp_sender_tuple() could read @p. Does not access bytes beyond @len. */
void icmp_sender_undo_nat(uint8_t *p, size_t len, const struct conntrack_tuple *before);

#endif
