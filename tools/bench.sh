#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh - throughput and round trip of the tunnel between two namespaces, by each path and, for
# comparison, of wireguard-go and of the bare cable, one after the other in one run. Root.
#
#   a: eth0 ═══ eth0 :b      10.99.0.1 ─ tunnel ─ 10.99.0.2

WGXDP=${WGXDP:-$PWD/build/wgxdp}
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/../tests/net/lib.sh"
need_root
need_cmd iperf3 jq wg wireguard-go ping

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

config() # SIDE NUMBER PEER NUMBER
{
	cat <<-EOF
		[Interface]
		PrivateKey = $(key "$1")
		ListenPort = 5182$2
		[Peer]
		PublicKey = $(pub "$3")
		AllowedIPs = 10.99.0.$4/32
		Endpoint = 192.0.2.$4:5182$4
	EOF
}

with_address() # NUMBER
{
	sed "/^ListenPort/a Address = 10.99.0.$1/24"
}

measure() # WHAT ADDRESS
{
	local up down small rtt
	spawn b iperf3 -s -p 5201 >/dev/null 2>&1
	local server=$!
	wait_for 5 eval "in_ns b ss -Hltn | grep -q :5201"
	in_ns a ping -q -c 1 -W 5 "$2" >/dev/null
	rtt=$(in_ns a ping -q -i 0.01 -c 200 "$2" | awk -F / '/^rtt/ { print $5 }')
	up=$(in_ns a iperf3 -J -c "$2" -p 5201 -t 5 | jq '.end.sum_received.bits_per_second / 1e6 | floor')
	down=$(in_ns a iperf3 -J -c "$2" -p 5201 -t 5 -R | jq '.end.sum_received.bits_per_second / 1e6 | floor')
	small=$(in_ns a iperf3 -J -c "$2" -p 5201 -t 5 -u -b 0 -l 64 |
		jq '.end.sum | .packets * (100 - .lost_percent) / 100 / .seconds / 1e3 | floor')
	kill $server
	wait $server 2>/dev/null
	printf '%-24s %8s %8s %10s %10s\n' "$1" "${up:-?}" "${down:-?}" "${small:-?}" "${rtt:-?}"
}

printf '%-24s %8s %8s %10s %10s\n' "" "TCP out" "TCP in" "UDP 64 B" "round trip"
printf '%-24s %8s %8s %10s %10s\n' "" "Mbit/s" "Mbit/s" "kpps" "ms"
measure "bare cable" 192.0.2.2
for options in "--rx xdp --tx xdp" "--rx xdp --tx xdp --aead libsodium" "--rx udp --tx udp"; do
	# shellcheck disable=SC2086 # several words
	config a 1 b 2 | with_address 1 | ours a "$A" $options
	# shellcheck disable=SC2086
	config b 2 a 1 | with_address 2 | ours b "$B" $options
	measure "wgxdp $(sed 's/--rx \(...\) --tx .../\1/' <<<"$options")" 10.99.0.2
	down a "$A"
	down b "$B"
done
for side in a b; do
	[ $side = a ] && n=1 name=$A peer=b || n=2 name=$B peer=a
	config $side "$n" "$peer" $((3 - n)) | foreign $side "$name"
	in_ns $side ip address add "10.99.0.$n/24" dev "$name"
	in_ns $side ip link set "$name" mtu 1420 up
done
measure "wireguard-go" 10.99.0.2
