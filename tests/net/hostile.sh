#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Everything at once: sixteen peers are changed, removed and added again through the socket while
# they handshake, roam and send invalid messages, and while links, addresses, routes, rules,
# neighbours, MACs, queues and namespaces change. Afterwards every peer recovers, no resource has
# grown, and nothing is left behind.
#
#   ┌──────── a ────────┐                   ┌────── b ──────┐
#   │ wgxdp, a hub      │                   │ hostile.py,   │     c: the tunnel moves here and back
#   │ :51820       eth0 ═══ 2 queues ═══ eth0 sixteen peers │
#   └───────────────────┘                   └───────────────┘
#
# The test runs for LASTS seconds (default: 5) with XDP, and then as long with the UDP sockets. It
# prints SEED. A run with the same SEED makes the same random choices, but not at the same times.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq bpftool ethtool
need_cryptography

SEED=${SEED:-$(($(date +%s) % 100000))}
A=${ID}a
keys a
ns_add a b c
ip link add eth0 netns "$ID-a" numrxqueues 2 numtxqueues 2 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 2 numtxqueues 2
for ns in a b; do in_ns $ns ip link set eth0 up; done
in_ns a ip address add 192.0.2.1/24 dev eth0
in_ns a sysctl -qw net.ipv4.conf.all.promote_secondaries=1
diag "SEED=$SEED"

for path in xdp udp; do
	ok "$path: attach succeeds" ours a "$A" --rx $path --tx $path \
		< <(interface a ListenPort=51820 Address=10.99.0.1/24)
	pid=$(daemon_pid a "$A")
	python_tap "$path: " hostile.py "$pid" "$A" "$ID-a" "$ID-b" "$ID-c" "$TMP" "$SEED" \
		"${LASTS:-5}"
	is "$path: the daemon is still the same process" "$(daemon_pid a "$A")" "$pid"
	down a "$A"
	clean "$path: nothing is left" a "$A"
done

done_testing
