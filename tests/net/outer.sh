#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Checks outer packets byte for byte: traffic class (DSCP and ECN), TTL, fragmentation, length. Also
# checks which fields are copied to the inner packet. Data goes by XDP and by UDP, with outer IPv4
# and IPv6.
#
#   ┌───────────── a ─────────────┐            ┌──────── b ────────┐
#   │ wgxdp   10.99.0.1  fd99::1  │            │ outer.py, a node  │
#   │ :51821  192.0.2.1       eth0 ════════ eth0 192.0.2.2:51822   │
#   │         2001:db8::1         │    veth    │ 2001:db8::2       │
#   └─ inner packets read here ───┘            └─ outer ones here ─┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ethtool
need_cryptography
ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b
# The tap at b must see single datagrams. If this offload is off, the kernel splits a large UDP
# packet (UDP_SEGMENT) into datagrams before it leaves eth0.
in_ns a ethtool -K eth0 tx-udp-segmentation off
in_ns a sysctl -qw net.ipv4.ip_default_ttl=37 net.ipv6.conf.eth0.hop_limit=41

up() # PATH ENDPOINT
{
	ours a "$A" --rx "$1" --tx "$1" --no-gso < <( # outer.py expects single packets
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer b AllowedIPs=10.99.0.0/24,fd99::/64 Endpoint="$2:51822")
}

far() # PATH OUTER TEST...
{
	python_tap "$1, outer IPv$2: " outer.py "$ID-a" "$ID-b" "$A" "$TMP" "$2" "$1" "${@:3}"
}

for path in xdp udp; do
	ok "$path, outer IPv4: attach succeeds" up $path 192.0.2.2
	far $path 4 handshakes keepalive classes_out classes_in padding padding_outside too_big
	down a "$A"
	ok "$path, outer IPv6: attach succeeds" up $path '[2001:db8::2]'
	far $path 6 handshakes keepalive classes_out classes_in padding padding_outside too_big
	down a "$A"
	clean "$path: nothing is left" a "$A"
done

# --- the tunnel in another namespace than its daemon ----------------------------------------------

far_c() { python_tap "elsewhere: " outer.py "$ID-c" "$ID-b" "$A" "$TMP" 4 xdp "$@"; }

ns_add c
ok "elsewhere: attach succeeds" up xdp 192.0.2.2
in_ns a ip link set "$A" netns "$ID-c"
in_ns c ip address add 10.99.0.1/24 dev "$A"
in_ns c ip address add fd99::1/64 dev "$A" nodad
# The move has reset addrgenmode. With a link-local address, the kernel would send router
# solicitations into the tunnel.
in_ns c ip link set "$A" addrgenmode none
in_ns c ip link set "$A" up
ok "elsewhere: the socket opens when the interface is up" wait_for 5 eval \
	"in_ns a ss -Hlun 'sport = 51821' | grep -q ."
far_c handshakes classes_out classes_in padding too_big
down a "$A"
clean "elsewhere: nothing is left" a "$A"

done_testing
