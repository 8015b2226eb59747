#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What befalls the links under a tunnel, and that it recovers by itself: on both paths, back on the path
# that it had, without a packet lost afterwards. (A NIC of which others want the XDP, made anew or renamed:
# twoifaces.sh; port and mark under load: workers.sh; addresses: roaming.sh, sticky.sh.)
#
#   ┌────────── a ──────────┐                         ┌────────── b ──────────┐
#   │ wgxdp on eth0  192.0.2.1 eth0 ══ 1-2 queues ══ eth0 192.0.2.2  wgxdp    │
#   │ 10.99.0.1   198.51.100.1 eth1 ════════════════ eth1 198.51.100.2        │
#   └───────────────────────┘                         │ lo: 203.0.113.2  10.99.0.2 │
#                                                     └────────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping ethtool bpftool

ns_add a b
A=${ID}a B=${ID}b
keys a b

# The kernel notices within a second, not thirty, that a neighbour does not answer.
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

counts() { show a "$A" '.path | "\(.rx_packets.xsk) \(.tx_packets.xsk) \(.rx_packets.udp) \(.tx_packets.udp)"'; }
reached() { in_ns a ping -q -c 1 -W 0.5 10.99.0.2; }

# Pings both ways, all answered; by which way the 40 messages went. One may have refreshed a firewall.
works() # WHAT [PATH]
{
	local way=${2:-$path} before after xsk udp
	ok "$1: reached again" wait_for 15 reached
	[ "$way" = udp ] || ok "... tx is xdp" wait_for 5 eval \
		"[ \"\$(show a '$A' '\"\(.path.rx) \(.path.tx) \(.peers[0].tx)\"')\" = 'xdp xdp xdp' ]"
	in_ns a ping -q -c 2 -i 0.1 -W 5 10.99.0.2 >/dev/null # b follows a moment later
	read -ra before <<<"$(counts)"
	is "... answers" "$(answers 10 a 10.99.0.2) $(answers 10 b 10.99.0.1)" "10 10"
	read -ra after <<<"$(counts)"
	xsk="$((after[0] - before[0])) $((after[1] - before[1]))"
	udp="$((after[2] - before[2])) $((after[3] - before[3]))"
	if [ "$way" = xdp ]; then
		is "... by AF_XDP" "$xsk $udp" "$([ "$xsk" = "20 19" ] && echo "20 19 0 1" || echo "20 20 0 0")"
	else
		is "... sent by UDP" "${udp#* }" 20
	fi
}

# Pings that begin now, ten a tenth of a second; how many of them came back
pinging() { in_ns a ping -q -i 0.01 -c 100 -W 5 10.99.0.2 >"$TMP/ping" & }
came_back() { grep -oP '\d+(?= received)' "$TMP/ping"; } # after a wait

mac() { in_ns "$1" ip -j link show dev eth0 | jq -r '.[0].address'; }

links()
{
	in_ns a ip link set eth0 down
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	in_ns a ip link set eth0 up
	in_ns a ip route replace 203.0.113.2 via 192.0.2.2
	works "$path: a's NIC down and up"
	in_ns b ip link set eth0 down
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	in_ns b ip link set eth0 up
	works "$path: b's NIC down and up"
	in_ns a ip link set "$A" down
	in_ns a ip link set "$A" up
	in_ns a ip route replace 10.99.0.0/24 dev "$A" src 10.99.0.1
	works "$path: the tunnel down and up"

	# The path's MTU below the tunnel's: fragments, which AF_XDP does not make.
	in_ns a ip link set eth0 mtu 1300
	in_ns b ip link set eth0 mtu 1300
	works "$path: MTU 1300"
	is "... large packets in fragments" "$(answers 5 a -s 1350 10.99.0.2) $(answers 5 b -s 1350 10.99.0.1)" "5 5"
	in_ns a ip link set eth0 mtu 1500
	in_ns b ip link set eth0 mtu 1500
	works "$path: MTU 1500"
	is "... large packets" "$(answers 5 a -s 1350 10.99.0.2) $(answers 5 b -s 1350 10.99.0.1)" "5 5"
}

# Nobody is told: no gratuitous ARP, no carrier lost.
macs()
{
	local before_a before_b
	before_a=$(mac a) before_b=$(mac b)
	in_ns b ip link set eth0 address 02:00:00:00:00:0b
	works "$path: b has another MAC, which it does not tell"
	in_ns a ip link set eth0 address 02:00:00:00:00:0a
	works "$path: so has a"
	in_ns a ip link set eth0 address "$before_a"
	in_ns b ip link set eth0 address "$before_b"
	works "$path: both have their old ones"
}

routes()
{
	in_ns a ip route replace 203.0.113.2 via 198.51.100.2
	ok "$path: the route leaves by a NIC that is not attached" wait_for 5 eval \
		"[ \"\$(show a '$A' '.peers[0].why')\" = '$([ $path = xdp ] &&
			echo 'the route leaves by an interface without AF_XDP' || echo null)' ]"
	works "... it works" udp
	is "... for this peer alone" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.why)"')" "$path $path null"
	[ $path = udp ] || ok "... and people read it" eval \
		"in_ns a '$WGXDP' show '$A' | grep -q 'by udp: the route leaves by'"
	in_ns a ip route replace 203.0.113.2 via 192.0.2.2
	works "$path: it is back"
}

queues()
{
	pinging
	in_ns a ethtool -L eth0 rx 2 tx 2
	in_ns b ethtool -L eth0 rx 2 tx 2
	wait $!
	holds "$path: another queue under load, pings of 100" "$(came_back)" -ge 90
	works "$path: another queue"
	if [ $path = udp ]; then
		in_ns a ethtool -L eth0 rx 1 tx 1
		works "$path: and away again"
		return
	fi
	refuses "$path: what has a socket the kernel keeps" '*' AF_XDP in_ns a ethtool -L eth0 rx 1 tx 1
	# What has no socket goes to the stack, and from there to the UDP socket.
	pinging
	sleep 0.2
	ok "$path: an XSK leaves the map under load" bpftool map delete pinned "$PINS/$A/xsks" key 0 0 0 0
	wait $!
	is "... no ping is lost" "$(came_back)" 100
	holds "... they came by UDP" "$(counts | cut -d' ' -f3)" -ge 50
}

remade()
{
	in_ns b ip link delete eth0
	in_ns a ping -q -c 3 -i 0.05 -W 0.1 10.99.0.2 >/dev/null
	make_nic 0 192.0.2
	works "$path: the NIC is deleted and made anew"
	[ $path = xdp ] || return
	ok "... a program of ours is on it" eval "in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
}

make_nic 0 192.0.2
make_nic 1 198.51.100
in_ns b ip address add 203.0.113.2/32 dev lo
for path in xdp udp; do
	ok "$path: up" eval "up b '$B' 2 udp && up a '$A' 1 $path 203.0.113.2"
	works "$path: at first"
	links
	macs
	routes
	queues
	remade
	down a "$A"
	down b "$B"
done
clean "nothing left" a "$A"

done_testing
