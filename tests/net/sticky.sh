#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A host with several addresses answers from the address that the peer used. If this address is
# deleted, the host answers from another one. When a better route appears, the host uses it at once.
# Data goes by XDP and by UDP, with outer IPv4 and IPv6. The test reads a's address from
# `show` in b: the endpoint of peer a is the source of its newest packet.
#
#   ┌───────────── a ──────────────┐               ┌───────────── b ──────────────┐
#   │ wgxdp             192.0.2.1  eth0 ═════════ eth0 192.0.2.2                  │
#   │ 10.99.0.1         192.0.2.11 │               │              wgxdp 10.99.0.2 │
#   │                198.51.100.1  eth1 ═════════ eth1 198.51.100.2               │
#   └──────────────────────────────┘               │ lo: 203.0.113.2, b's endpoint│
#      v6: 2001:db8::, 2001:db8:1::                └──────────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping

ns_add a b
join a eth0 b eth0
ip link add eth1 netns "$ID-a" type veth peer name eth1 netns "$ID-b"
in_ns a ip address add 198.51.100.1/24 dev eth1
in_ns a ip address add 2001:db8:1::1/64 dev eth1 nodad
in_ns b ip address add 198.51.100.2/24 dev eth1
in_ns b ip address add 2001:db8:1::2/64 dev eth1 nodad
in_ns a ip link set eth1 up
in_ns b ip link set eth1 up
in_ns b ip address add 203.0.113.2/32 dev lo
in_ns b ip address add 2001:db8:9::2/128 dev lo
in_ns a sysctl -qw net.ipv4.conf.all.promote_secondaries=1
A=${ID}a B=${ID}b
keys a b

# Sets variables for an address family: the addresses of a and of b, prefix lengths, and $ip,
# the `ip` command.
family() # v4|v6
{
	if [ "$1" = v4 ]; then
		A0=192.0.2.1 A0X=192.0.2.11 A1=198.51.100.1 len=24
		B0=192.0.2.2 B1=198.51.100.2 BLO=203.0.113.2 whole=32 ip="ip -4"
	else
		A0=2001:db8::1 A0X=2001:db8::11 A1=2001:db8:1::1 len=64
		B0=2001:db8::2 B1=2001:db8:1::2 BLO=2001:db8:9::2 whole=128 ip="ip -6"
	fi
}

at() { if [[ $1 == *:* ]]; then echo "[$1]:51820"; else echo "$1:51820"; fi; }

up() # NS INTERFACE NUMBER PATH [ENDPOINT]
{
	local other=b path
	[ "$1" = a ] || other=a
	path=$({
		interface "$1" ListenPort=51820 Address="10.99.0.$3/24"
		peer "$other" AllowedIPs="10.99.0.$((3 - $3))/32" Endpoint="${5:+$(at "$5")}"
	} | conf "$2")
	in_ns "$1" "$WGXDP" attach eth0,eth1 "$path" --rx "$4" --tx "$4" </dev/null
}

both_up() # PATH A-ENDPOINT B-ENDPOINT
{
	up a "$A" 1 "$1" "$2" && up b "$B" 2 "$1" "$3"
}

seen() { show b "$B" '.peers[0].endpoint'; }
is_seen() { in_ns a ping -q -c 1 -W 0.5 10.99.0.2 && [ "$(seen)" = "$(at "$1")" ]; }
received() { show a "$A" '.path.rx_packets | .udp + .xsk'; }
# Counts bytes, because the NIC counts several datagrams of one system call (GSO) as one packet.
left_by() { in_ns a ip -j -s link show dev "$1" | jq '.[0].stats64.tx.bytes'; }

# Checks that node a uses ADDRESS and NIC, and that all pings are answered in both directions.
uses() # WHAT ADDRESS NIC
{
	local tx
	ok "$1: a sends from $2" wait_for 5 is_seen "$2"
	tx=$(left_by "$3")
	is "$1: a's pings are answered" "$(answers 10 a 10.99.0.2)" 10
	is "$1: b's pings are answered" "$(answers 10 b 10.99.0.1)" 10
	holds "$1: a sends by $3" $(($(left_by "$3") - tx)) -ge $((20 * 128))
	is "$1: a still sends from $2" "$(seen)" "$(at "$2")"
	is "$1: data takes $path" "$(show a "$A" '.peers[0] | "\(.tx) \(.why)"')" "$path null"
}

# Makes b send a keepalive to ADDRESS of a. A ping would be answered, and the answer might still
# leave from a's earlier address.
speak_to() # ADDRESS
{
	local before
	before=$(received)
	in_ns b wg set "$B" peer "$(pub a)" endpoint "$(at "$1")" persistent-keepalive 60
	in_ns b wg set "$B" peer "$(pub a)" persistent-keepalive off
	wait_for 5 eval "[ \$(received) -gt $before ]"
}

# In each round one session lasts through all steps. $ip is two words, so it is not quoted.
# shellcheck disable=SC2086
{
	for path in xdp udp; do
		for family in v4 v6; do
			family $family
			what="$path, $family"
			in_ns a $ip address add $A0X/$len dev eth0
			in_ns a $ip route add $BLO/$whole via $B0 metric 20
			in_ns b $ip route replace $A0X/$whole dev eth0 src $BLO
			ok "$what: attach succeeds on both sides" both_up $path $BLO $A0X

			# b sends to a's second address, so a answers from this address.
			is "$what: b reaches a's second address" "$(answers 1 b 10.99.0.1)" 1
			uses "$what, second address" $A0X eth0
			in_ns a $ip address del $A0X/$len dev eth0
			uses "$what, the second address is deleted" $A0 eth0

			# A better route leads through eth1.
			in_ns a $ip route add $BLO/$whole via $B1 metric 10
			uses "$what, a better route" $A1 eth1
			in_ns a ip link set eth1 down
			uses "$what, the NIC of the better route is down" $A0 eth0
			in_ns a ip link set eth1 up
			in_ns a ip address add 2001:db8:1::1/64 dev eth1 nodad
			in_ns a $ip route add $BLO/$whole via $B1 metric 10
			uses "$what, that NIC is up again" $A1 eth1
			in_ns a $ip route del $BLO/$whole via $B1
			uses "$what, the better route is deleted" $A0 eth0

			# b sends to the address of a's eth1, while a's route to b leaves through
			# eth0. If the packet arrives on eth0, a answers from eth1's address, to
			# which b sent. If it arrives on eth1, a answers through eth0 and from the
			# route's source address, as the kernel's WireGuard does. b always sends
			# from its loopback address.
			in_ns b $ip route replace $A1/$whole via $A0 src $BLO
			speak_to $A1
			uses "$what, b reaches the other NIC's address by this NIC" $A1 eth0
			in_ns b $ip route replace $A1/$whole dev eth1 src $BLO
			speak_to $A1
			uses "$what, packets of b arrive on the other NIC" $A0 eth0

			is "$what: b's endpoint stays the same" \
				"$(show a "$A" '.peers[0].endpoint')" "$(at $BLO)"
			in_ns a $ip route del $BLO/$whole via $B0
			in_ns b $ip route del $A1/$whole dev eth1
			down a "$A"
			down b "$B"
		done
	done
}
clean "nothing is left" a "$A"

done_testing
