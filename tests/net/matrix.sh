#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Behaviour that depends on the peer, which is wireguard-go: preshared keys that change under
# traffic, roaming, keepalives, restarts of either side, handshake times. The XDP pair and the UDP
# pair are tested at the same time.
#
#   ┌──── ax ────┐               ┌──────── bx ────────┐
#   │ wgxdp, XDP │ eth0 ═══ eth0 │ wireguard-go       │
#   └────────────┘               └────────────────────┘
#   ┌──── au ────┐               ┌──────── bu ────────┐
#   │ wgxdp, UDP │ eth0 ═══ eth0 │ wireguard-go       │
#   └────────────┘               └────────────────────┘
#
# The two links are not connected, so both pairs have the same addresses: ax and au are 192.0.2.1,
# and 10.99.0.1 in the tunnel; bx and bu are 192.0.2.2, and 10.99.0.2 in the tunnel.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping
need_cryptography

keys a b
wg genpsk >"$TMP/psk1"
wg genpsk >"$TMP/psk2"
declare -A go_pid
name() { echo "$ID$1"; }
pair=([1]=x [2]=u)

up_a() # x|u: the pair that uses XDP or UDP
{
	local path=xdp
	[ "$1" = x ] || path=udp
	ours "a$1" "$(name "a$1")" --rx "$path" --tx "$path" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24
		peer b PresharedKey="$(cat "$TMP/psk1")" AllowedIPs=10.99.0.2/32 \
			Endpoint=192.0.2.2:51822)
}

up_b() # x|u
{
	foreign "b$1" "$(name "b$1")" < <(
		interface b ListenPort=51822
		peer a PresharedKey="$(cat "$TMP/psk1")" AllowedIPs=10.99.0.1/32 \
			Endpoint=192.0.2.1:51821) || return
	go_pid[$1]=$FOREIGN_PID
	in_ns "b$1" ip address add 10.99.0.2/24 dev "$(name "b$1")"
	in_ns "b$1" ip link set "$(name "b$1")" mtu 1420 up
}

down_b() # x|u
{
	FOREIGN_PID=${go_pid[$1]}
	foreign_down "$(name "b$1")"
}

a_set() { in_ns "a$1" wg set "$(name "a$1")" "${@:2}"; }
b_set() { in_ns "b$1" wg set "$(name "b$1")" "${@:2}"; }
field() { in_ns "$1" wg show "$(name "$1")" "$2" | cut -f "${3:-2}"; } # NS WHAT [COLUMN]

no_sockets() { [ -z "$(in_ns "$1" ss -Hlun)" ]; }

flow() # SECONDS: starts to send datagrams in both pairs, and returns once they arrive
{
	/usr/bin/python3 "$(dirname "$0")/flow.py" "$1" "$ID-ax:10.99.0.1,$ID-bx:10.99.0.2" \
		"$ID-au:10.99.0.1,$ID-bu:10.99.0.2" >"$TMP/flow" 2>&1 &
	flow=$!
	wait_for 10 grep -q begun "$TMP/flow"
}

none_lost() # WHAT
{
	local i
	wait $flow
	for i in 1 2; do
		is "${pair[i]}: $1" "$(sed -n "$((i + 1))p" "$TMP/flow" | cut -d' ' -f3-)" \
			"lost 0 0"
	done
}

began=$(date +%s)
for i in x u; do
	ns_add a$i b$i
	join a$i eth0 b$i eth0
	ok "$i: wgxdp attaches" up_a $i
	ok "$i: wireguard-go starts" up_b $i
	is "$i: all pings are answered in both directions" \
		"$(answers 10 a$i 10.99.0.2) $(answers 10 b$i 10.99.0.1)" "10 10"
	time=$(field a$i latest-handshakes)
	ok "$i: wg shows the handshake's time as Unix time" test "$began" -le "$time" -a "$time" \
		-le "$(date +%s)"
done

# --- the preshared key changes on one side, and three seconds later on the other ------------------

flow 4.5
for i in x u; do a_set $i peer "$(pub b)" preshared-key "$TMP/psk2"; done
sleep 3
for i in x u; do b_set $i peer "$(pub a)" preshared-key "$TMP/psk2"; done
none_lost "preshared keys changed 3 s apart: no packet is lost"

