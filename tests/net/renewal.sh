#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One side begins anew, the other still holds the session from before: not one packet is lost. The
# first answer must leave under the new session, in the very moment in which it is confirmed.
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
		is "$path, attached for the ${round}. time: answers" "$(answers 5 a 10.99.0.2)" 5
		if [ $round = 3 ]; then
			sleep 0.1 # the second initiation within 20 ms would not be answered, [W] 5.1
			in_ns a ip link set "${ID}a" down
			wait_for 5 no_sockets # it has been seen
			in_ns a ip link set "${ID}a" up
			is "$path, set down and up: answers" "$(answers 5 a 10.99.0.2)" 5
		fi
		down a "${ID}a"
	done
	# The same configuration over and over, as whoever manages it may say it: no packet notices.
	twin a b 1 --rx $path --tx $path
	{
		printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "$(key a)"
		printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.99.0.2/32' "$(pub b)"
		printf ', 10.98.%d.0/24' {0..255}
		printf ', 10.%d.0.0/16' {100..200}
		printf '\nEndpoint = 192.0.2.2:51820\n'
	} | conf sync >/dev/null
	in_ns a wg syncconf "${ID}a" "$TMP/sync.conf"
	pinged a 10.99.0.2 300 0.002 >"$TMP/pings" &
	pinging=$!
	while kill -0 $pinging 2>/dev/null; do in_ns a wg syncconf "${ID}a" "$TMP/sync.conf"; done
	is "$path, wg syncconf all the time: answers" "$(cat "$TMP/pings")" "300 of 300"
	is "$path, ...: nothing was dropped" "$(show a "${ID}a" '.drops | length')" 0
	down a "${ID}a"
	is "$path: b dropped nothing" "$(show b "${ID}b" '.drops | length')" 0
	down b "${ID}b"
done
done_testing
