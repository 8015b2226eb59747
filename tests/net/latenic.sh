#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A service may start before its NIC exists. With --late-nic the tunnel comes up through the UDP
# sockets, and uses XDP when the NIC appears and is up. The tunnel also works if the NIC never
# appears.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping

A=${ID}a B=${ID}b
ns_add a b
keys a b
path=$(conf "$A" < <(conf_a))

refuses "without the option, a NIC that does not exist is refused" 1 \
	"eth0: there is no such interface; .*--late-nic" in_ns a "$WGXDP" attach eth0 "$path"
refuses "--rx xdp insists on the NIC" 1 "eth0: there is no such interface" \
	in_ns a "$WGXDP" attach eth0 "$path" --late-nic --rx xdp
clean "nothing is left" a "$A"

is "attach succeeds without the NIC, and does not warn of the UDP sockets" \
	"$(in_ns a "$WGXDP" attach eth0,eth7 "$path" --late-nic 2>&1 </dev/null |
		grep -v "no route to endpoint"; echo "${PIPESTATUS[0]}")" 0
is "show says why data takes the UDP sockets" "$(show a "$A" '.path.rx + " " + .path.why')" \
	"udp eth0: there is no such interface yet; eth7: there is no such interface yet"
ip link add eth0 netns "$ID-a" type veth peer name eth0 netns "$ID-b"
seen() { [[ $(show a "$A" .path.why) != eth0:* ]]; }
wait_for 5 seen
in_ns a ip address add 192.0.2.1/24 dev eth0
in_ns b ip address add 192.0.2.2/24 dev eth0
in_ns b ip link set eth0 up
in_ns a ip link set eth0 up
ok "the other node attaches" ours b "$B" < <(conf_b)
ok "the NIC appears: pings are answered" wait_for 5 in_ns a ping -q -c 1 -W 1 10.99.0.2
by_xdp() { [ "$(show a "$A" '.path.xdp_mode + .path.tx')" = nativexdp ]; }
ok "the NIC appears: XDP carries the data" wait_for 5 by_xdp
before=$(show a "$A" .path.tx_packets.xsk)
is "the NIC appears: ten pings are answered" "$(answers 10 a 10.99.0.2)" 10
holds "the NIC appears: the pings leave by AF_XDP" \
	$(($(show a "$A" .path.tx_packets.xsk) - before)) -ge 10
is "show still reports the other NIC as missing" "$(show a "$A" .path.why)" \
	"eth7: there is no such interface yet"
down a "$A"
down b "$B"

# With --rx udp --tx udp, data still uses the UDP sockets after the NIC has appeared.
ok "--rx udp --tx udp: attach succeeds" in_ns a "$WGXDP" attach eth8 "$path" --late-nic \
	--rx udp --tx udp
in_ns a ip link add eth8 type veth peer name eth9
found() { [[ $(show a "$A" .path.why) != *"no such interface"* ]]; }
ok "--rx udp --tx udp: the daemon finds the NIC" wait_for 5 found
is "--rx udp --tx udp: the log does not say that AF_XDP uses the NIC" \
	"$(in_ns a "$WGXDP" logs "$A" | grep -c -e "AF_XDP uses")" 0
down a "$A"
clean "nothing is left" a "$A"
done_testing
