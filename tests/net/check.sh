#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What `wgxdp check` says about the host: that no program can set DNS servers, that IPv6 is off,
# that an MTU does not fit the path, why data would take the UDP sockets, and what AF_XDP would
# bypass on the NICs that attach would choose. Each warning is compared as a whole. On a host that
# gives no cause for a warning, check prints none.
#
#   a: eth0 192.0.2.1 ═══ 192.0.2.2 eth0 :b
#   a: br0 (no port)

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip tc nft jq setpriv

A=${ID}a
ns_add a b
join a eth0 b eth0
in_ns a ip link add br0 type bridge
keys a b
conf_a | conf "$A" >/dev/null

check() # [NIC] [VARIABLE=VALUE]: prints the warnings, and the exit status if it is not 0
{
	{
		in_ns a env "${@:2}" "$WGXDP" check ${1:+"$1"} "$TMP/$A.conf" 2>&1 >/dev/null \
			</dev/null || echo "status $?"
	} | sed "s|^wgxdp: warning: ||; s|$TMP/||"
}
report() { in_ns a "$@" check "$TMP/$A.conf" </dev/null 2>/dev/null; }

is "check does not warn of a plain NIC" "$(check)" ""
is "check does not warn of veth, where the UDP sockets are faster" \
	"$(check "" -u WGXDP_VETH_AS_NIC)" ""
checks_all() { report "$WGXDP" | grep ": fine" && ! report "$WGXDP" | grep "not checked"; }
ok "root can check everything" checks_all

# --- DNS and IPv6 ---------------------------------------------------------------------------------

conf_a | sed '3s/.*/DNS = 9.9.9.9/' | conf "$A" >/dev/null
if ! command -v resolvconf >/dev/null && [ ! -e /run/systemd/resolve/stub-resolv.conf ]; then
	is "check warns that no program can set DNS servers" "$(check)" "$A.conf: DNS = 9.9.9.9: \
attach would fail: systemd-resolved is not running and resolvconf is not installed; install the \
package openresolv, or remove DNS from the file"
fi
mkdir "$TMP/bin"
ln -s /bin/true "$TMP/bin/resolvconf"
is "check does not warn if resolvconf is installed" "$(check "" PATH="$TMP/bin:$PATH")" ""

conf_a | sed '3s|.*|Address = fd42::1/64|' | conf "$A" >/dev/null
is "check does not warn of IPv6 while IPv6 is on" "$(check)" ""
in_ns a sysctl -qw net.ipv6.conf.default.disable_ipv6=1
is "check warns that IPv6 is off" "$(check)" "$A.conf: fd42::1/64: attach would fail: IPv6 is \
disabled on this host; run sysctl net.ipv6.conf.default.disable_ipv6=0, or remove IPv6 from the \
file"
refuses "attach fails while IPv6 is off" 1 "IPv6 is disabled" in_ns a "$WGXDP" attach "$TMP/$A.conf"
in_ns a sysctl -qw net.ipv6.conf.default.disable_ipv6=0
ok "attach succeeds when the advice is followed" in_ns a "$WGXDP" attach "$TMP/$A.conf"
down a "$A"

# --- the MTU --------------------------------------------------------------------------------------

conf_a | sed '3s/.*/MTU = 1441/' | conf "$A" >/dev/null
is "check warns of an MTU that is too large for the path" "$(check)" "$A.conf: MTU = 1441: the \
path to 192.0.2.2:51822 has an MTU of 1500, so packets of more than 1440 bytes would be \
fragmented; remove the line, so that wgxdp chooses the MTU"
conf_a | sed '3s/.*/MTU = 1440/' | conf "$A" >/dev/null
is "check does not warn of an MTU that just fits" "$(check)" ""

# --- what AF_XDP would bypass ---------------------------------------------------------------------

