#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Tunnels between wgxdp and another implementation, and between two wgxdp nodes. The other
# implementation is wireguard-go or, with FOREIGN=kernel, the kernel's WireGuard
# (tests/vm/interop.sh). The link is a veth pair or virtio-net.
#
#   ┌────────────── a ──────────────┐            ┌────────────── b ──────────────┐
#   │ wgxdp      10.99.0.1  fd99::1 │            │ the other  10.99.0.2  fd99::2 │
#   │ 192.0.2.1  2001:db8::1     eth0 ════════ eth0     192.0.2.2  2001:db8::2   │
#   └───────────────────────────────┘    veth    └───────────────────────────────┘
#
# The test covers outer and inner IPv4 and IPv6, each side as initiator, with and without a
# preshared key, by XDP and by UDP. The initiator knows the other side's endpoint and sends first;
# the responder must learn the endpoint. Counters show which path the data took. BRIEF=1, for
# sanitizers and emulation, tests each path and outer family once, with wgxdp as initiator over IPv4
# and as responder over IPv6. BRIEF=streams tests every combination, with fewer streams. PATHS=xdp
# or PATHS=udp tests only that path, on machines where both paths would take too long.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg iperf3 jq bpftool ping

[ "$FOREIGN" = kernel ] || need_cmd "$FOREIGN"

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
PSK=$(wg genpsk)

endpoint() # FAMILY HOST
{
	[ "$1" = 4 ] && echo "192.0.2.$2:5182$2" || echo "[2001:db8::$2]:5182$2"
}

# Prints a side's [Peer] section. Only the initiator knows the other side's endpoint.
peer_of() # SIDE OTHER NUMBER FAMILY PSK INITIATOR
{
	local psk='' endpoint=''
	[ "$5" = no ] || psk=$PSK
	[ "$6" != "$1" ] || endpoint=$(endpoint "$4" "$3")
	peer "$2" AllowedIPs="10.99.0.$3/32,fd99::$3/128" PresharedKey="$psk" Endpoint="$endpoint"
}

up_a() # PATH FAMILY PSK INITIATOR
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer_of a b 2 "$2" "$3" "$4")
}

up_b_foreign() # FAMILY PSK INITIATOR
{
	foreign b "$B" < <(
		interface b ListenPort=51822
		peer_of b a 1 "$1" "$2" "$3") &&
		in_ns b ip address add 10.99.0.2/24 dev "$B" &&
		in_ns b ip address add fd99::2/64 dev "$B" nodad &&
		in_ns b ip link set "$B" mtu 1420 up
}

up_b_ours() # PATH FAMILY PSK INITIATOR
{
	ours b "$B" --rx "$1" --tx "$1" < <(
		interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
		peer_of b a 1 "$2" "$3" "$4")
}

down_all()
{
	down a "$A"
	if [ "$1" = foreign ]; then foreign_down "$B"; else down b "$B"; fi
} >/dev/null 2>&1

no_loss() # NS ADDRESS
{
	pinged "$1" "$2" 20 0.05
}

pings() # WHAT INITIATOR
{
	local other=b n=2
	[ "$2" = a ] || { other=a n=1; }
	ok "$1: no ping is lost, inner IPv4 from $2" no_loss "$2" "10.99.0.$n"
	ok "$1: no ping is lost, inner IPv6 from $2" no_loss "$2" "fd99::$n"
	ok "$1: no ping is lost, inner IPv4 from $other" no_loss "$other" "10.99.0.$((3 - n))"
}

