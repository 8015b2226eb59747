/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * control.h - the protocol between the daemon and the commands on /run/wgxdp/<interface>.sock. The
 * directory has mode 0700, the socket 0600. Both sides send one JSON object per line. A connection
 * may carry several requests. The daemon reads a request only after it has answered the previous
 * one. Unknown members are ignored.
 *
 *   a command, such as wgxdp show ── {"op": ...}\n ──▶ daemon
 *                                 ◀── {...}\n ───────
 *
 *   {"op":"show"}     the object below
 *   {"op":"detach"}   {"ok":true} when everything is removed; the daemon then ends
 *   {"op":"set","debug":true|false}
 *                     {"ok":true,"log":"journal"|"syslog"|"stderr"|"nowhere","stderr":"<file>",
 *                     "pid":number}: log says where debug messages go, stderr names the file behind
 *                     the daemon's standard error
 *   {"op":"logs"}     {"ok":true,"earlier":number,"lines":[{"time_ms":Unix time in ms,
 *                     "level":"error"|"info"|"debug","text":"..."}]}: the last lines of the log,
 *                     oldest first; earlier counts the older lines, which are no longer kept
 *   {"op":"reload","exact":true,"adopt":true}
 *                     {"ok":true} when the config file is applied. exact: the device becomes
 *                     exactly like the file, as with `wg syncconf`; adopt: the device already
 *                     matches the file, so the file is only read. Both members are optional
 *   {"op":"settle"}   {"ok":true} when no reload runs and every change of the file that the daemon
 *                     has noticed is applied; an error if the last reload has failed
 *   {"op":"confirm"}  {"ok":true}: confirms the tunnel, so that it is not removed
 *   {"op":"confirm","wait":true}
 *                     {"ok":true} when the tunnel is confirmed, {"ok":false} when the time for the
 *                     confirmation has run out
 *   any failure       {"error":"<sentence>"}, also for a request that the daemon does not know.
 *                     With "failed":true the daemon knows the request, and a reload has failed
 *
 * Each of these answers also has "version": the version of the daemon, as `wgxdp --version` prints
 * it. It may differ from the version of the command, because an upgrade does not restart daemons. A
 * daemon of version 0.2.0 or older sends no version.
 *
 * The object of show, and of `wgxdp show --json`:
 *
 *   interface         "wg0"
 *   version           "0.3.0"
 *   public_key        base64, or null when no private key is set
 *   listen_port       number
 *   fwmark            number, 0 = off
 *   mtu               number
 *   debug             bool: debug messages are on
 *   path              nic (name or null; "eth0,eth1"), queues, workers (numbers),
 *                     rx, tx ("xdp", "udp": the path that the latest data took),
 *                     xdp_mode ("native", "generic", null),
 *                     zero_copy (bool: on all queues), zero_copy_queues (number),
 *                     busy_poll_us (number; 0 = no busy polling),
 *                     aead (name), why (sentence or null: why rx or tx is udp),
 *                     pinned (directory of the maps or null), pinned_why (sentence or null: why
 *                     they are not pinned), bpf (bool: the BPF programs are loaded),
 *                     rps (bool: RPS is on for the tunnel interface),
 *                     kernel_lacks [phrase for each feature that this kernel lacks],
 *                     rx_packets {xsk, udp}, tx_packets {xsk, udp}: data messages,
 *                     in_flight (messages that AF_XDP sockets hold now because the NIC has not
 *                     sent them yet; when a socket is closed, its messages count as lost),
 *                     per_worker [{rx_packets, tx_packets}]: data messages of each worker
 *   config            null, or the config file: path (absolute), applied (Unix time in s when it
 *                     was applied last), error (why the last reload failed, or null),
 *                     error_time (Unix time in s, or null), confirm (seconds left for `wgxdp
 *                     confirm`, or null)
 *   drops             {name of a reason (reasons.h): packets} that the BPF programs, the workers
 *                     and the handshake engine dropped. Reasons with 0 packets are left out
 *   lost              {name (FOREACH_LOSS below): packets} that the kernel dropped on the way
 *                     between wgxdp and the NIC or the host. Names with 0 packets are left out
 *   dropped           the sum of drops and lost. Each packet that reached wgxdp either went on or
 *                     is counted here once
 *   passes            {name of a reason: packets} that the BPF programs passed to the stack. The
 *                     packets failed the check of that name, but may be for another host, because
 *                     this host forwards. "stalled" counts data messages whose worker hung. Passed
 *                     packets do not count as dropped. Reasons with 0 packets are left out
 *   peers             in the order in which they were added, each:
 *                     public_key, name ("" = none), endpoint ("" = none),
 *                     endpoint_name ("host:port" from which the endpoint comes, null = none),
 *                     endpoint_name_why (phrase or null: why the latest lookup failed or has not
 *                     ended; if endpoint is "", the address is not known yet),
 *                     allowed_ips ["a/n"], latest_handshake (Unix time in s, 0 = never),
 *                     rx_bytes, tx_bytes, rx_packets, tx_packets (authenticated),
 *                     persistent_keepalive (s, 0 = off),
 *                     path_mtu (bytes of an outer packet, null = not known),
 *                     tx ("xdp", "udp", null = no endpoint), why (sentence or null: why data to
 *                     this peer does not leave by AF_XDP, what AF_XDP bypasses for this peer, or
 *                     that its route leads into the tunnel),
 *                     trains_refused (bool: the kernel refused UDP_SEGMENT for this peer, so each
 *                     datagram is sent alone)
 *
 * Private and preshared keys are never sent on this socket.
 */
#ifndef WGXDP_CONTROL_H
#define WGXDP_CONTROL_H

#define CONTROL_DIRECTORY "/run/wgxdp"
#define CONTROL_SUFFIX ".sock"
#define CONTROL_REQUEST_MAX 4096 /* bytes of a request, without its newline */

/* The directory of the configuration sockets that wg(8) uses. */
#define UAPI_DIRECTORY "/var/run/wireguard"

/* X(name, sentence): packets that the kernel dropped. The names are JSON keys, so append new ones
 * and never rename one. `wgxdp show` prints the sentences. */
#define FOREACH_LOSS(X)                                                                            \
	X(xsk_rx, "an AF_XDP socket had no room, or the frame was too large for it")               \
	X(xsk_tx, "the NIC did not accept the frame from an AF_XDP socket")                        \
	X(udp_rx, "a UDP socket had no room, or the checksum was wrong")                           \
	X(tun_rx, "the host did not accept the packet from the tunnel interface")                  \
	X(tun_tx, "the queue of the tunnel interface was full")

#define CONTROL_OP "op"
#define CONTROL_OP_SHOW "show"
#define CONTROL_OP_DETACH "detach"
#define CONTROL_OP_SET "set"
#define CONTROL_OP_RELOAD "reload"
#define CONTROL_OP_SETTLE "settle"
#define CONTROL_OP_CONFIRM "confirm"
#define CONTROL_WAIT "wait"
#define CONTROL_EXACT "exact"
#define CONTROL_ADOPT "adopt"
#define CONTROL_OP_LOGS "logs"
#define CONTROL_DEBUG "debug"
#define CONTROL_OK "ok"
#define CONTROL_VERSION "version"
#define CONTROL_ERROR "error"
#define CONTROL_FAILED "failed"

#endif
