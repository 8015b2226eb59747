/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * reasons.h - why a packet did not go on, once for everybody: BPF programs, workers, daemon, CLI
 * and tests. Ids are part of the interface (maps, JSON, metrics): append, never renumber or reuse.
 *
 * X(id, name, sentence). Names are what `wgxdp show` prints and JSON keys.
 */
#ifndef WGXDP_REASONS_H
#define WGXDP_REASONS_H

#define FOREACH_REASON(X)                                                                          \
	X(0, none, "went on")                                                                      \
	/* outside, before anything is known of the sender */                                      \
	X(1, malformed, "a message of ours with a wrong length, type or reserved byte")            \
	X(2, unknown_index, "its receiver index is none that we issued")                           \
	X(3, not_pending, "a response or cookie reply for an index that is not waiting for one")   \
	X(4, oversized, "larger than a receive buffer")                                            \
	/* data messages */                                                                        \
	X(5, expired, "its session is past its time or message limit")                             \
	X(6, bad_tag, "did not authenticate")                                                      \
	X(7, replayed, "its counter was seen before")                                              \
	X(8, too_old, "its counter lies behind the replay window")                                 \
	X(9, bad_inner, "what was inside is not an IP packet")                                     \
	X(10, unallowed_source,                                                                    \
	  "its inner source address is not allowed for the peer that sent it")                     \
	X(11, tun_full, "the tunnel interface did not take it")                                    \
	/* handshake messages */                                                                   \
	X(12, bad_mac1, "mac1 is wrong: the sender does not know our public key")                  \
	X(13, no_mac2, "under load and without a valid mac2: a cookie reply was sent")             \
	X(14, rate_limited, "its source sends more handshakes than allowed")                       \
	X(15, bad_handshake, "the handshake did not authenticate, or is of no peer of ours")       \
	X(16, old_timestamp, "an initiation no newer than the last one, a replay")                 \
	X(17, queue_full, "the handshake queue was full")                                          \
	X(18, bad_cookie, "a cookie reply that did not authenticate or was not asked for")         \
	/* outgoing */                                                                             \
	X(19, no_peer, "no peer has the destination in its allowed IPs")                           \
	X(20, no_endpoint, "the peer has no endpoint yet")                                         \
	X(21, staged_full, "too many packets waited for a session; the oldest went")               \
	X(22, no_session, "the handshake was given up while it waited")                            \
	X(23, too_big, "larger than the path takes")                                               \
	X(24, send_failed, "the kernel refused to send it")                                        \
	X(25, tx_full, "no free frame to send it in")                                              \
	X(26, down, "the interface is down or has no private key")                                 \
	X(27, loop, "it would go out by the tunnel that it came from")                             \
	/* inside, where the kernel checks the worker */                                           \
	X(28, inject_mismatch,                                                                     \
	  "its inner source is not the peer's under whom the worker wrote it")                     \
	/* handshake messages again */                                                             \
	X(29, no_resources, "authentic, but there was no memory or index left for its session")

/* clang-format off */
enum reason {
#define X(id, name, sentence) REASON_##name = (id),
	FOREACH_REASON(X)
#undef X
	REASON_COUNT
};
/* clang-format on */

#endif