# --- one side restarts while the other holds the old session --------------------------------------

for i in x u; do
	time=$(field b$i latest-handshakes)
	in_ns a$i ip link set "$(name a$i)" down
	# Wait until the daemon has closed its sockets.
	wait_for 5 no_sockets a$i
	wait_for 3 eval "[ \$(date +%s) -gt $time ]" # handshake times are in whole seconds
	in_ns a$i ip link set "$(name a$i)" up
	is "$i: wgxdp restarts with the new preshared key, and all pings are answered" \
		"$(answers 10 a$i 10.99.0.2)" 10
	holds "$i: there was another handshake" "$(field b$i latest-handshakes)" -gt "$time"
done

for i in x u; do
	ok "$i: wireguard-go restarts" eval "down_b $i && up_b $i"
	b_set $i peer "$(pub a)" preshared-key "$TMP/psk2"
	is "$i: wireguard-go's pings are answered" "$(answers 10 b$i 10.99.0.1)" 10
	is "$i: wireguard-go answers pings" "$(answers 10 a$i 10.99.0.2)" 10
done

# --- roaming --------------------------------------------------------------------------------------

for i in x u; do
	b_set $i listen-port 51922
	ok "$i: wireguard-go reaches wgxdp from another port" in_ns b$i ping -q -c 3 -i 0.1 -W 2 \
		10.99.0.1
	is "$i: wgxdp follows" "$(field a$i endpoints)" 192.0.2.2:51922
	is "$i: wgxdp reaches wireguard-go there" "$(answers 10 a$i 10.99.0.2)" 10
	a_set $i listen-port 51921
	ok "$i: wgxdp reaches wireguard-go from another port" in_ns a$i ping -q -c 3 -i 0.1 -W 2 \
		10.99.0.2
	is "$i: wireguard-go follows" "$(field b$i endpoints)" 192.0.2.1:51921
	is "$i: wireguard-go reaches wgxdp there" "$(answers 10 b$i 10.99.0.1)" 10
	in_ns b$i ip address add 192.0.2.22/24 dev eth0
	in_ns b$i ip route replace 192.0.2.1 dev eth0 src 192.0.2.22
	b_set $i peer "$(pub a)" endpoint 192.0.2.1:51921
	ok "$i: wireguard-go reaches wgxdp from another address" in_ns b$i ping -q -c 3 -i 0.1 -W \
		2 10.99.0.1
	is "$i: wgxdp follows" "$(field a$i endpoints)" 192.0.2.22:51922
	is "$i: wgxdp reaches wireguard-go there" "$(answers 10 a$i 10.99.0.2)" 10
done

# --- keepalives: 32 bytes each, counted by the other side -----------------------------------------

received() { field "$1" transfer 2; }
keeps_alive() # SENDER RECEIVER SET PEER
{
	local before
	before=$(received "$2")
	"$3" "${2:1}" peer "$(pub "$4")" persistent-keepalive 1
	ok "${2:1}: $1: keepalives arrive" wait_for 5 eval \
		"[ \$(received $2) -ge $((before + 64)) ]"
	"$3" "${2:1}" peer "$(pub "$4")" persistent-keepalive off
	is "${2:1}: $1: a keepalive has 32 bytes" $((($(received "$2") - before) % 32)) 0
}

for i in x u; do
	keeps_alive "from wgxdp" b$i a_set b
	keeps_alive "from wireguard-go" a$i b_set a
done
sleep 0.1 # time for a keepalive that is still in flight
before="$(received ax) $(received bx) $(received au) $(received bu)"
sleep 1.5
is "with keepalives off nothing is sent" \
	"$(received ax) $(received bx) $(received au) $(received bu)" "$before"

for i in x u; do
	path=xdp
	[ $i = x ] || path=udp
	is "$i: the path is $path, and no packet of the tunnel is dropped" \
		"$(show a$i "$(name a$i)" '"\(.path.rx) \(.path.tx) \(.drops |
			del(.no_peer, .unknown_index, .not_pending))"')" "$path $path {}"
	down a$i "$(name a$i)"
	clean "$i: nothing is left" a$i "$(name a$i)"
done

done_testing
