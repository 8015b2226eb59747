#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1200
#
# A hub of 100,000 peers: how long one more peer, hub.py, waits for its session while unknown hosts
# ping the hub, routes change, `wgxdp show` runs, or the hub sends packets to 60,000 silent peers.
#
#   ┌────────── a ──────────┐                    ┌──────── b ────────┐
#   │ wgxdp, 100,000 peers  │                    │ hub.py, one peer  │
#   │ 192.0.2.1, 10.50.0.1  eth0 ═══════════ eth0 192.0.2.2          │
#   └───────────────────────┘        veth        │ drops 198.0.0.0/8 │
#                                                └───────────────────┘
#
# PEERS sets the number of peers. LASTS sets the time of each measurement in seconds (default: 15).

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd ip wg
need_cryptography

A=${ID}a
keys a b
ns_add a b
join a eth0 b eth0
in_ns a ip address add 10.50.0.1/16 dev eth0
in_ns a ip route add 198.0.0.0/8 via 192.0.2.2
in_ns b ip route add blackhole 198.0.0.0/8
in_ns b sysctl -qw net.ipv4.ip_forward=1

for path in xdp udp; do
	ok "$path: attach succeeds" ours a "$A" --rx $path --tx $path < <(
		interface a ListenPort=51820 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32
	)
	in_ns a ip route add 10.64.0.0/14 dev "$A"
	WGXDP=$WGXDP python_tap "$path: " hub.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" \
		"$TMP" "${PEERS:-100000}" "${LASTS:-15}"
	down a "$A"
	clean "$path: nothing is left" a "$A"
done

done_testing
