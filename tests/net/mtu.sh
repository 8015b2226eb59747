#!/bin/bash
# SPDX-License-Identifier: MIT
#
# An interface without MTU in its configuration gets an MTU that fits the path: 1412 if the NIC has
# an MTU of 1492 (PPPoE), and 1320 if the route has an MTU of 1400. When the NIC's MTU grows while
# the tunnel is up, frames larger than the AF_XDP buffers must not be lost in either direction. When
# a NIC's MTU that was too large for AF_XDP is lowered, the tunnel begins to use AF_XDP.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2
#                          the MTU of both NICs: 1500 ─▶ 3000, then 9000 ─▶ 1500

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping

derived() # WHAT WANT PATH
{
	attach a b 1 "$3"
	is "$1, $3: the MTU is $2" "$(show a "${ID}a" .mtu)" "$2"
	down a "${ID}a"
}

attach() # NS PEER NUMBER [PATH]
{
	local path=${4:-xdp}
	ours "$1" "$ID$1" --rx "$path" --tx "$path" < <(
		interface "$1" ListenPort=51820 Address="10.99.0.$3/24"
		peer "$2" AllowedIPs="10.99.0.$((3 - $3))/32" Endpoint="192.0.2.$((3 - $3)):51820")
}

by_xdp() { [ "$(show "$1" "$ID$1" '.path | "\(.rx) \(.tx) \(.why)"')" = "xdp xdp null" ]; } # NS

large() { in_ns "$1" ping -q -c 2 -i 0.2 -W 1 -s 2000 -M "do" "$2"; }

ns_add a b
join a eth0 b eth0
keys a b
for path in xdp udp; do
	derived "behind Ethernet" 1420 $path
	in_ns a ip link set eth0 mtu 1492
	derived "behind PPPoE" 1412 $path
	in_ns a ip link set eth0 mtu 1500
	in_ns a ip route add 192.0.2.2/32 dev eth0 mtu 1400
	derived "by a route with MTU 1400" 1320 $path
	in_ns a ip route del 192.0.2.2/32 dev eth0
done
ok "attach in a succeeds" attach a b 1
ok "attach in b succeeds" attach b a 2
ok "a reaches b" in_ns a ping -q -c 1 -W 2 10.99.0.2
for ns in a b; do
	in_ns $ns ip link set eth0 mtu 3000
	in_ns $ns ip link set "$ID$ns" mtu 2900
done
ok "pings of 2000 bytes from a are answered" wait_for 5 large a 10.99.0.2
ok "pings of 2000 bytes from b are answered" wait_for 5 large b 10.99.0.1
for ns in a b; do
	ok "$ns uses XDP again" wait_for 5 by_xdp $ns
done
before=$(show b "${ID}b" .path.rx_packets.xsk)
ok "pings of 2000 bytes are answered again" large a 10.99.0.2
holds "the pings arrive by AF_XDP" "$(show b "${ID}b" .path.rx_packets.xsk)" -gt "$before"

# While the MTU is too large for AF_XDP, all data goes through the UDP socket.
down a "${ID}a"
down b "${ID}b"
for ns in a b; do in_ns $ns ip link set eth0 mtu 9000; done
ok "attach in b succeeds by UDP" attach b a 2 udp
ok "with MTU 9000 attach succeeds" attach a b 1 auto
is "the path is UDP" "$(show a "${ID}a" '.path | "\(.rx) \(.tx)"')" "udp udp"
ok "show says why" eval "show a '${ID}a' .path.why | grep -q 'MTU 9000'"
for ns in a b; do in_ns $ns ip link set eth0 mtu 1500; done
ok "with the MTU lowered to 1500 a uses XDP" wait_for 5 by_xdp a
ok "a still reaches b" in_ns a ping -q -c 1 -W 5 10.99.0.2
done_testing
