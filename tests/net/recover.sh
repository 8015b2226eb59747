#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The links under a tunnel fail or change, and the tunnel recovers by itself. It then uses the same
# path as before, XDP or UDP, and loses no packet. (twoifaces.sh tests NICs whose XDP hook is
# contested, and NICs that are recreated or renamed; workers.sh changes port and mark under load;
# roaming.sh and sticky.sh change addresses.)
#
#   ┌───────── a ─────────┐                      ┌───────── b ──────────┐
#   │ wgxdp on eth0       │                      │ wgxdp                │
#   │ tunnel: 10.99.0.1   │                      │ tunnel: 10.99.0.2    │
#   │ 192.0.2.1      eth0 ══════ 1-2 queues ══════ eth0      192.0.2.2  │
#   │ 198.51.100.1   eth1 ════════════════════════ eth1   198.51.100.2  │
#   └─────────────────────┘                      │ lo: 203.0.113.2      │
#                                                └──────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping ethtool bpftool

ns_add a b
A=${ID}a B=${ID}b
keys a b

# Makes the kernel notice within about two seconds, instead of half a minute, that a neighbour does
# not answer.
impatient() # NS NIC
{
	in_ns "$1" sysctl -qw "net.ipv4.neigh.$2.base_reachable_time_ms=500" \
		"net.ipv4.neigh.$2.delay_first_probe_time=1" "net.ipv4.neigh.$2.retrans_time_ms=100"
}

make_nic() # NUMBER NETWORK
{
	ip link add "eth$1" netns "$ID-a" numrxqueues 2 numtxqueues 2 type veth \
		peer name "eth$1" netns "$ID-b" numrxqueues 2 numtxqueues 2
	for ns in a b; do
		in_ns $ns ip address add "$2.$([ $ns = a ] && echo 1 || echo 2)/24" dev "eth$1"
		in_ns $ns ethtool -L "eth$1" rx 1 tx 1
		in_ns $ns ip link set "eth$1" up
		impatient $ns "eth$1"
	done
	in_ns a ip route replace 203.0.113.2 via 192.0.2.2
}

up() # NS INTERFACE NUMBER PATH [ENDPOINT]
{
	local other=b
	[ "$1" = a ] || other=a
	ours "$1" "$2" --rx "$4" --tx "$4" < <(
		interface "$1" ListenPort=51820 Address="10.99.0.$3/24"
		peer "$other" AllowedIPs="10.99.0.$((3 - $3))/32" Endpoint="${5:+$5:51820}")
}

counts()
{
	show a "$A" '.path | [.rx_packets.xsk, .tx_packets.xsk, .rx_packets.udp, .tx_packets.udp] |
		join(" ")'
}

by_xdp() { [ "$(show a "$A" '.peers[0].tx')" = xdp ]; }

reached() { in_ns a ping -q -c 1 -W 0.5 10.99.0.2; }

# Checks that ten pings in each direction are answered. If PATH is xdp, the 20 messages that a
# receives and the 20 that it sends must take AF_XDP. One sent message may instead take the UDP
# socket, to refresh conntrack. If PATH is udp, the 20 sent messages must take the UDP socket.
works() # WHAT [PATH]
{
	local way=${2:-$path} before after xsk udp
	ok "$1: a reaches b" wait_for 15 reached
	[ "$way" = udp ] || ok "$1: tx is xdp" wait_for 5 by_xdp
	# b's path changes a moment after a's, so send two pings before counting.
	in_ns a ping -q -c 2 -i 0.1 -W 5 10.99.0.2 >/dev/null
	read -ra before <<<"$(counts)"
	is "$1: all pings are answered in both directions" \
		"$(answers 10 a 10.99.0.2) $(answers 10 b 10.99.0.1)" "10 10"
	read -ra after <<<"$(counts)"
	xsk="$((after[0] - before[0])) $((after[1] - before[1]))"
	udp="$((after[2] - before[2])) $((after[3] - before[3]))"
	if [ "$way" = xdp ]; then
		is "$1: the messages take AF_XDP" "$xsk $udp" \
			"$([ "$xsk" = "20 19" ] && echo "20 19 0 1" || echo "20 20 0 0")"
	else
		is "$1: the messages are sent by UDP" "${udp#* }" 20
	fi
}

# Starts 100 pings, which take a second. Call wait before came_back().
pinging() { in_ns a ping -q -i 0.01 -c 100 -W 5 10.99.0.2 >"$TMP/ping" & }
came_back() { grep -oP '\d+(?= received)' "$TMP/ping"; } # prints how many pings were answered

mac() { in_ns "$1" ip -j link show dev eth0 | jq -r '.[0].address'; }

