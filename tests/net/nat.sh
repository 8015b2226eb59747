#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two nodes behind NAT, c and d. c stays reachable because it sends keepalives. The nodes reach each
# other through a hub that forwards, and then without the hub.
#
#   ┌──── c ────┐   ┌────────── r: NAT ───────┐   ┌─── w ──┐   ┌───── h ─────┐
#   │ 10.1.0.2 ═══════ 10.1.0.1    192.0.2.11 ═════        ═════  192.0.2.1  │
#   │ 10.99.0.2 │   └─────────────────────────┘   │        │   │  10.99.0.1  │
#   └───────────┘                                 │ bridge │   │  hub        │
#   ┌──── d ────┐   ┌────────── q: NAT ───────┐   │        │   └─────────────┘
#   │ 10.2.0.2 ═══════ 10.2.0.1    192.0.2.12 ═════        │
#   │ 10.99.0.3 │   └─────────────────────────┘   └────────┘
#   └───────────┘
#
# r and q do not change a packet's source port if the port is free. They admit only answers, and
# forget a flow after 3 s without packets. c sends a keepalive every second, d sends none.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping nft

FORGETS_S=3
H=${ID}h C=${ID}c D=${ID}d
keys h c d

plug() # NS NIC: connects the NIC to the bridge
{
	ip link add "$2" netns "$ID-$1" type veth peer name "to-$1" netns "$ID-w"
	in_ns w ip link set "to-$1" master br0 up
	in_ns "$1" ip link set "$2" up
}

nat() # ROUTER CLIENT NET ADDRESS
{
	ip link add eth0 netns "$ID-$2" type veth peer name eth0 netns "$ID-$1"
	in_ns "$2" ip address add "10.$3.0.2/24" dev eth0
	in_ns "$2" ip link set eth0 up
	in_ns "$1" ip address add "10.$3.0.1/24" dev eth0
	in_ns "$1" ip link set eth0 up
	in_ns "$2" ip route add default via "10.$3.0.1"
	plug "$1" eth1
	in_ns "$1" ip address add "$4/24" dev eth1
	in_ns "$1" sysctl -qw net.ipv4.ip_forward=1
	in_ns "$1" nft -f - <<-EOR
		table ip nat {
			chain out {
				type nat hook postrouting priority srcnat
				oifname "eth1" masquerade
			}
			chain in {
				type filter hook input priority filter
				iifname "eth1" ct state new counter drop
			}
		}
	EOR
	in_ns "$1" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$FORGETS_S" \
		"net.netfilter.nf_conntrack_udp_timeout_stream=$FORGETS_S"
}

network()
{
	ns_add w h r c q d
	in_ns w ip link add br0 type bridge
	in_ns w ip link set br0 up
	plug h eth0
	in_ns h ip address add 192.0.2.1/24 dev eth0
	in_ns h sysctl -qw net.ipv4.ip_forward=1
	nat r c 1 192.0.2.11
	nat q d 2 192.0.2.12
	wait_for 5 in_ns c ping -q -c 1 -W 1 192.0.2.1
	wait_for 5 in_ns d ping -q -c 1 -W 1 192.0.2.1
}

up_hub() # PATH
{
	ours h "$H" --rx "$1" --tx "$1" < <(
		interface h ListenPort=51820 Address=10.99.0.1/24
		peer c AllowedIPs=10.99.0.2/32
		peer d AllowedIPs=10.99.0.3/32)
}

up_client() # NS INTERFACE NUMBER KEEPALIVE PATH
{
	ours "$1" "$2" --rx "$5" --tx "$5" < <(
		interface "$1" ListenPort=51820 Address="10.99.0.$3/24"
		peer h AllowedIPs=10.99.0.0/24 Endpoint=192.0.2.1:51820 PersistentKeepalive="$4")
}

reaches() { in_ns "$1" ping -q -c "${3:-1}" -i 0.05 -W "${4:-5}" "$2"; }

