#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One side restarts while the other still holds the old session. No packet is lost: the first packet
# under the new session confirms the new session, so the answer to this packet already uses it.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping

no_sockets() { [ -z "$(in_ns a ss -Hlun)" ]; }

ns_add a b
join a eth0 b eth0
keys a b
for path in xdp udp; do
	twin b a 2 --rx $path --tx $path
	for round in 1 2 3; do
		twin a b 1 --rx $path --tx $path
		is "$path, attach number $round: all pings are answered" \
			"$(answers 5 a 10.99.0.2)" 5
		if [ $round = 3 ]; then
			sleep 0.1 # b ignores a second initiation within 20 ms
			in_ns a ip link set "${ID}a" down
			# Wait until the daemon has closed its sockets.
			wait_for 5 no_sockets
			in_ns a ip link set "${ID}a" up
			is "$path, set down and up: all pings are answered" \
				"$(answers 5 a 10.99.0.2)" 5
		fi
		down a "${ID}a"
	done
	# A management tool may set the same configuration again and again, which must not lose
	# packets.
	twin a b 1 --rx $path --tx $path
	many=$(printf ',10.98.%d.0/24' {0..255})$(printf ',10.%d.0.0/16' {100..200})
	{
		interface a ListenPort=51820
		peer b AllowedIPs="10.99.0.2/32$many" Endpoint=192.0.2.2:51820
	} | conf sync >/dev/null
	in_ns a wg syncconf "${ID}a" "$TMP/sync.conf"
	pinged a 10.99.0.2 300 0.002 >"$TMP/pings" &
	pinging=$!
	while kill -0 $pinging 2>/dev/null; do in_ns a wg syncconf "${ID}a" "$TMP/sync.conf"; done
	is "$path, repeated wg syncconf: all pings are answered" "$(cat "$TMP/pings")" "300 of 300"
	is "$path, repeated wg syncconf: nothing is dropped" \
		"$(show a "${ID}a" '.drops | length')" 0
	down a "${ID}a"
	is "$path: b drops nothing" "$(show b "${ID}b" '.drops | length')" 0
	down b "${ID}b"
done
done_testing
