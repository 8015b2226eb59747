#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A multicast packet that this host sends into the tunnel is looped back to group members on this
# host, as on any interface. The looped packet passes through the TC program that checks the sources
# of received packets, and this program must not drop it.
#
#   a: wgxdp 10.99.0.1, fe80::1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
ok "wireguard-go starts" stranger_b "$B"
in_ns b wg set "$B" peer "$(pub a)" allowed-ips 10.99.0.1/32,fe80::1/128
in_ns b ip address add fe80::2/64 dev "$B" nodad

cat >"$TMP/group.py" <<'EOP'
"""group.py INTERFACE GROUP: joins the group, sends to it, and prints the source of the datagram
that came back."""
import socket
import struct
import sys

name, group = sys.argv[1:]
index = socket.if_nametoindex(name)
if ":" in group:
    member = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    member.bind(("::", 6696))
    member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                      socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index))
    to = (group, 6696, 0, index)
else:
    member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    member.bind(("0.0.0.0", 6696))
    mreqn = struct.pack("4s4si", socket.inet_aton(group), b"\0" * 4, index)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreqn)
    member.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, mreqn)
    to = (group, 6696)
member.settimeout(5)
member.sendto(b"hello", to)
try:
    print(member.recvfrom(99)[1][0].split("%")[0])
except TimeoutError:
    print("nothing")
EOP
member() { in_ns a /usr/bin/python3 "$TMP/group.py" "$A" "$1"; }

for path in udp xdp; do
	ok "$path: attach succeeds" ours a "$A" --rx $path --tx $path < <(
		interface a ListenPort=51821 "Address=10.99.0.1/24, fe80::1/64"
		peer b "AllowedIPs=10.99.0.2/32, fe80::2/128, 224.0.0.0/4, ff00::/8" \
			Endpoint=192.0.2.2:51822)
	ok "$path: no ping is lost" pinged a 10.99.0.2
	is "$path: a member gets the host's own packet to an IPv4 group" \
		"$(member 224.0.0.251)" 10.99.0.1
	is "$path: a member gets the host's own packet to an IPv6 group" \
		"$(member ff02::1:6)" fe80::1
	is "$path: no packet is dropped as a mismatch" "$(show a "$A" .drops.inject_mismatch)" null
	ok "$path: detach succeeds" down a "$A"
done
clean "nothing is left" a "$A"

done_testing
