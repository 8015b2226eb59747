#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# The host is a gateway or a bridge for WireGuard traffic of other hosts, on the port that wgxdp
# uses. This traffic passes unchanged and is not counted. Only the answers to a masqueraded client,
# which are addressed to the host itself, are counted as passed. Before and after this traffic,
# wgxdp's own tunnel works.
#
#   ┌────── c ──────┐          ┌──────────── h ────────────┐          ┌────────── s ─────────┐
#   │ client    eth0 ═════ eth1 routes, masquerades, bridges eth0 ════ eth0 server, port 51820 │
#   │ port 51820    │          │ wgxdp on both NICs, :51820│          │ wgxdp, port 51822    │
#   │ 10.1.0.2      │          │ eth1 10.1.0.1             │          │ 192.0.2.2            │
#   │ 2001:db8:1::2 │          │      2001:db8:1::1        │          │ 2001:db8::2          │
#   └───────────────┘          │ eth0 192.0.2.1            │          └──────────────────────┘
#                              │      2001:db8::1          │
#                              └───────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wireguard-go jq ip ping nft
need_cryptography

COUNT=${COUNT:-1000}
H=${ID}h S=${ID}s CLIENT=${ID}c SERVER=${ID}d
keys h s client server

gateway_links()
{
	ns_add c h s
	join h eth0 s eth0
	ip link add eth1 netns "$ID-h" type veth peer name eth0 netns "$ID-c"
	in_ns h ip address add 10.1.0.1/24 dev eth1
	in_ns h ip address add 2001:db8:1::1/64 dev eth1 nodad
	in_ns c ip address add 10.1.0.2/24 dev eth0
	in_ns c ip address add 2001:db8:1::2/64 dev eth0 nodad
	in_ns h ip link set eth1 up
	in_ns c ip link set eth0 up
	in_ns c ip route add default via 10.1.0.1
	in_ns c ip -6 route add default via 2001:db8:1::1
}

# s restarts together with h, because s would otherwise send data with indices that the new daemon
# on h does not know.
up_s()
{
	ours s "$S" --rx udp --tx udp < <(
		interface s ListenPort=51822 Address=10.99.0.2/24
		peer h AllowedIPs=10.99.0.1/32)
}

up_h() # NICS OPTIONS...
{
	local path
	down s "$S" 2>/dev/null
	up_s || return 1
	path=$({
		interface h ListenPort=51820 Address=10.99.0.1/24
		peer s AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822
	} | conf "$H")
	in_ns h "$WGXDP" attach "$1" "$path" "${@:2}" </dev/null
}

counts() { show h "$H" "[(.drops | del(.no_peer)), .passes, .lost] | tojson"; }

passed() { show h "$H" '.passes | add // 0'; }

own_tunnel() { ok "$1: wgxdp's own tunnel works" in_ns h ping -q -c 5 -i 0.02 -W 5 10.99.0.2; }

traffic() # WHAT LINE...
{
	python_tap "$1: " bystanders.py "$COUNT" "$ID-c" "$ID-s" "${@:2}"
}

uncounted() # WHAT LINE...
{
	local before
	own_tunnel "$1"
	before=$(counts)
	traffic "$@"
	is "$1: none of the traffic is counted" "$(counts)" "$before"
	own_tunnel "$1, afterwards"
}

# --- a router -------------------------------------------------------------------------------------

forwarding() # IPV4 IPV6: switches forwarding of each family on (1) or off (0) for all interfaces
{
	in_ns h sysctl -qw "net.ipv4.ip_forward=$1" "net.ipv6.conf.all.forwarding=$2"
}

gateway_links
in_ns s ip route add 10.1.0.0/24 via 192.0.2.1
in_ns s ip -6 route add 2001:db8:1::/64 via 2001:db8::1
forwarding 1 1
ROUTED=("10.1.0.2 192.0.2.2 10.1.0.2" "2001:db8:1::2 2001:db8::2 2001:db8:1::2")

for rx in xdp udp; do
	ok "a router, rx $rx: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx
	uncounted "a router, rx $rx" "${ROUTED[@]}"
	down h "$H"
done

# --- a router that masquerades --------------------------------------------------------------------

in_ns h nft -f - <<-EOR
	table inet gateway {
		chain out {
			type nat hook postrouting priority srcnat
			iifname "eth1" oifname "eth0" masquerade
		}
	}
EOR
MASQUERADED=("10.1.0.2 192.0.2.2 192.0.2.1" "2001:db8:1::2 2001:db8::2 2001:db8::1")

