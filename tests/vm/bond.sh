#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# A bond passes its XDP program to its members, so frames seem to arrive on the members. If wgxdp
# attaches to the bond, data goes through the UDP sockets, and `wgxdp show` says why. XDP works if
# wgxdp attaches to the members, or to the bond in generic mode.
#
#             ┌ eth0 ════ eth0 ┐
#   a: wgxdp  bond0           bond0 :b  wgxdp, by UDP
#             └ eth1 ════ eth1 ┘

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd wg jq ping
modprobe -q bonding
A=${ID}a B=${ID}b
keys a b

ns_add a b
for i in 0 1; do
	in_ns a ip link add eth$i type veth peer name eth$i netns "$ID-b"
done
host=0
for ns in a b; do
	in_ns $ns ip link add bond0 type bond mode active-backup miimon 100 || skip_all \
		"this kernel has no bonds"
	in_ns $ns ip link set eth0 master bond0
	in_ns $ns ip link set eth1 master bond0
	in_ns $ns ip address add 192.0.2.$((host += 1))/24 dev bond0
	in_ns $ns ip link set bond0 up
done
ok "the bonds carry pings" wait_for 30 in_ns a ping -q -c 1 -W 1 192.0.2.2

config() # SELF NUMBER PEER NUMBER-OF-PEER
{
	interface "$1" ListenPort="5182$2" Address="10.99.0.$2/24"
	peer "$3" AllowedIPs="10.99.0.$4/32" Endpoint="192.0.2.$4:5182$4"
}
config a 1 b 2 | conf "$A" >/dev/null
config b 2 a 1 | conf "$B" >/dev/null
ok "b attaches" in_ns b "$WGXDP" attach bond0 "$TMP/$B.conf" --rx udp --tx udp

path() { show a "$A" '.path | "\(.rx) \(.xdp_mode)"'; }
attach() { in_ns a "$WGXDP" attach "$1" "$TMP/$A.conf" "${@:2}"; }
carried() # WHAT xsk|udp
{
	ok "$1: no ping is lost" pinged a 10.99.0.2 20 0.05
	holds "$1: the packets arrive by $2" "$(show a "$A" ".path.rx_packets.$2")" -ge 19
	down a "$A"
	clean "$1: nothing is left" a "$A"
}

ok "the bond: attach succeeds" attach bond0
is "the bond: the path is UDP" "$(path)" "udp null"
ok "the bond: show says why" eval "show a '$A' .path.why | grep -q 'bond0.*eth[01] below'"
carried "the bond" udp
refuses "the bond: --rx xdp is refused" 1 'eth[01] below' attach bond0 --rx xdp
clean "nothing is left" a "$A"
ok "the members: attach succeeds" attach eth0,eth1
is "the members: the path is XDP" "$(path)" "xdp native"
carried "the members" xsk
ok "the bond, generic: attach succeeds" attach bond0 --xdp-mode generic
is "the bond, generic: the path is XDP" "$(path)" "xdp generic"
carried "the bond, generic" xsk
down b "$B"

done_testing