links()
{
	in_ns a ip link set eth0 down
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	in_ns a ip link set eth0 up
	in_ns a ip route replace 203.0.113.2 via 192.0.2.2
	works "$path: a's NIC went down and up"
	in_ns b ip link set eth0 down
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	in_ns b ip link set eth0 up
	works "$path: b's NIC went down and up"
	in_ns a ip link set "$A" down
	in_ns a ip link set "$A" up
	in_ns a ip route replace 10.99.0.0/24 dev "$A" src 10.99.0.1
	works "$path: the tunnel went down and up"

	# The NIC's MTU is below the tunnel's. AF_XDP cannot fragment, but the UDP socket can.
	in_ns a ip link set eth0 mtu 1300
	in_ns b ip link set eth0 mtu 1300
	works "$path: MTU 1300"
	is "$path, MTU 1300: large packets arrive in fragments" \
		"$(answers 5 a -s 1350 10.99.0.2) $(answers 5 b -s 1350 10.99.0.1)" "5 5"
	in_ns a ip link set eth0 mtu 1500
	in_ns b ip link set eth0 mtu 1500
	works "$path: MTU 1500"
	is "$path, MTU 1500: large packets arrive" \
		"$(answers 5 a -s 1350 10.99.0.2) $(answers 5 b -s 1350 10.99.0.1)" "5 5"
}

# The MAC address of a NIC changes without gratuitous ARP and without loss of carrier.
macs()
{
	local before_a before_b
	before_a=$(mac a) before_b=$(mac b)
	in_ns b ip link set eth0 address 02:00:00:00:00:0b
	works "$path: b has another MAC"
	in_ns a ip link set eth0 address 02:00:00:00:00:0a
	works "$path: a has another MAC as well"
	in_ns a ip link set eth0 address "$before_a"
	in_ns b ip link set eth0 address "$before_b"
	works "$path: both have their first MACs"
}

routes()
{
	in_ns a ip route replace 203.0.113.2 via 198.51.100.2
	ok "$path: show says that the route leaves by a NIC that is not attached" wait_for 5 eval \
		"[ \"\$(show a '$A' '.peers[0].why')\" = '$([ $path = xdp ] &&
			echo 'the route leaves by an interface without AF_XDP' || echo null)' ]"
	works "$path: the route leaves by another NIC" udp
	is "$path: a hundred pings are answered" "$(answers 100 a 10.99.0.2)" 100
	is "$path: show says by which path data comes" \
		"$(show a "$A" .path.rx)" udp
	[ $path = udp ] || ok "$path: the text of show has the reason, too" eval \
		"in_ns a '$WGXDP' show '$A' | grep -q 'through the UDP socket: the route leaves by'"
	in_ns a ip route replace 203.0.113.2 via 192.0.2.2
	works "$path: the route is back"
}

queues()
{
	local before
	pinging
	in_ns a ethtool -L eth0 rx 2 tx 2
	in_ns b ethtool -L eth0 rx 2 tx 2
	wait $!
	holds "$path: nine of ten pings survive a new queue" "$(came_back)" -ge 90
	works "$path: the NIC has a second queue"
	if [ $path = udp ]; then
		in_ns a ethtool -L eth0 rx 1 tx 1
		works "$path: the second queue is gone"
		return
	fi
	refuses "$path: the kernel keeps a queue that has a socket" '*' AF_XDP in_ns a ethtool -L \
		eth0 rx 1 tx 1
	# Packets of a queue without an AF_XDP socket go to the stack, and from there to the UDP
	# socket.
	before=$(counts)
	pinging
	wait_for 5 eval "[ '$before' != \"\$(counts)\" ]"
	ok "$path: a socket is removed from the map under load" bpftool map delete pinned \
		"$PINS/$A/xsks" key 0 0 0 0
	wait $!
	is "$path: no ping is lost" "$(came_back)" 100
	holds "$path: the packets arrive by UDP" "$(counts | cut -d' ' -f3)" -ge 50
}

remade()
{
	in_ns b ip link delete eth0
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	make_nic 0 192.0.2
	works "$path: the NIC was deleted and made again"
	[ $path = xdp ] || return
	ok "$path: the new NIC has an XDP program" eval \
		"in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
}

make_nic 0 192.0.2
make_nic 1 198.51.100
in_ns b ip address add 203.0.113.2/32 dev lo
for path in xdp udp; do
	ok "$path: attach succeeds on both sides" eval \
		"up b '$B' 2 udp && up a '$A' 1 $path 203.0.113.2"
	works "$path: at first"
	links
	macs
	routes
	queues
	remade
	down a "$A"
	down b "$B"
done
clean "nothing is left" a "$A"

done_testing
