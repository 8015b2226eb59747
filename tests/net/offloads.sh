#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Large packets through the tunnel, with all offloads, and with each one switched off. Packets that
# are split, merged or sent in trains (several datagrams with one system call) arrive unchanged, and
# a wrong checksum is never repaired.
#
#   c: eth0 ═══ eth1 :a: eth0 ═══ eth0 :b     10.99.0.1 a, 10.99.0.2 b, 10.99.0.3 c, fd99:: likewise

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip jq python3
keys a b c

node() # NS NUMBER OPTIONS... < peers
{
	ours "$1" "$ID$1" "${@:3}" < <(
		interface "$1" ListenPort="5182$2" Address="10.99.0.$2/24,fd99::$2/64"
		cat)
}

peer_of() # NS NUMBER [ENDPOINT]
{
	peer "$1" AllowedIPs="10.99.0.$2/32,fd99::$2/128" Endpoint="${3-}"
}

up() # OPTIONS...
{
	node a 1 "$@" < <(peer_of b 2 192.0.2.2:51822 && peer_of c 3 198.51.100.2:51823) &&
		node b 2 "$@" < <(peer_of a 1) && node c 3 "$@" < <(peer_of a 1)
}

# Prints the drops except too_big. Packets that were queued before the MTU was lowered are counted
# as too_big.
drops() { in_ns "$1" "$WGXDP" show "$ID$1" --json | jq -c '.drops | del(.too_big)'; }

tests() # NAME TEST...
{
	python_tap "$1: " offloads.py "$ID-a" "$ID-b" "$ID-c" "$ID" "${@:2}"
	for ns in a b c; do
		is "$1: $ns dropped nothing" "$(drops $ns)" '{}'
		down $ns "$ID$ns"
	done
}

ns_add a b c
join a eth0 b eth0
ip link add eth1 netns "$ID-a" type veth peer name eth0 netns "$ID-c"
in_ns a ip address add 198.51.100.1/24 dev eth1
in_ns c ip address add 198.51.100.2/24 dev eth0
in_ns a ip link set eth1 up
in_ns c ip link set eth0 up

for options in "--rx udp --tx udp" "--rx xdp --tx xdp"; do
	# shellcheck disable=SC2086
	ok "$options: the nodes attach" up $options
	tests "$options" tcp trains two_peers wrong_checksums mtu_under_load
done
for switch in --no-gso --no-gro --no-uso; do
	ok "$switch: the nodes attach" up --rx udp --tx udp $switch
	tests "$switch" tcp trains wrong_checksums
done
done_testing
