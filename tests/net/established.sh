#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The host's firewall admits only answers: `policy drop`, and a rule for established connections.
# The peer still reaches the host after an idle time that is longer than the life of a conntrack
# entry, because the host's keepalive leaves by the UDP socket on both paths and refreshes the
# entry.
#
#   ┌─────── a ────────┐            ┌────── b ──────┐
#   │ client, wgxdp    │            │ server, wgxdp │     four such pairs at once: XDP and UDP, each
#   │ INPUT: drop  eth0 ════════ eth0               │     with entries of ENTRY_S and of 3 s
#   │ 10.99.0.1        │    veth    │ 10.99.0.2     │
#   └──────────────────┘            └───────────────┘
#
# The client sends its keepalive 10 s after the answered ping. A conntrack entry expires ENTRY_S
# after its last packet. ENTRY_S is less than IDLE_S, but more than the time from the keepalive to
# the end of IDLE_S. At the end of IDLE_S the entry therefore exists only if the keepalive has
# refreshed it. An entry of 3 s has expired by then, which shows that the test can fail. With LONG=1
# there are two pairs, whose entries have the kernel's default timeouts, and the idle time is 60 s.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping nft

IDLE_S=16 ENTRY_S=15
[ -z "${LONG-}" ] || IDLE_S=60 ENTRY_S=
keys a b

# Restricts packets from outside, but not packets that come out of the tunnel.
firewall() # NS INTERFACE
{
	in_ns "$1" nft -f - <<-EOR
		table inet host {
			chain in {
				type filter hook input priority filter; policy drop
				iifname { "lo", "$2" } accept
				icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
				ct state established accept
				counter
			}
		}
	EOR
}

refused() # NS: prints how many packets the firewall dropped
{
	in_ns "$1" nft -j list chain inet host in | jq '[.. | .counter? // empty | .packets] | add'
}

up() # NS SELF NUMBER OTHER NUMBER-OF-OTHER PATH [ENDPOINT]
{
	ours "$1" "$ID$1" --rx "$6" --tx "$6" < <(
		interface "$2" ListenPort="5182$3" Address="10.99.0.$3/24"
		peer "$4" AllowedIPs="10.99.0.$5/32" Endpoint="${7-}")
}

begin() # PAIR PATH ENTRY-S
{
	ns_add "$1a" "$1b"
	join "$1a" eth0 "$1b" eth0
	if [ -n "$3" ]; then
		in_ns "$1a" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$3" \
			"net.netfilter.nf_conntrack_udp_timeout_stream=$3"
	fi
	firewall "$1a" "$ID$1a"
	ok "$1: the server attaches, by $2" up "$1b" b 2 a 1 "$2"
	ok "$1: the client attaches, by $2" up "$1a" a 1 b 2 "$2" 192.0.2.2:51822
	ok "$1: the client reaches the server" in_ns "$1a" ping -q -c 1 -W 5 10.99.0.2
}

reaches() { in_ns "$1" ping -q -c 3 -i 0.2 -W 2 10.99.0.1; }

# A server that lost its session must begin a handshake, which goes through the UDP socket on both
# paths.
restart() # PAIR PATH
{
	down "$1b" "$ID$1b"
	ok "$1: the server attaches again" up "$1b" b 2 a 1 "$2" 192.0.2.1:51821
}

not() { ! "$@"; }

if [ -z "${LONG-}" ]; then
	begin xg xdp 3
	begin ug udp 3
fi
begin xl xdp "$ENTRY_S"
begin ul udp "$ENTRY_S"
sleep $IDLE_S

for pair in "xl xdp" "ul udp"; do
	# shellcheck disable=SC2086 # $pair is two words
	set -- $pair
	ok "$1: after $IDLE_S s of silence the server reaches the client" reaches "$1b"
	is "$1: the firewall dropped nothing" "$(refused "$1a")" 0
	restart "$1" "$2"
	ok "$1: the firewall admits the new server's handshake" reaches "$1b"
	is "$1: the firewall still dropped nothing" "$(refused "$1a")" 0
done
if [ -z "${LONG-}" ]; then
	ok "xg: without an entry, data by AF_XDP still reaches the client" reaches xgb
	is "xg: the firewall does not see that data" "$(refused xga)" 0
	ok "ug: without an entry, data by UDP does not reach the client" not reaches ugb
	holds "ug: the firewall dropped that data" "$(refused uga)" -ge 3
	restart xg xdp
	ok "xg: without an entry, a handshake does not reach the client" not reaches xgb
	holds "xg: the firewall dropped the handshake" "$(refused xga)" -ge 1
fi
done_testing
