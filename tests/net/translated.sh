#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The host translates its own outer packets (source NAT). AF_XDP would send them untranslated, so
# data takes the UDP socket, whatever --tx says. The daemon learns from conntrack that its packets
# are translated.
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

pings() # FROM COUNT: prints how many pings are answered
{
	local to=10.99.0.2
	[ "$1" = a ] || to=10.99.0.1
	answers "$2" "$1" $to
}

no_translation() { in_ns a nft flush ruleset; }

# Removes the rules, and waits until conntrack has forgotten the translated flow.
forget()
{
	no_translation
	forgotten a "sport=51821" $((FORGETS_S + 1))
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
	is "$what: a's pings are answered" "$(pings a 20)" 20
	is "$what: b sees the translated endpoint" "$(endpoint_of_a)" "$3"
	is "$what: b's pings are answered" "$(pings b 20)" 20
	is "$what: b still sees the translated endpoint" "$(endpoint_of_a)" "$3"
	[ "$2" = udp ] ||
		is "$what: show says that data takes the UDP socket because of NAT" "$(way_to_b)" \
			"udp the host translates packets to the peer (NAT)"
}

# Makes a's daemon begin a new handshake. If b began it, NAT would not translate a's answers.
begin_anew()
{
	in_ns a ip link set "$A" down
	# Wait until the daemon has closed its socket.
	wait_for 5 eval "[ -z \"\$(in_ns a ss -Hlun 'sport = 51821')\" ]"
	sleep 0.1 # b ignores a second initiation within 20 ms
	in_ns a ip link set "$A" up
	[ "$(pings a 1)" -eq 1 ]
}

# NAT rules change while the tunnel is up. The daemon notices at the next handshake.
late_translation()
{
	forget
	up_b
	up_a xdp xdp
	is "before SNAT: a ping is answered" "$(pings a 1)" 1
	is "before SNAT: data takes AF_XDP" "$(way_to_b)" "xdp null"
	translate 192.0.2.77:51821
	ok "SNAT: another handshake succeeds" begin_anew
	is "SNAT: a's pings are answered" "$(pings a 20)" 20
	is "SNAT: data takes the UDP socket" "$(way_to_b)" \
		"udp the host translates packets to the peer (NAT)"
	is "SNAT: b sees the translated endpoint" "$(endpoint_of_a)" 192.0.2.77:51821
	# When the conntrack entry has expired, the daemon still assumes that the flow is
	# translated. The daemon checks this again only after another handshake.
	forgotten a "sport=51821" $((FORGETS_S + 1))
	conf "$A" < <(conf_a Name=bob) >/dev/null
	ok "SNAT: a reload gives the peer a name" in_ns a "$WGXDP" reload "$A"
	is "SNAT: the peer has the name" "$(show a "$A" '.peers[0].name')" bob
	is "SNAT: data still takes the UDP socket" "$(way_to_b)" \
		"udp the host translates packets to the peer (NAT)"
	forget
	ok "after SNAT: another handshake succeeds" begin_anew
	is "after SNAT: a's pings are answered" "$(pings a 20)" 20
	is "after SNAT: data takes AF_XDP again" "$(way_to_b)" "xdp null"
}

translate 192.0.2.77:6000 # loads conntrack, so that its settings exist
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

clean "nothing is left" a "$A"
done_testing
