#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The route to the endpoint depends on the firewall mark. The main table has no route to the
# endpoint. Data still leaves by AF_XDP, also with a default route through the tunnel, and after the
# mark changes.
#
#   ┌───────────── a ─────────────┐               ┌─────────────── b ────────────────┐
#   │ wgxdp  10.99.0.1  fd99::1   │               │ wgxdp  10.99.0.2  fd99::2        │
#   │ mark 0x64 ─▶ table 100      │ eth0 ═══ eth0 │ lo: 203.0.113.9   2001:db8:9::9  │ the endpoint
#   │ table 100: default via b    │               │ lo: 198.51.100.7  fd77::7        │ the world
#   └─────────────────────────────┘               └──────────────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping

N=10
ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
for address in 203.0.113.9/32 198.51.100.7/32; do in_ns b ip address add $address dev lo; done
for address in 2001:db8:9::9/128 fd77::7/128; do in_ns b ip address add $address dev lo; done
for mark in 0x64 0x65; do
	in_ns a ip rule add fwmark $mark lookup 100
	in_ns a ip -6 rule add fwmark $mark lookup 100
done
in_ns a ip route add default via 192.0.2.2 table 100
in_ns a ip -6 route add default via 2001:db8::2 table 100

up() # PATH ENDPOINT
{
	ours b "$B" --rx "$1" --tx "$1" < <(
		interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
		peer a AllowedIPs=10.99.0.1/32,fd99::1/128) &&
		ours a "$A" --rx "$1" --tx "$1" < <(
			interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64 FwMark=0x64 \
				Table=off
			peer b AllowedIPs=0.0.0.0/0,::/0 Endpoint="$2:51822")
}

sent() { show a "$A" '.path.tx_packets | "\(.xsk) \(.udp)"'; }

# Checks that all N pings are answered, and that their N messages leave by PATH. If PATH is xdp, one
# message may go through the UDP socket, to refresh conntrack.
by() # WHAT PATH PING-ARGUMENT...
{
	local what=$1 path=$2 before after xsk udp
	shift 2
	read -ra before <<<"$(sent)"
	is "$what: all pings are answered" "$(answers $N a "$@")" $N
	read -ra after <<<"$(sent)"
	xsk=$((after[0] - before[0])) udp=$((after[1] - before[1]))
	is "$what: each ping is one message" $((xsk + udp)) $N
	if [ "$path" = xdp ]; then
		holds "$what: the messages leave by AF_XDP" $xsk -ge $((N - 1))
	else
		is "$what: the messages leave by UDP" $udp $N
	fi
}

for path in xdp udp; do
	for endpoint in 203.0.113.9 '[2001:db8:9::9]'; do
		what="$path, $endpoint"
		refuses "$what: the main table has no route" '*' unreachable in_ns a \
			ip route get "$(tr -d '[]' <<<"$endpoint")"
		ok "$what: attach succeeds on both sides" up $path "$endpoint"
		is "$what: show names the path that data takes" \
			"$(show a "$A" '.peers[0] | "\(.tx) \(.why)"')" "$path null"
		in_ns a ping -q -c 1 -W 5 10.99.0.2 >/dev/null # the handshake
		by "$what: ping -I" $path -I "$A" 10.99.0.2
		by "$what: IPv6, ping -I" $path -I "$A" fd99::2

		# The rules that wg-quick would add.
		for family in -4 -6; do
			in_ns a ip $family route add default dev "$A" table 200
			in_ns a ip $family rule add not fwmark 0x64 lookup 200 pref 32000
			in_ns a ip $family rule add lookup main suppress_prefixlength 0 pref 31999
		done
		by "$what: the world through the tunnel" $path 198.51.100.7
		by "$what: IPv6, the world" $path fd77::7
		for family in -4 -6; do
			in_ns a ip $family rule del pref 32000
			in_ns a ip $family rule del pref 31999
			in_ns a ip $family route flush table 200
		done

		ok "$what: another mark is set" in_ns a wg set "$A" fwmark 0x65
		by "$what: another mark" $path 10.99.0.2
		ok "$what: the mark is cleared" in_ns a wg set "$A" fwmark 0
		ok "$what: without a mark show says that there is no route" wait_for 5 eval \
			"[ \"\$(show a '$A' '.peers[0].why')\" = '$([ $path = xdp ] &&
				echo 'there is no route to the endpoint' || echo null)' ]"
		failed=$(show a "$A" '.drops.send_failed // 0')
		is "$what: without a route no ping is answered" \
			"$(in_ns a ping -q -i 0.01 -c 5 -W 0.2 10.99.0.2 |
			grep -oP '\d+(?= received)')" 0
		is "$what: each unsent message is counted" \
			$(($(show a "$A" '.drops.send_failed // 0') - failed)) 5
		ok "$what: the mark is set again" in_ns a wg set "$A" fwmark 100
		ok "$what: show names the path again" wait_for 5 eval \
			"[ \"\$(show a '$A' '.peers[0] | \"\(.tx) \(.why)\"')\" = '$path null' ]"
		by "$what: the first mark again" $path 10.99.0.2

		# The policy rules change.
		in_ns a ip rule del fwmark 0x64
		in_ns a ip -6 rule del fwmark 0x64
		ok "$what: without the rule data takes the UDP socket" wait_for 5 eval \
			"[ \"\$(show a '$A' '.peers[0].tx')\" = udp ]"
		in_ns a ip rule add fwmark 0x64 lookup 100
		in_ns a ip -6 rule add fwmark 0x64 lookup 100
		ok "$what: with the rule data takes its path again" wait_for 5 eval \
			"[ \"\$(show a '$A' '.peers[0].tx')\" = $path ]"
		by "$what: the rule again" $path 10.99.0.2
		down a "$A"
		down b "$B"
	done
done
clean "nothing is left" a "$A"

done_testing
