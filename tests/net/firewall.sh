#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# Tests each statement of docs/firewall.md about the host's packet filter, on both paths.
#
#   ┌────────── a ──────────┐            ┌────── b ──────┐
#   │ wgxdp, 10.99.0.1      │            │ wgxdp         │
#   │ nft: counts, drops    │            │ 10.99.0.2     │
#   │ 192.0.2.1        eth0 ════════ eth0 192.0.2.2      │
#   └───────────────────────┘            └───────────────┘
#
# LONG=1 also tests how long data flows after the packet filter begins to drop handshakes.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping nft bash

A=${ID}a B=${ID}b
keys a b
ns_add a b
join a eth0 b eth0

up_a() { ours a "$A" --rx "$1" --tx "$2" < <(conf_a); } # RX TX

up_b() # [ENDPOINT]
{
	ours b "$B" --rx udp --tx udp < <(conf_b Endpoint="${1-}")
}

rule() { in_ns a nft add rule inet host "$@"; }

chains()
{
	in_ns a nft -f - <<-EOR
		flush ruleset
		table inet host {
			chain seen_in { type filter hook input priority filter - 10; }
			chain seen_out { type filter hook output priority filter - 10; }
			chain in { type filter hook input priority filter; }
			chain out { type filter hook output priority filter; }
		}
	EOR
}

# Counts the messages by type. The first byte of the UDP payload is the message type.
count_types()
{
	local type
	chains
	for type in 1 2 4; do
		rule seen_in udp dport 51821 @th,64,8 $type counter comment "\"i$type\""
		rule seen_out udp sport 51821 @th,64,8 $type counter comment "\"o$type\""
	done
	rule seen_in udp dport 51821 counter comment '"in"'
}

counted() # COMMENT [bytes]: prints the packets (or bytes) that the rule with COMMENT has counted
{
	in_ns a nft -j list table inet host |
		jq --arg comment "$1" "[.. | .rule? // empty | select(.comment == \$comment) |
			.expr[].counter? // empty | .${2:-packets}] | add"
}

pings() # FROM COUNT [-W S]: prints how many pings are answered
{
	local to=10.99.0.2
	[ "$1" = a ] || to=10.99.0.1
	answers "$2" "$1" "${@:3}" $to
}

blocked() # FROM: prints how many of three pings are answered; waits at most 1 s for the answers
{
	pings "$1" 3 -W 1
}

answered() { [ "$(pings "$1" 1)" -eq 1 ]; }

dropped() { [ "$(drops "$1")" -eq "$2" ]; }
drops() { show a "$A" ".drops.$1 // 0"; }

# --- what netfilter sees --------------------------------------------------------------------------

seen() # PATH
{
	local before
	count_types
	ok "$1: b attaches" up_b
	ok "$1: a attaches" up_a "$1" "$1"
	is "$1: 101 pings are answered" "$(pings a 101)" 101
	is "$1: OUTPUT sees the initiation, and INPUT the response" "$(counted o1) $(counted i2)" \
		"1 1"
	if [ "$1" = xdp ]; then
		is "$1: INPUT sees no data" "$(counted i4)" 0
		holds "$1: OUTPUT sees one data message, which refreshes the conntrack entry" \
			"$(counted o4)" -le 1
	else
		# With UDP segmentation, several messages may pass netfilter as one packet, so the
		# bytes are compared.
		holds "$1: INPUT sees the bytes of the data" "$(counted i4 bytes)" -ge \
			$((101 * 128))
		holds "$1: OUTPUT sees the bytes of the data" "$(counted o4 bytes)" -ge \
			$((101 * 128))
	fi
	before=$(counted in)
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		# shellcheck disable=SC2016
		in_ns b bash -c 'printf junk >/dev/udp/192.0.2.1/51821'
	done
	ok "$1: a datagram that is no WireGuard message is dropped and counted" wait_for 5 dropped \
		malformed 10
	is "$1: INPUT does not see that datagram" "$(counted in)" "$before"
	chains
	rule in iifname "$A" drop
	is "$1: a rule on the tunnel's interface takes effect" "$(blocked b)" 0
	chains
}

