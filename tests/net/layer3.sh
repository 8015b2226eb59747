#!/bin/bash
# SPDX-License-Identifier: MIT
#
# AF_XDP receives packets before the IP layer does. Nevertheless wgxdp must learn the same endpoint
# as from a UDP socket: with the scope of the interface at which packets reach IP (the bridge, not
# its port), and only from sources that the stack accepts on this interface.
#
#   ┌─────────── a ───────────┐       ┌─── b: the peer ───┐
#   │ br0  192.0.2.1  fe80::  │       │                   │
#   │  └── its port        eth0 ═════ eth0  192.0.2.2     │
#   │                         │       └───────────────────┘
#   │                         │       ┌─ c: another host ─┐
#   │      10.1.2.1        eth1 ═════ eth0  10.1.2.3      │
#   └─────────────────────────┘       └───────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping
need_cryptography

A=${ID}a B=${ID}b
keys a b
ns_add a b c

link_local() # NS LINK
{
	in_ns "$1" ip -6 -json address show dev "$2" scope link |
		jq -r '.[0].addr_info[] | select(.tentative | not) | .local'
}
has_link_local() { [ -n "$(link_local "$@")" ]; }
endpoint() { in_ns a wg show "$A" endpoints | cut -f 2; }

# --- a port of a bridge ---------------------------------------------------------------------------

ip link add eth0 netns "$ID-a" type veth peer name eth0 netns "$ID-b"
in_ns b ip link set eth0 up
in_ns a ip link set eth0 up
in_ns a ip link add br0 type bridge
in_ns a ip link set eth0 master br0
in_ns a ip link set br0 up
in_ns a ip address add 192.0.2.1/24 dev br0
in_ns b ip address add 192.0.2.2/24 dev eth0
ok "the bridge has a link-local address" wait_for 10 has_link_local a br0
ok "the peer has a link-local address" wait_for 10 has_link_local b eth0
where="[$(link_local b eth0)%br0]:51822"
ok "a attaches the bridge's port" ours a "$A" --rx xdp --tx udp < <(
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint="$where")
ok "b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
ok "no ping is lost" pinged a 10.99.0.2
is "twenty pings are answered" "$(answers 20 a 10.99.0.2)" 20
holds "the answers arrive by AF_XDP" "$(show a "$A" .path.rx_packets.xsk)" -ge 10
is "the endpoint keeps the scope of the bridge" "$(endpoint)" "$where"
ok "a detaches" down a "$A"
ok "b detaches" down b "$B"
in_ns a ip link delete br0
in_ns a ip address add 192.0.2.1/24 dev eth0

# --- sources that the stack does not accept on this interface -------------------------------------

ip link add eth1 netns "$ID-a" type veth peer name eth0 netns "$ID-c"
in_ns a ip address add 10.1.2.1/24 dev eth1
in_ns c ip address add 10.1.2.3/24 dev eth0
in_ns a ip link set eth1 up
in_ns c ip link set eth0 up
in_ns a sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1 \
	net.ipv4.conf.eth1.rp_filter=1
ok "a reaches c" wait_for 5 in_ns a ping -q -c 1 -W 1 10.1.2.3

for path in udp xdp; do
	ok "$path: a attaches" ours a "$A" --rx $path --tx $path < <(
		interface a ListenPort=51820 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32)
	python_tap "$path: " layer3.py "$A" "$ID-a" "$ID-b" "$TMP"
	ok "$path: a detaches" down a "$A"
done
clean "nothing is left" a "$A"

done_testing
