#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A path whose MTU is smaller than the NIC's. Transfers complete. Once the kernel has learned the
# path MTU, no outer packet is larger.
#
#   ┌───── a ──────┐            ┌───── r ──────┐             ┌────── b ───────┐
#   │ 10.99.0.1 eth0 ══ 1500 ══ eth0 router eth1 ══ 1400 ══ eth0 10.99.0.2    │
#   │ 192.0.2.1    │            │ packets read │             │ 198.51.100.2   │
#   │ 2001:db8::1  │            │ at eth0      │             │ 2001:db8:1::2  │
#   └──────────────┘            └──────────────┘             └────────────────┘
#
# Outer IPv4 packets have no DF, so the router fragments them. The router drops IPv6 packets that
# are too large, and reports this.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq iperf3
need_cryptography
ns_add a r b
join a eth0 r eth0
ip link add eth1 mtu 1400 netns "$ID-r" type veth peer name eth0 mtu 1400 netns "$ID-b"
for end in "r eth1 1" "b eth0 2"; do
	read -r ns nic host <<<"$end"
	in_ns "$ns" ip address add "198.51.100.$host/24" dev "$nic"
	in_ns "$ns" ip address add "2001:db8:1::$host/64" dev "$nic" nodad
	in_ns "$ns" ip link set "$nic" up
done
in_ns r sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
in_ns a ip route add default via 192.0.2.2
in_ns a ip -6 route add default via 2001:db8::2
in_ns b ip route add default via 198.51.100.1
in_ns b ip -6 route add default via 2001:db8:1::1
wait_for 5 in_ns a ping -q -c 1 -W 1 198.51.100.2
wait_for 5 in_ns a ping -q -c 1 -W 1 2001:db8:1::2
A=${ID}a B=${ID}b
keys a b

up() # NS INTERFACE NUMBER PEER ENDPOINT PATH
{
	ours "$1" "$2" --rx "$6" --tx "$6" < <(
		interface "$1" ListenPort="5182$(($3 - 1))" Address="10.99.0.$3/24" MTU=1420
		peer "$4" AllowedIPs="10.99.0.$((3 - $3))/32" Endpoint="$5")
}

# Sends 4 MB by TCP, whose segments fill the tunnel's MTU. The first segments may be lost.
stream()
{
	local pid status
	spawn b iperf3 -s -1 -B 10.99.0.2 >/dev/null
	pid=$!
	wait_for 5 eval "in_ns b ss -Hltn 'sport = 5201' | grep -q ." &&
		in_ns a iperf3 -c 10.99.0.2 -n 4M "$@" >/dev/null
	status=$?
	wait "$pid"
	return "$status"
}

path_mtu_is() { [ "$(show a "$A" '.peers[0].path_mtu')" = "$1" ]; }

# Sends a ping, from which the kernel learns the path MTU. The caller repeats this, because the
# kernel may forget the path MTU at any time.
pinging_learns()
{
	in_ns a ping -q -c 1 -W 1 -M "do" -s 1440 "$1"
	path_mtu_is 1400
}

# The kernel does not announce that a path MTU has changed, so the daemon looks up its routes every
# 30 s.
unheard() # WHAT FAR
{
	in_ns a ip route flush cache
	in_ns a ip -6 route flush cache
	in_ns r ip link set eth1 mtu 1400
	ok "$1: the daemon forgets the path MTU" wait_for 40 path_mtu_is 1500
	ok "$1: the daemon learns the path MTU from pings" wait_for 40 pinging_learns "${2//[][]/}"
}

for path in xdp udp; do
	for outer in 4 6; do
		what="$path, outer IPv$outer"
		near=192.0.2.1 far=198.51.100.2
		[ $outer = 4 ] || near='[2001:db8::1]' far='[2001:db8:1::2]'
		ok "$what: attach succeeds on both sides" eval \
			"up a $A 1 b $far:51821 $path && up b $B 2 a $near:51820 $path"
		ok "$what: no ping is lost" pinged a 10.99.0.2
		ok "$what: a transfer completes" stream
		ok "$what: a transfer back completes" stream -R
		python_tap "$what: " pathmtu.py "$ID-a" "$ID-r" "$ID-b" "$A" "$B" $outer $path
		ok "$what: a transfer completes with the learned MTU" stream
		[ -z "${LONG-}" ] || unheard "$what" "$far"
		down a "$A"
		down b "$B"
		# Make the kernel forget the path MTU.
		in_ns a ip route flush cache
		in_ns a ip -6 route flush cache
		in_ns r ip link set eth1 mtu 1400
	done
	clean "$path: nothing is left" a "$A"
done

done_testing