stream() # WHAT ADDRESS OPTION...: checks that at least 100 kB arrive
{
	local what=$1 address=$2 bytes amount=(-t "${SECONDS_PER_STREAM:-1}")
	shift 2
	[ -z "${BYTES_PER_STREAM-}" ] || amount=(-n "$BYTES_PER_STREAM")
	spawn b iperf3 -s -1 -p 5201 >/dev/null 2>&1
	wait_for 5 eval "in_ns b ss -Hltn | grep -q :5201"
	in_ns a iperf3 -J -c "$address" -p 5201 "${amount[@]}" "$@" >"$TMP/iperf" 2>&1
	bytes=$(jq '.end | (.sum_received // .sum).bytes *
		(100 - (.sum.lost_percent // 0)) / 100 | floor' \
		"$TMP/iperf" 2>/dev/null)
	holds "$what: the bytes arrive" "${bytes:-0}" -ge 100000
	wait $!
}

streams() # WHAT
{
	local address
	if [ -n "${BRIEF-}" ]; then
		stream "$1: TCP to 10.99.0.2" 10.99.0.2
		stream "$1: UDP from fd99::2" fd99::2 -u -b 20M -l 1200 -R
		return
	fi
	for address in 10.99.0.2 fd99::2; do
		stream "$1: TCP to $address" $address
		stream "$1: TCP from $address" $address -R
		stream "$1: UDP to $address" $address -u -b 20M -l 1200
		stream "$1: UDP from $address" $address -u -b 20M -l 1200 -R
	done
}

# Data goes through AF_XDP, except for one message to each peer in 20 s, which keeps conntrack
# entries alive. If the host stops an emulated machine for 2.5 s, the first packets after that find
# a stale heartbeat and take the UDP socket. XDP counts them as stalled.
by_xdp() # WHAT NS INTERFACE BEGAN
{
	local counters
	counters=$(show "$2" "$3" '.path | "\(.rx) \(.tx) \(.xdp_mode)"')
	is "$1: rx and tx are xdp, native" "$counters" "xdp xdp native"
	holds "$1: no packet arrives by UDP, except while the worker was stopped" \
		"$(show "$2" "$3" .path.rx_packets.udp)" -le \
		"$(show "$2" "$3" '.passes.stalled // 0')"
	holds "$1: packets arrive by AF_XDP" "$(show "$2" "$3" .path.rx_packets.xsk)" -ge 40
	holds "$1: packets leave by AF_XDP" "$(show "$2" "$3" .path.tx_packets.xsk)" -ge 40
	holds "$1: one message in 20 s leaves by UDP" "$(show "$2" "$3" .path.tx_packets.udp)" -le \
		$(((SECONDS - $4 + 1) / 20 + 1))
	holds "$1: the map peer_stats counts the packets" \
		"$(bpftool -j map dump pinned "$PINS/$3/peer_stats" |
			jq '[.. | objects | .rx_packets? // empty] | add')" -ge 40
}

by_udp() # WHAT NS INTERFACE
{
	is "$1: rx and tx are udp" "$(show "$2" "$3" '.path | "\(.rx) \(.tx)"')" "udp udp"
	is "$1: nothing takes AF_XDP" \
		"$(show "$2" "$3" '.path | .rx_packets.xsk + .tx_packets.xsk')" 0
	holds "$1: packets arrive by UDP" "$(show "$2" "$3" .path.rx_packets.udp)" -ge 40
	holds "$1: packets leave by UDP" "$(show "$2" "$3" .path.tx_packets.udp)" -ge 40
}

psks="no yes"
[ "${BRIEF-}" != 1 ] || psks=yes

for path in ${PATHS:-xdp udp}; do
	for outer in 4 6; do
		case ${BRIEF-}/$outer in
		1/4) initiators=a ;;
		1/6) initiators=b ;;
		*) initiators="a b" ;;
		esac
		for psk in $psks; do
			for initiator in $initiators; do
				what="$path, outer v$outer, psk $psk, $initiator begins"
				began=$SECONDS
				ok "$what: wgxdp attaches" up_a "$path" $outer "$psk" "$initiator"
				ok "$what: $FOREIGN starts" up_b_foreign $outer "$psk" "$initiator"
				pings "$what" "$initiator"
				[ "$psk-$initiator" != "yes-${initiators:0:1}" ] || streams "$what"
				by_"$path" "$what" a "$A" $began
				down_all foreign
			done
		done
	done
done

for path in ${PATHS:-xdp udp}; do
	what="wgxdp to wgxdp by $path"
	began=$SECONDS
	ok "$what: a attaches" up_a "$path" 4 yes a
	ok "$what: b attaches" up_b_ours "$path" 4 yes a
	pings "$what" a
	stream "$what: TCP" 10.99.0.2
	by_"$path" "$what, a" a "$A" $began
	by_"$path" "$what, b" b "$B" $began
	down_all ours
	clean "$what: nothing is left in a" a "$A"
	clean "$what: nothing is left in b" b "$B"
done

done_testing