in_ns a nft -f - <<-EOF
	table ip t {
		chain source { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
	}
EOF
is "check warns of NAT" "$(check)" "eth0: if the nftables chain \"t source\" applies NAT to the \
packets for a peer, data to this peer is sent by the UDP socket, because AF_XDP would bypass the \
chain"
in_ns a nft delete table ip t
in_ns a nft -f - <<-EOF
	table ip t {
		chain marks { type route hook output priority 0; meta l4proto udp meta mark set 7; }
	}
EOF
is "check warns of netfilter marks" "$(check)" "eth0: data is sent by the UDP socket, because \
AF_XDP would bypass the nftables chain \"t marks\" that is configured there; --tx xdp uses AF_XDP \
nevertheless"
in_ns a nft delete table ip t
in_ns a ip xfrm policy add dir out src 192.0.2.1 dst 192.0.2.2 action block
is "check warns of an IPsec policy" "$(check)" "eth0: if an IPsec policy encrypts or refuses \
the packets for a peer, data to this peer is sent by the UDP socket, because AF_XDP would bypass \
the policy"
in_ns a ip xfrm policy flush
in_ns a tc qdisc add dev eth0 clsact
in_ns a tc filter add dev eth0 ingress protocol ip prio 7 u32 match u32 0 0 flowid 1:1
is "check warns of tc filters for received packets" "$(check)" "eth0: data received by AF_XDP \
bypasses the tc ingress filters that are configured there; --rx udp uses the UDP socket"
in_ns a tc qdisc delete dev eth0 clsact
in_ns a nft -f - <<-EOF
	table netdev t {
		chain in {
			type filter hook ingress device "eth0" priority 0
			udp dport 51821 counter
		}
	}
EOF
is "check warns of an nftables chain for received packets" "$(check)" "eth0: data received by \
AF_XDP bypasses the nftables ingress chain \"t in\" that is configured there; --rx udp uses the \
UDP socket"
in_ns a nft delete table netdev t
in_ns a tc qdisc add dev eth0 root tbf rate 1gbit burst 100k latency 50ms
tbf="eth0: data is sent by the UDP socket, because AF_XDP would bypass the qdisc tbf that is \
configured there; --tx xdp uses AF_XDP nevertheless"
is "check warns of shaping" "$(check)" "$tbf"

# --- which NIC ------------------------------------------------------------------------------------

is "check does not warn with WGXDP_NIC=none" "$(check "" WGXDP_NIC=none)" ""
is "check warns of the NIC that WGXDP_NIC names" "$(check "" WGXDP_NIC=eth0)" "$tbf"
is "check warns of a NIC on its command line" "$(check eth0 WGXDP_NIC=none)" "$tbf"
conf_a | grep -v Endpoint | conf "$A" >/dev/null
is "without a route, check warns of no NIC" "$(check)" ""
in_ns a ip route add default via 192.0.2.2
is "check warns of the NIC of the default route" "$(check)" "$tbf"
in_ns a ip route delete default
conf_a | conf "$A" >/dev/null
refuses "check refuses a NIC that does not exist" 1 \
	'^wgxdp: nope0: there is no such interface; .ip link.' \
	in_ns a "$WGXDP" check nope0 "$TMP/$A.conf"
refuses "check refuses a list that ends in a comma" 2 '"eth0,": the name of a NIC is missing' \
	in_ns a "$WGXDP" check eth0, "$TMP/$A.conf"
refuses "check refuses three arguments" 2 'usage: wgxdp check \[NIC' \
	in_ns a "$WGXDP" check eth0 br0 "$TMP/$A.conf"

# --- the UDP sockets ------------------------------------------------------------------------------

if [ "$(in_ns a "$WGXDP" probe br0 --json | jq .native_xdp)" = false ]; then
	is "check warns only that the NIC has no native XDP" "$(check br0)" "data would go through \
the UDP sockets: br0: bridge offers no native XDP with the present settings, and auto never uses \
generic XDP, which runs only after the kernel has built a socket buffer"
else
	pass "before Linux 6.3 only attach finds out that a NIC has no native XDP"
fi
in_ns a ip link set eth0 mtu 9000
is "check warns of an MTU that no AF_XDP frame holds" "$(check)" "data would go through the UDP \
sockets: eth0: MTU 9000 is larger than 3822, the most that an AF_XDP frame holds; lower the MTU or \
use --rx udp"
is "check does not warn if the user requested the UDP sockets" "$(check "" WGXDP_NIC=none)" ""
in_ns a ip link set eth0 mtu 1500

# --- without root, and while the tunnel is up -----------------------------------------------------

install -m 755 "$WGXDP" "$TMP/wgxdp"
install -m 644 "$TMP/$A.conf" "$TMP/open.conf"
chmod 711 "$TMP"
refuses "without root: check prints a note and does not fail" 0 \
	"^  not checked: what AF_XDP would bypass on this host .this needs root" in_ns a setpriv \
	--reuid 65534 --regid 65534 --clear-groups "$TMP/wgxdp" check "$TMP/open.conf"
is "without root: check warns of the qdisc, which anybody may read" \
	"$(grep -c "would bypass the qdisc tbf" "$TMP/out")" 1
is "without root: there is no other warning" \
	"$(sed "/^  /d; /others may read/d; s|$TMP/||" "$TMP/out" | cut -d : -f 1-3 | xargs)" \
	"wgxdp: warning: eth0 open.conf: fine, with warnings"

in_ns a tc qdisc delete dev eth0 root
in_ns a ip route add default via 192.0.2.2
{
	interface a Address=10.99.0.1/24 MTU=1420
	peer b AllowedIPs=0.0.0.0/0 Endpoint=203.0.113.1:51820
} | conf "$A" >/dev/null
ok "attach succeeds with a full tunnel" in_ns a "$WGXDP" attach "$TMP/$A.conf"
is "check warns neither of wgxdp's XDP program nor of a path through the tunnel" "$(check)" ""
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

done_testing
