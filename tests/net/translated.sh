#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A host that translates (source NAT) its own outer packets. What leaves by AF_XDP would leave as it
# is, so data to such a peer takes the UDP socket, whatever --tx says: connection tracking tells.
#
#   ┌────────── a ──────────┐            ┌────── b ──────┐
#   │ wgxdp, 10.99.0.1      │            │ wgxdp         │
#   │ nft: snat to .77      │            │ 10.99.0.2     │
#   │ 192.0.2.1, .77   eth0 ════════ eth0 192.0.2.2      │
#   └───────────────────────┘    veth    └───────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping nft

FORGETS_S=2
A=${ID}a B=${ID}b
keys a b
ns_add a b
join a eth0 b eth0
in_ns a ip address add 192.0.2.77/24 dev eth0

up_a() { ours a "$A" --rx "$1" --tx "$2" < <(conf_a); } # RX TX

up_b() { ours b "$B" --rx udp --tx udp < <(conf_b); }

pings() # FROM COUNT: how many are answered
{
	local to=10.99.0.2
	[ "$1" = a ] || to=10.99.0.1
	answers "$2" "$1" -W 1 $to
}

no_translation() { in_ns a nft flush ruleset; }

# What was translated stays in the tables for this long.
forget()
{
	no_translation
	sleep $((FORGETS_S + 1))
}

translate() # ADDRESS:PORT
{
	in_ns a nft -f - <<-EOR
		table ip translate {
			chain out {
				type nat hook postrouting priority srcnat
				udp sport 51821 snat to $1
			}
		}
	EOR
}

endpoint_of_a() { in_ns b wg show "$B" endpoints | cut -f 2; }
way_to_b() { show a "$A" '.peers[0] | "\(.tx) \(.why)"'; }

translated() # RX TX ADDRESS:PORT
{
	local what="SNAT to $3, rx $1, tx $2"
	translate "$3"
	up_b
	up_a "$1" "$2"
	is "$what: pings out" "$(pings a 20)" 20
	is "$what: b sees it there" "$(endpoint_of_a)" "$3"
	is "$what: pings in" "$(pings b 20)" 20
	is "$what: and still" "$(endpoint_of_a)" "$3"
	[ "$2" = udp ] ||
		is "$what: since data takes the UDP socket" "$(way_to_b)" \
			"udp the host translates what goes to it (NAT)"
}

# By a: what b begins is not translated.
begin_anew()
{
	in_ns a ip link set "$A" down
	wait_for 5 eval "[ -z \"\$(in_ns a ss -Hlun 'sport = 51821')\" ]" # it was seen
	sleep 0.1 # b takes no second initiation within 50 ms
	in_ns a ip link set "$A" up
	[ "$(pings a 1)" -eq 1 ]
}

# Rules that come and go while the tunnel is up: seen with the next handshake.
late_translation()
{
	forget
	up_b
	up_a xdp xdp
	is "no SNAT yet: a ping" "$(pings a 1)" 1
	is "no SNAT yet: data by AF_XDP" "$(way_to_b)" "xdp null"
	translate 192.0.2.77:51821
	ok "SNAT: another handshake" begin_anew
	is "SNAT: pings out" "$(pings a 20)" 20
	is "SNAT: by the UDP socket" "$(way_to_b)" "udp the host translates what goes to it (NAT)"
	is "SNAT: b sees it" "$(endpoint_of_a)" 192.0.2.77:51821
	forget
	ok "no SNAT any more: another handshake" begin_anew
	is "no SNAT any more: pings out" "$(pings a 20)" 20
	is "no SNAT any more: data by AF_XDP" "$(way_to_b)" "xdp null"
}

translate 192.0.2.77:6000 # the settings are there once somebody tracks
in_ns a sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$FORGETS_S" \
	"net.netfilter.nf_conntrack_udp_timeout_stream=$FORGETS_S"
no_translation
for ways in "udp udp" "xdp udp" "xdp xdp"; do
	# shellcheck disable=SC2086
	translated $ways 192.0.2.77:6000
	no_translation
	down a "$A"
	down b "$B"
done
late_translation
down a "$A"
down b "$B"

clean "nothing left" a "$A"
done_testing