# The XDP or TC program counts the answers to the masqueraded client as passed. It does not count
# the fragments of an answer, because it can check only whole datagrams.
masqueraded() # WHAT LINE...
{
	local before
	own_tunnel "$1"
	before=$(show h "$H" '[(.drops | del(.no_peer)), .lost] | tojson')
	traffic "$@"
	is "$1: none of the traffic is counted as dropped" \
		"$(show h "$H" '[(.drops | del(.no_peer)), .lost] | tojson')" "$before"
	holds "$1: the answers are counted as passed" "$(passed)" -ge $((COUNT * ($# - 1) * 9 / 10))
	holds "$1: the answers are counted once" "$(passed)" -le $((COUNT * ($# - 1)))
	own_tunnel "$1, afterwards"
}

for rx in xdp udp; do
	ok "masquerade, rx $rx: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx
	masqueraded "masquerade, rx $rx" "${MASQUERADED[@]}"
	down h "$H"

	# Some programs, such as systemd-networkd, switch forwarding on only for single interfaces.
	forwarding 0 0
	in_ns h sysctl -qw net.ipv4.conf.eth0.forwarding=1 net.ipv4.conf.eth1.forwarding=1
	ok "forwarding by interface, rx $rx: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx
	masqueraded "forwarding by interface, rx $rx" "${MASQUERADED[0]}"
	down h "$H"
	forwarding 1 1

	ok "--strict, rx $rx: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx --strict
	own_tunnel "--strict, rx $rx"
	traffic "--strict, rx $rx" "${MASQUERADED[0]} strict"
	holds "--strict, rx $rx: packets that would otherwise pass are dropped" \
		"$(show h "$H" .dropped)" -ge $((COUNT * 9 / 10))
	is "--strict, rx $rx: nothing is counted as passed" "$(passed)" 0
	own_tunnel "--strict, rx $rx, afterwards"
	down h "$H"
done

some_passed() { [ "$(passed)" -ge 20 ]; }

# No packet is dropped while the program is attached and detached repeatedly.
come_and_go() # RX
{
	local drops=""
	for _ in 1 2 3; do
		up_h eth0,eth1 --rx "$1" --tx "$1" && wait_for 5 some_passed &&
			drops=$drops$(show h "$H" '.drops | del(.no_peer) | tojson')
		down h "$H"
	done
	touch "$TMP/gone"
	echo "$drops"
}

for rx in xdp udp; do
	rm -f "$TMP/gone"
	come_and_go $rx >"$TMP/drops" 2>&1 &
	python_tap "comes and goes, rx $rx: " bystanders.py stream "$ID-c" "$ID-s" "$TMP/gone" \
		"${MASQUERADED[0]}"
	wait $!
	is "comes and goes, rx $rx: nothing is dropped" "$(cat "$TMP/drops")" "{}{}{}"
done

# --- a real node behind the host ------------------------------------------------------------------

node() # NS INTERFACE SELF OTHER NUMBER NUMBER-OF-OTHER [ENDPOINT]
{
	foreign "$1" "$2" < <(
		interface "$3" ListenPort=51820
		peer "$4" AllowedIPs="10.98.0.$6/32" Endpoint="${7-}") &&
		in_ns "$1" ip address add "10.98.0.$5/24" dev "$2" &&
		in_ns "$1" ip link set "$2" up
}

ok "wireguard-go starts in c" node c "$CLIENT" client server 2 1 192.0.2.2:51820
ok "wireguard-go starts in s" node s "$SERVER" server client 1 2
for rx in xdp udp; do
	what="wireguard-go through the host, rx $rx"
	ok "$what: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx
	own_tunnel "$what"
	ok "$what: no ping is lost" pinged c 10.98.0.1 100
	is "$what: nothing is dropped" \
		"$(show h "$H" "[(.drops | del(.no_peer)), .lost] | tojson")" "[{},{}]"
	holds "$what: the answers are counted as passed" "$(passed)" -ge 100
	down h "$H"
done
for link in "c $CLIENT" "s $SERVER"; do
	# shellcheck disable=SC2086 # $link is two words
	set -- $link
	in_ns "$1" ip link delete "$2"
done

# --- a bridge -------------------------------------------------------------------------------------

# The host's addresses move to the bridge. The client gets addresses in the server's network.
in_ns h nft flush ruleset
forwarding 0 0
for link in "h eth0" "h eth1" "c eth0"; do
	# shellcheck disable=SC2086 # $link is two words
	set -- $link
	in_ns "$1" ip address flush dev "$2"
done
in_ns h ip link add br0 type bridge
in_ns h ip link set eth0 master br0
in_ns h ip link set eth1 master br0
in_ns h ip link set br0 address "$(in_ns h ip -j link show eth0 | jq -r '.[0].address')" up
in_ns h ip address add 192.0.2.1/24 dev br0
in_ns h ip address add 2001:db8::1/64 dev br0 nodad
in_ns c ip address add 192.0.2.3/24 dev eth0
in_ns c ip address add 2001:db8::3/64 dev eth0 nodad
wait_for 5 in_ns c ping -q -c 1 -W 1 192.0.2.2
wait_for 5 in_ns c ping -q -c 1 -W 1 2001:db8::2
BRIDGED=("192.0.2.3 192.0.2.2 192.0.2.3" "2001:db8::3 2001:db8::2 2001:db8::3")

for rx in xdp udp; do
	ok "a bridge, rx $rx: attach succeeds" up_h eth0,eth1 --rx $rx --tx $rx
	uncounted "a bridge, rx $rx" "${BRIDGED[@]}"
	down h "$H"
done
down s "$S"

done_testing
