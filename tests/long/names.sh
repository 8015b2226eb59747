#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# The endpoint of b is a name with two addresses, and nothing answers at the first address. Shortly
# before wgxdp gives up the first handshake, it tries the second address, although the host has sent
# only a single packet.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2
#
#   /etc/hosts: vpn.test is 192.0.2.9, where there is no host, and 192.0.2.2

cd "$(dirname "$0")/../.." || exit 1
OWN_MOUNTS=yes # a mount namespace of its own, in which the test replaces /etc/hosts
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping

A=${ID}a B=${ID}b
ns_add a b
join a eth0 b eth0
keys a b
[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
printf '%s vpn.test\n' 192.0.2.9 192.0.2.2 >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts

at() { [ "$(show a "$A" '.peers[0].endpoint')" = "$1:51820" ]; } # ADDRESS

ok "attach succeeds" ours a "$A" < <(
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=vpn.test:51820)
ok "the other node attaches" ours b "$B" < <(
	interface b ListenPort=51820 Address=10.99.0.2/24
	peer a AllowedIPs=10.99.0.1/32)
in_ns a ip route add 192.0.2.9/32 via 192.0.2.2 # b does not forward these packets
began=$SECONDS
ok "the first address is the endpoint" at 192.0.2.9
in_ns a ping -q -c 1 -W 1 10.99.0.2 >"$TMP/ping"
ok "the second address is tried" wait_for 100 at 192.0.2.2
holds "the second address is tried after 80 s" $((SECONDS - began)) -ge 79
ok "the second address answers" wait_for 5 in_ns a ping -q -c 1 -W 1 10.99.0.2
down a "$A"
down b "$B"
clean "nothing is left" a "$A"
done_testing
