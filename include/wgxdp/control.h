/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * control.h - what daemon and commands say to each other on /run/wgxdp/<interface>.sock.
 * Directory 0700, socket 0600. One JSON object per line each way; several requests may follow each
 * other on a connection and are answered in order. Unknown members are ignored.
 *
 *   {"op":"show"}     the object below
 *   {"op":"detach"}   {"ok":true} when everything is torn down; the daemon then ends
 *   {"op":"set","debug":true|false}
 *                     {"ok":true,"log":"journal"|"syslog"|"stderr"|"nowhere","stderr":"<what it
 *                     is>","pid":number}: where the messages of debugging go
 *   anything else     {"error":"<sentence>"}
 *
 * The object of show, and of `wgxdp show --json`:
 *
 *   interface         "wg0"
 *   public_key        base64, or null when no private key is set
 *   listen_port       number
 *   fwmark            number, 0 = off
 *   mtu               number
 *   debug             bool: debugging is on
 *   path              nic (name or null; "eth0,eth1"), queues, workers (numbers),
 *                     rx, tx ("xdp", "udp"), xdp_mode ("native", "generic", null),
 *                     zero_copy (bool), aead (name), why (sentence or null: why it is not xdp),
 *                     pinned (directory of the maps or null), pinned_why (sentence or null: why
 *                     they are not pinned),
 *                     rx_packets {xsk, udp}, tx_packets {xsk, udp}: data messages
 *   drops             {name of a reason (reasons.h): packets} that our programs, workers and the
 *                     handshake engine dropped; those that are not 0
 *   lost              {name (FOREACH_LOSS below): packets} that the kernel dropped on their way
 *                     between us and the NIC or the host; those that are not 0
 *   dropped           the sum of both: of what came to us or was given to us, each packet either
 *                     went on or stands here, once
 *   passes            {name of a reason: packets} that failed the same check and went on to the
 *                     stack, since the host forwards; those that are not 0. They are no drops
 *   peers             in the order in which they were added, each:
 *                     public_key, name ("" = none), endpoint ("" = none), allowed_ips ["a/n"],
 *                     latest_handshake (Unix time in s, 0 = never),
 *                     rx_bytes, tx_bytes, rx_packets, tx_packets (authenticated),
 *                     persistent_keepalive (s, 0 = off),
 *                     path_mtu (bytes of an outer packet, null = not known),
 *                     tx ("xdp", "udp", null = no endpoint), why (sentence or null: why data to it
 *                     alone does not leave by AF_XDP, or that its route leads into the tunnel)
 *
 * Private and preshared keys never pass here.
 */
#ifndef WGXDP_CONTROL_H
#define WGXDP_CONTROL_H

#define CONTROL_DIRECTORY "/run/wgxdp"
#define CONTROL_SUFFIX ".sock"
#define CONTROL_REQUEST_MAX 4096 /* bytes of a request, without its newline */

/* The configuration socket of wg(8), [contract] 1. */
#define UAPI_DIRECTORY "/var/run/wireguard"

/* X(name, sentence): the kernel's drops. Names are JSON keys: append, never rename. */
#define FOREACH_LOSS(X)                                                                            \
	X(xsk_rx, "an AF_XDP socket had no room, or the frame was too large for it")               \
	X(xsk_tx, "the NIC did not take it from an AF_XDP socket")                                 \
	X(udp_rx, "a UDP socket had no room, or the checksum was wrong")                           \
	X(tun_rx, "the host did not take it from the tunnel interface")                            \
	X(tun_tx, "the queue of the tunnel interface was full")

#define CONTROL_OP "op"
#define CONTROL_OP_SHOW "show"
#define CONTROL_OP_DETACH "detach"
#define CONTROL_OP_SET "set"
#define CONTROL_DEBUG "debug"
#define CONTROL_OK "ok"
#define CONTROL_ERROR "error"

#endif
