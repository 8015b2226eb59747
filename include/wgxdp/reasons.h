/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * reasons.h - why a packet was dropped or passed. Included by the BPF programs, the workers, the
 * daemon, the commands and the tests.
 *
 *   BPF programs: the map `drops` ─────┐
 *   workers: counters in memory ───────┼─▶ daemon: sum ─▶ `wgxdp show`: "name: packets (sentence)"
 *   handshake engine: device->counts ──┘
 *
 * X(id, name, sentence). Other programs use the ids (maps) and names (JSON). So append new reasons,
 * and never change or reuse an id or a name.
 */
#ifndef WGXDP_REASONS_H
#define WGXDP_REASONS_H

#define FOREACH_REASON(X)                                                                          \
	X(0, none, "went on")                                                                      \
	/* received, before the sender is known */                                                 \
	X(1, malformed, "a message to our port with a wrong length, type or reserved byte")        \
	X(2, unknown_index, "no session or handshake of this host has the receiver index")         \
	X(3, not_pending, "a response for which no initiation of ours is pending")                 \
	X(4, oversized, "the message is larger than a receive buffer")                             \
	/* data messages */                                                                        \
	X(5, expired, "the session is past its limit of time or messages")                         \
	X(6, bad_tag, "the message did not authenticate")                                          \
	X(7, replayed, "the counter was seen before")                                              \
	X(8, too_old, "the counter is older than the replay window")                               \
	X(9, bad_inner, "the content is not an IP packet")                                         \
	X(10, unallowed_source, "the inner source address is not allowed for the peer")            \
	X(11, tun_full, "the tunnel interface did not accept the packet")                          \
	/* handshake messages */                                                                   \
	X(12, bad_mac1, "mac1 is wrong: the sender does not know our public key")                  \
	X(13, no_mac2, "no valid mac2 while under load; a cookie reply was sent")                  \
	X(14, rate_limited, "the source sends more handshakes than allowed")                       \
	X(15, bad_handshake, "the handshake did not authenticate, or its sender is not a peer")    \
	X(16, old_timestamp, "the initiation is not newer than the last one: a replay")            \
	X(17, queue_full, "the handshake queue was full")                                          \
	X(18, bad_cookie, "a cookie reply did not authenticate or was not requested")              \
	/* outgoing */                                                                             \
	X(19, no_peer, "no peer has the destination in its allowed IPs")                           \
	X(20, no_endpoint, "the peer has no endpoint yet")                                         \
	X(21, staged_full, "too many packets waited for a session; the oldest was dropped")        \
	X(22, no_session, "no session with the peer began while the packet waited")                \
	X(23, too_big, "the packet is larger than the MTU of the tunnel interface")                \
	X(24, send_failed, "the kernel refused to send the message")                               \
	X(25, tx_full, "the send queue had no room, or the peer had used up its share of it")      \
	X(26, down, "the interface is down or has no private key")                                 \
	X(27, loop, "the route to the peer leads back into the tunnel")                            \
	/* decrypted packets that TC ingress of the tunnel interface refused */                    \
	X(28, inject_mismatch, "the kernel refused an inner source that the worker had allowed")   \
	/* handshake messages again */                                                             \
	X(29, no_resources, "no memory or map entry was left for the session of the handshake")    \
	/* data messages that passed to a UDP socket; they were not dropped */                     \
	X(30, stalled, "the worker had not run for 2.5 s, so a UDP socket received the message")

/* clang-format off */
enum reason {
#define X(id, name, sentence) REASON_##name = (id),
	FOREACH_REASON(X)
#undef X
	REASON_COUNT
};
/* clang-format on */

#endif