# Sends 20 pings. Prints how many of the 40 requests and replies a tap on NIC sees. With UDP
# segmentation, messages that were sealed together reach the tap as one packet. The number of
# messages is therefore computed from the bytes: the message of a ping has 128 bytes.
tapped() # NIC
{
	in_ns a /usr/bin/python3 -c '
import socket, subprocess, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
tap.bind((sys.argv[1], 3))
subprocess.run(["ping", "-q", "-c", "20", "-i", "0.01", "-W", "5", "10.99.0.2"], check=True,
               stdout=subprocess.DEVNULL)
tap.settimeout(0.5)
seen = 0
try:
    while seen < 40:
        packet = tap.recv(65535)
        if packet[9] == 1:
            seen += 1
        elif packet[9] == 17 and packet[28] == 4:
            seen += (len(packet) - 28) // 128
except TimeoutError:
    pass
print(seen)' "$1"
}

taps() # PATH
{
	is "$1: a tap on the tunnel's interface sees all packets" "$(tapped "$A")" 40
	if [ "$1" = xdp ]; then
		# One data message in 20 s goes through the UDP socket, and the tap may see it.
		holds "$1: a tap on the NIC sees no data" "$(tapped eth0)" -le 1
	else
		is "$1: a tap on the NIC sees the encrypted messages" "$(tapped eth0)" 40
	fi
}

# --- a DROP rule that is added while the tunnel is up ---------------------------------------------

late_in() # PATH
{
	rule in udp dport 51821 counter drop
	if [ "$1" = xdp ]; then
		is "$1: with DROP in INPUT data still comes in" "$(pings b 100)" 100
		is "$1: with DROP in INPUT data still goes out" "$(pings a 100)" 100
	else
		is "$1: with DROP in INPUT no data comes in" "$(blocked a)" 0
	fi
	down b "$B"
	up_b 192.0.2.1:51821
	is "$1: with DROP in INPUT no handshake comes in" "$(blocked b)" 0
	chains
	down b "$B"
	up_b 192.0.2.1:51821
	ok "$1: without the rule a handshake comes in" answered b
}

late_out() # PATH
{
	local before
	rule out udp sport 51821 counter drop
	before=$(drops send_failed)
	if [ "$1" = xdp ]; then
		# One message in 20 s goes through the UDP socket, and may be one of these pings.
		holds "$1: with DROP in OUTPUT data still goes out" "$(pings a 100)" -ge 99
		holds "$1: at most the one message by the UDP socket is dropped" \
			"$(($(drops send_failed) - before))" -le 1
	else
		is "$1: with DROP in OUTPUT no data goes out" "$(blocked a)" 0
		is "$1: data that OUTPUT refuses is counted" "$(($(drops send_failed) - before))" 3
	fi
	chains
}

cut_off() # PATH
{
	local received drops
	received=$(show b "$B" '.peers[0].rx_bytes')
	drops=$(drops unknown_index)
	in_ns a wg set "$A" peer "$(pub b)" remove
	is "$1: a removed peer gets no answer" "$(blocked b)" 0
	is "$1: the removed peer's packets are dropped" "$(($(drops unknown_index) - drops))" 3
	is "$1: the removed peer is not reached" "$(blocked a)" 0
	is "$1: nothing is sent to the removed peer" "$(show b "$B" '.peers[0].rx_bytes')" \
		"$received"
}

for path in xdp udp; do
	seen $path
	taps $path
	late_out $path
	late_in $path
	cut_off $path
	down a "$A"
	down b "$B"
done
# --- how long data flows without handshakes -------------------------------------------------------

if [ -n "${LONG-}" ]; then
	up_b
	up_a xdp xdp
	is "a reaches b" "$(pings a 1)" 1
	rule in udp dport 51821 drop
	in_ns a ping -q -i 0.5 -w 215 10.99.0.2 >"$TMP/ping"
	got=$(sed -n 's/.* \([0-9]*\) received.*/\1/p' "$TMP/ping")
	# At most one ping per 0.5 s is answered, until 180 s after the handshake.
	holds "without handshakes data flows for no more than 180 s" "$got" -le 361
	holds "without handshakes data flows for at least 170 s" "$got" -ge 340
fi
done_testing