not() { ! "$@"; }

refused_by() # ROUTER: prints how many packets its NAT dropped because it had no entry
{
	in_ns "$1" nft -j list chain ip nat in | jq '[.. | .counter? // empty | .packets] | add'
}

endpoint_at() # NS INTERFACE OTHER
{
	in_ns "$1" wg show "$2" endpoints | grep -F "$(pub "$3")" | cut -f 2
}

meet() # NS INTERFACE OTHER NUMBER [ENDPOINT]
{
	in_ns "$1" wg set "$2" peer "$(pub "$3")" allowed-ips "10.99.0.$4/32" \
		${5:+endpoint "$5" persistent-keepalive 1}
}

kept_alive() # PATH
{
	local before
	ok "$1: c reaches the hub" reaches c 10.99.0.1
	ok "$1: d reaches the hub" reaches d 10.99.0.1
	is "$1: the hub sees the addresses of the NATs" \
		"$(endpoint_at h "$H" c) $(endpoint_at h "$H" d)" \
		"192.0.2.11:51820 192.0.2.12:51820"
	forgotten q "src=10\.2\.0\.2 .*sport=51820" $((FORGETS_S + 2))
	before="$(refused_by r) $(refused_by q)"
	ok "$1: with keepalives the hub reaches c" reaches h 10.99.0.2
	ok "$1: without keepalives the hub does not reach d" not reaches h 10.99.0.3 1 1
	is "$1: d's NAT has forgotten d" "$(refused_by r) $(($(refused_by q) - 1))" "$before"
	ok "$1: d reaches the hub again" reaches d 10.99.0.1
	ok "$1: after that the hub reaches d" reaches h 10.99.0.3
}

sent() { show h "$H" '[.peers[].tx_packets] | add'; }
sent_on() { [ "$(sent)" -ge "$1" ]; }

relayed() # PATH
{
	local before
	before=$(sent)
	ok "$1: c reaches d through the hub" reaches c 10.99.0.3 10
	ok "$1: d reaches c through the hub" reaches d 10.99.0.2 10
	ok "$1: the hub forwards the packets" wait_for 5 sent_on $((before + 40))
	is "$1: the hub sends no ICMP redirect" "$(in_ns h cat /proc/net/snmp |
		awk '/^Icmp:/ { if (n) print $n
			else for (i = 1; i <= NF; i++) if ($i == "OutRedirects") n = i }')" 0
	is "$1: the hub drops nothing" "$(show h "$H" '.drops | tojson')" "{}"
}

# Hole punching. Each peer knows the public address of the other peer's NAT. A peer's packets open
# the peer's own NAT for answers. The other peer's NAT drops these packets until the other peer has
# sent a packet, too.
punched() # PATH
{
	meet c "$C" d 3 192.0.2.12:51820
	meet d "$D" c 2
	ok "$1: when only c sends, its packets do not pass d's NAT" not reaches c 10.99.0.3 1 1
	meet d "$D" c 2 192.0.2.11:51820
	ok "$1: when both send, c reaches d" wait_for 20 reaches c 10.99.0.3 1 1
	ok "$1: when both send, d reaches c" reaches d 10.99.0.2 5
	is "$1: each has the other's NAT as endpoint" \
		"$(endpoint_at c "$C" d) $(endpoint_at d "$D" c)" \
		"192.0.2.12:51820 192.0.2.11:51820"
	down h "$H"
	ok "$1: c reaches d without the hub" reaches c 10.99.0.3 5
}

network
for path in xdp udp; do
	ok "$path: the hub attaches" up_hub $path
	ok "$path: c attaches" up_client c "$C" 2 1 $path
	ok "$path: d attaches" up_client d "$D" 3 off $path
	kept_alive $path
	relayed $path
	punched $path
	down c "$C"
	down d "$D"
done
clean "nothing is left" c "$C"
done_testing
