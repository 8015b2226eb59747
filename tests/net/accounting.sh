#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Every packet that reaches the tunnel, from either side, is either passed on or counted once as
# dropped.
#
#   ┌───────────── a ─────────────┐            ┌─────── b ───────┐
#   │ wgxdp   10.99.0.1  fd99::1  │            │ accounting.py   │
#   │ :51821  192.0.2.1       eth0 ════════ eth0 192.0.2.2       │
#   └─────────────────────────────┘    veth    └─────────────────┘
#
# First, 100,000 packets cross each combination of paths: a fifth of them go out, and the others,
# good and bad, come in. Then the drop reasons and the kinds of loss by the kernel are caused one by
# one. The test cannot cause these:
#
#   oversized     the receive buffer holds the largest possible datagram
#   tun_full      a TUN device accepts any number of written packets
#   tx_full       the worker reaps completions before it gives up, and a veth never keeps a frame
#   no_resources  memory and map entries do not run out
#   tun_rx        nothing on the host refuses an IP packet from the tunnel interface
#   loop          needs a change of routes; tunnel_loop.sh causes it

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq bpftool ip
need_cryptography
ns_add a b
join a eth0 b eth0
A=${ID}a
B=${ID}b
keys a b forger second silent lost
wg genpsk >"$TMP/psk"

up() # RX TX
{
	ours a "$A" --rx "$1" --tx "$2" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer forger PresharedKey="$(cat "$TMP/psk")" AllowedIPs=10.99.0.2/32,fd99::2/128
		peer silent AllowedIPs=10.99.0.3/32,fd99::3/128 Endpoint=192.0.2.2:9
		peer lost AllowedIPs=10.99.0.4/32)
}

# The peer "second" has addresses within the prefixes of the peer "forger".
up_nested() # PATH
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer second AllowedIPs=10.99.0.5/32,fd99::5/128
		peer forger PresharedKey="$(cat "$TMP/psk")" AllowedIPs=10.99.0.0/24,fd99::/64)
}

sender() # PREFIX VERB ARGUMENT
{
	local prefix=$1
	shift
	python_tap "$prefix: " accounting.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" "$TMP" "$@"
}

for rx in xdp udp; do
	for tx in xdp udp; do
		ok "rx $rx, tx $tx: attach succeeds" up $rx $tx
		sender "rx $rx, tx $tx" mixed "${PACKETS:-100000}"
		down a "$A"
	done
done

for path in xdp udp; do
	ok "$path: attach succeeds" up $path $path
	sender "$path" reasons $path
	down a "$A"
	clean "$path: nothing is left" a "$A"
done

for path in xdp udp; do
	ok "$path: attach succeeds" up_nested $path
	sender "$path" sources $path
	down a "$A"
done

# --- the byte counts of `wg show` -----------------------------------------------------------------

up_pair() # NS INTERFACE NUMBER PATH OTHER NUMBER-OF-OTHER
{
	ours "$1" "$2" --rx "$4" --tx "$4" < <(
		interface "$1" ListenPort="5182$3" Address="10.99.0.$3/24"
		peer "$5" AllowedIPs="10.99.0.$6/32" Endpoint="192.0.2.$6:5182$6")
}

transfer() { in_ns "$1" wg show "$2" transfer | cut -f 2,3 | tr '\t' ' '; }

inner_bytes()
{
	in_ns "$1" ip -j -s link show dev "$2" | jq -r '.[0].stats64 | "\(.rx.bytes) \(.tx.bytes)"'
}

# A handshake takes 148 and 92 bytes. Each of ten pings has 84 bytes and becomes a message of 128
# bytes. The initiator's first data message confirms the session. It is the first ping, or a
# keepalive of 32 bytes if the initiator sends one before the ping.
for path in xdp udp; do
	ok "$path: attach succeeds in a" up_pair a "$A" 1 $path b 2
	ok "$path: attach succeeds in b" up_pair b "$B" 2 $path a 1
	ok "$path: ten pings are answered" in_ns a ping -q -c 10 -i 0.02 -W 5 10.99.0.2
	case $(transfer a "$A") in
	"1372 1428") keepalive=0 ;;
	*) keepalive=32 ;;
	esac
	is "$path: wg shows the bytes that the initiator received and sent" "$(transfer a "$A")" \
		"1372 $((1428 + keepalive))"
	is "$path: wg shows the bytes that the responder received and sent" "$(transfer b "$B")" \
		"$((1428 + keepalive)) 1372"
	is "$path: the initiator's interface counts the inner bytes" "$(inner_bytes a "$A")" \
		"840 840"
	is "$path: the responder's interface counts the inner bytes" "$(inner_bytes b "$B")" \
		"840 840"
	is "$path: neither side drops a packet" "$(show a "$A" .dropped) $(show b "$B" .dropped)" \
		"0 0"
	down a "$A"
	down b "$B"
done

done_testing
