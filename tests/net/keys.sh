#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Keys that change while traffic flows, are cleared, or are none; persistent keepalives: what leaves
# then, message by message, and that no timer is waited for. On both paths.
#
#   ┌──────── a ────────┐             ┌────────── b ──────────┐
#   │ wgxdp   10.99.0.1 │             │ keys.py, a node of    │
#   │ :51820  192.0.2.1 eth0 ═════ eth0 wgpeer.py  192.0.2.2  │
#   └───────────────────┘             └───────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq
need_cryptography

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a a2 b
for path in xdp udp; do
	ok "$path: attach" ours a "$A" --rx $path --tx $path <<-EOC
		[Interface]
		PrivateKey = $(key a)
		ListenPort = 51820
		Address = 10.99.0.1/24
		[Peer]
		PublicKey = $(pub b)
		AllowedIPs = 10.99.0.2/32
		Endpoint = 192.0.2.2:51822
	EOC
	python_tap "$path: " keys.py "$A" "$ID-a" "$ID-b" "$TMP"
	is "$path: it took that path" "$(show a "$A" '.path | "\(.rx) \(.tx)"')" "$path $path"
	down a "$A"
	clean "$path: nothing left" a "$A"
done

done_testing
