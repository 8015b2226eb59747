#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Packets for a peer without a session are staged: up to 128, in order. The 129th replaces the
# oldest. With LONG=1 (tests/long/staging.sh) the test also shows that staged packets are dropped
# when the handshake is given up, that packets for 10,000 peers which never answer take only bounded
# memory, and that each of these packets is counted.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: nothing, then wgxdp 10.99.0.2

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq

STAGED_PER_PEER=128
A=${ID}a B=${ID}b

attach() # NS INTERFACE PEER HOST PATH
{
	local other=$((3 - $4))
	ours "$1" "$2" --rx "$5" --tx "$5" < <(
		interface "$1" ListenPort=51820 Address="10.99.0.$4/24"
		peer "$3" AllowedIPs="10.99.0.$other/32" Endpoint="192.0.2.$other:51820")
}

drops() # INTERFACE REASON
{
	show a "$1" ".drops.$2 // 0"
}

dropped() { [ "$(drops "$1" "$2")" = "$3" ]; }

listen() # COUNT: receives this many datagrams in b, and prints their numbers to $TMP/received
{
	spawn b /usr/bin/python3 tests/net/staging.py receive "$1" 20 >"$TMP/received" \
		2>"$TMP/ready"
	listener=$!
	wait_for 5 grep -q ready "$TMP/ready"
}

ns_add a b
join a eth0 b eth0
keys a b
for path in xdp udp; do
	attach a "$A" b 1 $path
	listen $STAGED_PER_PEER
	in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.2 1 $STAGED_PER_PEER
	ok "$path: $STAGED_PER_PEER packets are staged" dropped "$A" staged_full 0
	in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.2 $((STAGED_PER_PEER + 1)) 1
	ok "$path: one more packet replaces another" wait_for 5 dropped "$A" staged_full 1
	attach b "$B" a 2 $path
	wait $listener
	is "$path: all packets but the oldest arrive in order" "$(cat "$TMP/received")" \
		"$(seq -s' ' 2 $((STAGED_PER_PEER + 1)))"
	ok "$path: no other packet is dropped" dropped "$A" staged_full 1
	ok "$path: no packet is given up" dropped "$A" no_session 0
	down a "$A"
	down b "$B"
done

# No handshake is possible with a public key of low order, so nothing is staged and the sender gets
# an error.
attach a "$A" b 1 udp
in_ns a wg set "$A" peer "$(printf '\1%.0s' 1 | cat - <(head -c 31 /dev/zero) | base64)" \
	allowed-ips 10.99.0.3/32 endpoint 192.0.2.2:51820
in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.3 1 1
ok "a packet for a peer with a key of low order is refused at once" wait_for 5 dropped "$A" \
	no_endpoint 1
in_ns a wg set "$A" private-key /dev/null
in_ns a wg set "$A" private-key "$TMP/b.key"
in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.3 1 1
# The daemon computes with the new private key only when a handshake is due. So the first packet may
# be staged, and is dropped when the handshake turns out to be impossible.
both() { [ $(($(drops "$A" no_endpoint) + $(drops "$A" no_session))) = 2 ]; }
ok "after the private key changes, a packet is dropped" wait_for 5 both
refused=$(drops "$A" no_endpoint)
in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.3 1 1
ok "the next packet is refused at once" wait_for 5 dropped "$A" no_endpoint $((refused + 1))
down a "$A"
[ "${LONG-}" ] || done_testing

# --- given up -------------------------------------------------------------------------------------

for path in xdp udp; do
	attach a "$A" b 1 $path
	in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.2 1 7
	ok "$path: seven staged packets are dropped when the handshake is given up" \
		wait_for 110 dropped "$A" no_session 7
	attach b "$B" a 2 $path
	listen 2
	in_ns a /usr/bin/python3 tests/net/staging.py send 10.99.0.2 100 2
	wait $listener
	is "$path: only later packets arrive" "$(cat "$TMP/received")" "100 101"
	down a "$A"
	down b "$B"
done

# --- 10,000 peers ---------------------------------------------------------------------------------

PEERS=10000 ROUNDS=10 BYTES=1000
COST=$((16 + 28 + BYTES + 16))                # bytes that stage.c counts for each staged packet
HELD=$((64 * 1024 * 1024 / COST))             # packets that fit into STAGED_BYTES

many_peers()
{
	interface a Table=off Address=10.98.0.1/32
	/usr/bin/python3 - $PEERS <<-'EOF'
		import base64, os, sys
		for i in range(int(sys.argv[1])):
		    print("[Peer]\nPublicKey =", base64.b64encode(os.urandom(32)).decode())
		    print(f"AllowedIPs = 10.99.{i >> 8}.{i & 255}/32")
		    print(f"Endpoint = 203.0.113.1:{1024 + i}")
	EOF
}

rss_kib() { awk '/^VmRSS/ {print $2}' "/proc/$daemon/status"; }
offered() { in_ns a ip -s -j link show dev "$A" | jq '.[0].stats64.tx.packets'; }
counted() { echo $(($(drops "$A" staged_full) + $(drops "$A" no_session))); }
all_counted() { [ "$(counted)" = "$1" ]; }

in_ns a ip route add 203.0.113.0/24 via 192.0.2.2
many_peers | ours a "$A" --rx udp --tx udp
in_ns a ip link set "$A" txqueuelen 10000
in_ns a ip route add 10.99.0.0/16 dev "$A"
daemon=$(daemon_pid a "$A")
before=$(rss_kib)
for ((round = 0; round < ROUNDS; round++)); do
	in_ns a /usr/bin/python3 tests/net/staging.py many $PEERS $BYTES
done
sent=$(offered)
is "$ROUNDS packets for each of $PEERS peers reach the tunnel" "$sent" $((PEERS * ROUNDS))
ok "packets beyond the common bound are counted as dropped" \
	wait_for 10 dropped "$A" staged_full $((sent - HELD))
after=$(rss_kib)
diag "VmRSS: $before KiB before, $after KiB while $HELD packets are staged"
holds "memory grows at most by 64 MiB and the cost of 10,000 handshakes, in KiB" \
	$((after - before)) -le 102400
ok "when the handshakes are given up, every packet is counted" wait_for 240 all_counted "$sent"
in_ns a /usr/bin/python3 tests/net/staging.py many $PEERS $BYTES
ok "one more packet for each peer is counted, too" \
	wait_for 240 all_counted $((sent + PEERS))
holds "memory does not grow further, in KiB" $(($(rss_kib) - after)) -le 10240
down a "$A"
done_testing
