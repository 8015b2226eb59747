#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `ip rule ... sport PORT` and the multipath hash over two next hops choose a route by the ports of
# a packet. Data sent by AF_XDP must take the next hop that the kernel chooses for the UDP socket,
# which sends the handshakes.
#
#   ┌───── a ─────┐        ┌── s: bridge ───┐       ┌─────────── b ───────────┐
#   │ 192.0.2.1   │ eth0 ══╡                ╞══ eth0│ 192.0.2.2  203.0.113.9  │ the endpoint
#   │ default: .3 │        │                │       └─────────────────────────┘
#   │ table 100:  │        │                ╞══ eth0┌──── c ────┐
#   │ default: .2 │        └────────────────┘       │ 192.0.2.3 │ cannot reach the endpoint
#   └─────────────┘                                 └───────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping

A=${ID}a B=${ID}b
keys a b
ns_add a b c s
in_ns s ip link add br0 type bridge
in_ns s ip link set br0 up
for n in a b c; do
	ip link add eth0 netns "$ID-$n" type veth peer name "p$n" netns "$ID-s"
	in_ns s ip link set "p$n" master br0 up
	in_ns $n ip link set eth0 up
done
in_ns a ip address add 192.0.2.1/24 dev eth0
in_ns b ip address add 192.0.2.2/24 dev eth0
in_ns b ip address add 203.0.113.9/32 dev lo
in_ns c ip address add 192.0.2.3/24 dev eth0
in_ns a ip route add default via 192.0.2.3

# Prints the next hop that the kernel chooses for source port PORT.
chosen()
{
	in_ns a ip -json route get 203.0.113.9 from 192.0.2.1 ipproto udp sport "$1" dport 51822 |
		jq -r '.[0].gateway'
}

answers_by() # PATH PORT WHAT
{
	ok "$3: a attaches" ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort="$2" Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32 Endpoint=203.0.113.9:51822)
	ok "$3: no ping is lost" pinged a 10.99.0.2
	is "$3: thirty pings are answered" "$(answers 30 a 10.99.0.2)" 30
	[ "$1" = udp ] ||
		is "$3: the pings take AF_XDP" \
			"$(show a "$A" '.peers[0] | "\(.tx) \(.why)"')" "xdp null"
	ok "$3: a detaches" down a "$A"
}

ok "b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
in_ns a ip route add default via 192.0.2.2 table 100
in_ns a ip rule add ipproto udp sport 51821 lookup 100
is "the rule leads port 51821 to b" "$(chosen 51821)" 192.0.2.2
for path in udp xdp; do
	answers_by $path 51821 "$path, a rule by source port"
done
in_ns a ip rule del ipproto udp sport 51821 lookup 100

# The kernel's hash decides which ports are routed to b; packets from other ports are lost.
in_ns a sysctl -qw net.ipv4.fib_multipath_hash_policy=1
in_ns a ip route replace default nexthop via 192.0.2.2 nexthop via 192.0.2.3
port=51821
while [ "$(chosen $port)" != 192.0.2.2 ]; do port=$((port + 1)); done
other=51821
while [ "$(chosen $other)" != 192.0.2.3 ]; do other=$((other + 1)); done
for path in udp xdp; do
	answers_by $path $port "$path, the hash of port $port leads to b"
done
ok "a attaches with port $other" ours a "$A" --rx xdp --tx xdp < <(
	interface a ListenPort=$other Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=203.0.113.9:51822)
is "no ping through c is answered" "$(answers 3 a -W 1 10.99.0.2)" 0
ok "a detaches" down a "$A"
ok "b detaches" down b "$B"
clean "nothing is left" a "$A"

done_testing
