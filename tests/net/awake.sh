#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A virtual machine that is restored or cloned: its new generation ID makes all keys void at once,
# while data flows; on both paths. Hosts that sleep are in unit/test_awake.c: nothing but sleep moves
# one clock against the other.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2, looked at by a tap

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping
need_cryptography # wgpeer.py does

attach() # NS PEER ADDRESS OPTIONS...
{
	local ns=$1 peer=$2 host=$3 other=$((3 - $3))
	shift 3
	ours "$ns" "$ID$ns" "$@" <<-EOF
		[Interface]
		PrivateKey = $(key "$ns")
		ListenPort = 51820
		Address = 10.99.0.$host/24
		[Peer]
		PublicKey = $(pub "$peer")
		AllowedIPs = 10.99.0.$other/32
		Endpoint = 192.0.2.$other:51820
	EOF
}

ns_add a b
join a eth0 b eth0
keys a b
for path in xdp udp; do
	attach b a 2 --rx udp --tx udp # where a tap sees what comes
	attach a b 1 --rx $path --tx $path --workers 1
	python_tap "$path: " awake.py "$ID-a" "$ID-b"
	[ $path = udp ] ||
		holds "$path: data left by AF_XDP" "$(show a "${ID}a" .path.tx_packets.xsk)" -ge 100
	down a "${ID}a"
	down b "${ID}b"
done
done_testing
