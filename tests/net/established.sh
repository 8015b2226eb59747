#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A host that lets in only what answers: `policy drop` and a rule for established connections. Its
# peer reaches it after an idle time in which the entry of conntrack would have gone, but for the
# keepalive that leaves by the UDP socket, on either path.
#
#   ┌─────── a ────────┐            ┌────── b ──────┐
#   │ client, wgxdp    │            │ server, wgxdp │     four such pairs at once: by XDP and by UDP,
#   │ INPUT: drop  eth0 ════════ eth0               │     one that has to last and one that cannot
#   │ 10.99.0.1        │    veth    │ 10.99.0.2     │
#   └──────────────────┘            └───────────────┘
#
# The client's keepalive comes 10 s after the ping that it had answered. Entries last ENTRY_S without a
# packet: longer than from there to the end of IDLE_S, shorter than IDLE_S. Where they last 3 s the
# entry is gone then, so that the test can fail. LONG=1: the kernel's own times, and 60 s.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping nft

IDLE_S=16 ENTRY_S=15
[ -z "${LONG-}" ] || IDLE_S=60 ENTRY_S=
keys a b

# The tunnel's own interface is another matter.
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

refused() # NS: packets
{
	in_ns "$1" nft -j list chain inet host in | jq '[.. | .counter? // empty | .packets] | add'
}

up() # NS SELF NUMBER OTHER NUMBER PATH [ENDPOINT]
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
	ok "$1: the server, by $2" up "$1b" b 2 a 1 "$2"
	ok "$1: the client, by $2" up "$1a" a 1 b 2 "$2" 192.0.2.2:51822
	ok "$1: reaches the server" in_ns "$1a" ping -q -c 1 -W 5 10.99.0.2
}

reaches() { in_ns "$1" ping -q -c 3 -i 0.2 -W 2 10.99.0.1; }

# A server that lost its session has to begin a handshake: that takes the UDP socket on both paths.
restart() # PAIR PATH
{
	down "$1b" "$ID$1b"
	ok "$1: the server begins anew" up "$1b" b 2 a 1 "$2" 192.0.2.1:51821
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
	# shellcheck disable=SC2086
	set -- $pair
	ok "$1: idle for $IDLE_S s, the client is reached by the server" reaches "$1b"
	is "$1: the firewall kept nothing of it out" "$(refused "$1a")" 0
	restart "$1" "$2"
	ok "$1: its handshake is let in" reaches "$1b"
	is "$1: and nothing was refused" "$(refused "$1a")" 0
done
if [ -z "${LONG-}" ]; then
	ok "xg: without an entry, data by AF_XDP still reaches the client" reaches xgb
	is "xg: as the firewall does not see it" "$(refused xga)" 0
	ok "ug: without one, data by UDP does not" not reaches ugb
	holds "ug: which the firewall refused" "$(refused uga)" -ge 3
	restart xg xdp
	ok "xg: nor does a handshake" not reaches xgb
	holds "xg: refused" "$(refused xga)" -ge 1
fi
done_testing
