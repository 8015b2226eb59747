#!/bin/bash
# SPDX-License-Identifier: MIT
#
# wgxdp serves an unmodified wg-quick(8) as its userspace implementation.
#
#   a: wg-quick up ─▶ wgxdp NAME ─▶ wg setconf, ip address, ip link, ip route
#      eth0 192.0.2.1 ═══ 192.0.2.2 eth0 :b, by wgxdp attach

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
	skip_all "the kernel has WireGuard, so wg-quick ignores a userspace implementation"
fi

{
	interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64 PostUp="touch $TMP/%i.up"
	peer b AllowedIPs=10.99.0.0/24,fd99::/64,10.98.0.0/16 Endpoint=192.0.2.2:51822
} | conf "$A" >/dev/null
ok "attach succeeds in b" ours b "$B" < <(
	interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
	peer a AllowedIPs=10.99.0.1/32,fd99::1/128)

ok "wg-quick up succeeds" quick up
ok "the hook ran" test -e "$TMP/$A.up"
is "the MTU is set" "$(in_ns a ip -o link show dev "$A" | grep -o 'mtu [0-9]*')" "mtu 1420"
ok "the route is set" eval "in_ns a ip route get 10.98.1.1 | grep -q 'dev $A'"
is "the peer is set" "$(in_ns a wg show "$A" endpoints)" "$(pub b)"$'\t'192.0.2.2:51822
ok "IPv4 pings are answered" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
ok "IPv6 pings are answered" in_ns a ping -q -c 3 -i 0.1 -W 5 fd99::2
# The daemon began without a NIC, because there is no default route and wg had not set the peer yet.
ok "the path becomes XDP, because the route to the endpoint names a NIC" wait_for 10 eval \
	"[[ \$(show a '$A' .path.rx) == xdp ]]"
ok "pings are answered by XDP" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
refuses "detach refuses an interface of wg-quick" 1 "wg-quick down" in_ns a "$WGXDP" detach "$A"
ok "the interface still exists" in_ns a wg show "$A"
ok "wg-quick strip succeeds" quick strip
ok "wg-quick save succeeds" quick save
ok "the saved file has the peer" grep -qF "PublicKey = $(pub b)" "$TMP/$A.conf"
ok "wg-quick down succeeds" quick down
clean "nothing is left" a "$A"
export WGXDP_NIC=eth0
ok "wg-quick up succeeds again, with a NIC" quick up
is "the path is XDP" "$(show a "$A" .path.rx)" xdp
ok "pings are answered again" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
ok "wg-quick down succeeds again" quick down
clean "nothing is left again" a "$A"
export WGXDP_OPTIONS=" --rx udp	--tx=xdp --aead libsodium  --no-gso "
ok "wg-quick up succeeds with options" quick up
is "the options are used" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.aead)"')" "udp xdp libsodium"
ok "pings are answered with options" in_ns a ping -q -c 3 -i 0.1 -W 5 10.99.0.2
ok "wg-quick down succeeds with options" quick down
clean "nothing is left" a "$A"
ok "detach succeeds in b" down b "$B"

done_testing
