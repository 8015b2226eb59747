#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A virtual machine is restored or cloned: its new generation ID makes wgxdp discard all keys at
# once, while data flows by XDP or by UDP. A host that slept is tested in unit/test_suspend.c with
# simulated clocks, because only real sleep makes CLOCK_BOOTTIME and CLOCK_MONOTONIC differ.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2, with a tap

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping
need_cryptography # for wgpeer.py

ns_add a b
join a eth0 b eth0
keys a b
for path in xdp udp; do
	twin b a 2 --rx udp --tx udp # the tap does not see what AF_XDP receives
	twin a b 1 --rx $path --tx $path --workers 1
	python_tap "$path: " suspend.py "$ID-a" "$ID-b"
	[ $path = udp ] ||
		holds "$path: data leaves by AF_XDP" "$(show a "${ID}a" .path.tx_packets.xsk)" -ge \
			100
	down a "${ID}a"
	down b "${ID}b"
done
done_testing
