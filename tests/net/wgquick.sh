#!/bin/bash
# SPDX-License-Identifier: MIT
#
# wgxdp as the userspace implementation of an unmodified wg-quick(8).
#
#   a: wg-quick up ─▶ wgxdp NAME ─▶ wg setconf, ip address, ip link, ip route
#      eth0 192.0.2.1 ═══ 192.0.2.2 eth0 :b, attached the usual way

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wg-quick ping jq

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

quick()
{
	WG_QUICK_USERSPACE_IMPLEMENTATION=wgxdp in_ns a wg-quick "$1" "$TMP/$A.conf"
}

if ip link add "${ID}k" type wireguard 2>/dev/null; then
	ip link delete "${ID}k"
	skip_all "the kernel has WireGuard: wg-quick takes no userspace implementation"
fi

{
	interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64 PostUp="touch $TMP/%i.up"
	peer b AllowedIPs=10.99.0.0/24,fd99::/64,10.98.0.0/16 Endpoint=192.0.2.2:51822
} | conf "$A" >/dev/null
ok "b attached" ours b "$B" < <(
	interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
	peer a AllowedIPs=10.99.0.1/32,fd99::1/128)

ok "wg-quick up" quick up
ok "... hook ran" test -e "$TMP/$A.up"
is "... MTU" "$(in_ns a ip -o link show dev "$A" | grep -o 'mtu [0-9]*')" "mtu 1420"
ok "... route" eval "in_ns a ip route get 10.98.1.1 | grep -q 'dev $A'"
is "... configuration" "$(in_ns a wg show "$A" endpoints)" "$(pub b)"$'\t'192.0.2.2:51822
ok "ping v4" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
ok "ping v6" in_ns a ping -q -c 3 -i 0.1 -W 5 fd99::2
is "path: udp, as wg-quick names no NIC" "$(show a "$A" .path.rx)" udp
ok "wg-quick strip" quick strip
ok "wg-quick save" quick save
ok "... kept the peer" grep -qF "PublicKey = $(pub b)" "$TMP/$A.conf"
ok "wg-quick down" quick down
clean "nothing left" a "$A"
ok "wg-quick up again" quick up
ok "ping again" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
ok "wg-quick down again" quick down
clean "nothing left again" a "$A"
ok "b detached" down b "$B"

done_testing
