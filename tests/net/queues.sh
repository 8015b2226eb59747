#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unusual NICs: more receiving than sending queues, a shaper, tc filters, tcx programs, nftables
# chains, netfilter rules that mark packets, IPsec policies, and no native XDP.
#
#   ┌─── a ───┐  4 rx, 1 tx      ┌─── b ───┐
#   │ wgxdp   │ eth0 ═════ eth0  │ wgxdp   │
#   └─────────┘                  └─────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping ethtool nft
need_cryptography

A=${ID}a B=${ID}b
keys a b
link_up()
{
	in_ns a ip address add 192.0.2.1/24 dev eth0
	in_ns b ip address add 192.0.2.2/24 dev eth0
	in_ns a ip link set eth0 up
	in_ns b ip link set eth0 up
	wait_for 5 in_ns a ping -q -c 1 -W 1 192.0.2.2
}

# --- 4 receiving queues, 1 sending queue ----------------------------------------------------------

ns_add a b
ip link add eth0 netns "$ID-a" numrxqueues 4 numtxqueues 1 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 1 numtxqueues 1
ok "a and b reach each other" link_up
ok "a attaches" ours a "$A" --rx xdp --tx xdp < <(conf_a)
ok "b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
ok "no ping is lost" pinged a 10.99.0.2
is "all queues receive" "$(show a "$A" .path.queues)" 4
frames() { in_ns b ip -s -json link show dev eth0 | jq '.[0].stats64.rx.packets'; }
messages() { show a "$A" .path.tx_packets.xsk; }
frames=$(frames) messages=$(messages)
ok "forty flows begin, of three datagrams each" python_begin "flows: " queues.py "$ID-a" "$ID-b"
python_end "flows: "
is "a has lost nothing" "$(show a "$A" '.lost | tojson')" "{}"
holds "every message that a counts as sent has reached b" $(($(messages) - messages)) -le \
	$(($(frames) - frames))
ok "a detaches" down a "$A"
ok "b detaches" down b "$B"
refuses "more workers than sending queues are refused" 1 "a NIC has only 1 queue" in_ns a "$WGXDP" \
	attach eth0 --workers 4 --rx xdp --tx xdp \
	"$(interface a Address=10.98.0.1/24 | conf "${ID}w")"
ip -n "$ID-a" link delete eth0

# --- a shaper on the NIC --------------------------------------------------------------------------

names_qdisc() { show a "$A" .path.why | grep -q 'the qdisc tbf'; }
is_sent_by() { [ "$(show a "$A" .path.tx)" = "$1" ]; }

join a eth0 b eth0
# A chain without rules, and a chain whose marks do not change the route, do not affect the choice
# of the path.
in_ns a nft -f - <<-EOF
	table ip harmless {
		chain empty { type route hook output priority mangle; }
		chain late {
			type filter hook output priority mangle
			udp sport 51821 meta mark set 0x1
		}
	}
EOF
# An egress chain of eth0 without rules, and one of another NIC, do not affect the choice either.
has_egress_hook() # since Linux 5.16
{
	in_ns a nft -f - <<-EOF
		table netdev harmless {
			chain empty { type filter hook egress device "eth0" priority 0; }
			chain loopback {
				type filter hook egress device "lo" priority 0
				udp sport 51821 counter
			}
		}
	EOF
} 2>/dev/null
egress=yes
has_egress_hook || egress=
ok "shaper: a attaches, with busy polling" ours a "$A" --rx xdp --busy-poll 50 < <(conf_a)
is "show says that the workers poll" "$(show a "$A" .path.busy_poll_us)" 50
ok "shaper: b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
is "without a shaper, data is sent by AF_XDP" "$(show a "$A" .path.tx)" xdp
in_ns a tc qdisc add dev eth0 root handle 1: tbf rate 50mbit burst 32kb latency 20ms
ok "with a shaper, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
ok "show says why" wait_for 5 names_qdisc
before=$(in_ns a tc -s -json qdisc show dev eth0 | jq '.[0].packets')
is "pings are answered" "$(answers 20 a 10.99.0.2)" 20
holds "the shaper sees the pings" \
	"$(($(in_ns a tc -s -json qdisc show dev eth0 | jq '.[0].packets') - before))" -ge 20
in_ns a tc qdisc del dev eth0 root
ok "with the shaper removed, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp

filter() { in_ns a tc filter "$1" dev eth0 "$2" protocol ip prio 7 "${@:3}"; } # add|del SIDE ...
names() { show a "$A" .path.why | grep -q "$1"; } # REGEX
is_silent() { [ "$(show a "$A" .path.why)" = null ]; }

in_ns a tc qdisc add dev eth0 clsact
filter add egress u32 match u32 0 0 flowid 1:1
ok "with a filter at egress, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
ok "the log says why" wait_for 5 eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'info: .*would bypass the tc egress filters'"
ok "show says why" wait_for 5 names "bypass the tc egress filters that are configured"
filter del egress
ok "without the filter, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp
filter add ingress u32 match u32 0 0 flowid 1:1
ok "a filter at ingress: show says that AF_XDP bypasses it" \
	wait_for 5 names "bypasses the tc ingress filters that are configured there; --rx udp"
is "data is received by AF_XDP" "$(show a "$A" .path.rx)" xdp
filter del ingress
ok "without the filter, show gives no reason" wait_for 5 is_silent
in_ns a tc qdisc del dev eth0 clsact

# --- BPF programs of others -----------------------------------------------------------------------

by_tcx() # SIDE: attaches a BPF program to the NIC
{
	spawn a "$BUILD/tests/net/tcx" eth0 "$1"
	foreign_program=$!
}
end_tcx() { kill "$foreign_program" && wait "$foreign_program"; } 2>/dev/null

if has_tcx; then
	by_tcx egress
	ok "with a tcx program at egress, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
	ok "show says why" wait_for 5 names "bypass the tc egress filters that are configured"
	end_tcx
	ok "without the tcx program, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp
	by_tcx ingress
	ok "a tcx program at ingress: show says that AF_XDP bypasses it" \
		wait_for 5 names "bypasses the tc ingress filters that are configured there"
	is "data is received by AF_XDP" "$(show a "$A" .path.rx)" xdp
	end_tcx
	ok "without the tcx program, show gives no reason" wait_for 5 is_silent
else
	pass "tcx programs of others # SKIP this kernel has no tcx (Linux 6.6)"
fi

# --- netfilter rules that may mark packets --------------------------------------------------------

mark_rule() # TYPE: adds a chain of this type to OUTPUT, with a rule that marks our packets
{
	in_ns a nft -f - <<-EOF
		table ip marks {
			chain out {
				type $1 hook output priority mangle
				udp sport 51821 meta mark set 0x1
			}
		}
	EOF
}
unmark() { in_ns a nft delete table ip marks; }

ok "a mark that changes the route" mark_rule route
ok "with such a chain, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
ok "show says why" wait_for 5 names 'bypass the nftables chain "marks out" that is configured'
unmark
ok "without the chain, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp
if command -v iptables-legacy >/dev/null; then
	legacy() { in_ns a iptables-legacy -t mangle "$1" OUTPUT -p udp --sport 51821 "${@:2}"; }
	ok "a mark of iptables-legacy" legacy -A -j MARK --set-mark 1
	ok "with such a rule, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
	ok "show names the chain of iptables-legacy" wait_for 5 \
		names 'bypass the chain "mangle OUTPUT" of iptables-legacy'
	ok "the rule is deleted" legacy -D -j MARK --set-mark 1
	ok "without the rule, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp
fi

# --- nftables chains of the NIC -------------------------------------------------------------------

nic_chain() # FAMILY HOOK NICS: adds a chain of these NICs, with a rule that counts our packets
{
	in_ns a nft -f - <<-EOF
		table $1 nic {
			chain $2 {
				type filter hook $2 devices = { $3 } priority 0
				udp sport 51821 counter
			}
		}
	EOF
}
chain_bytes()
{
	in_ns a nft -j list chain netdev nic egress | jq '[.. | .counter? // empty | .bytes] | add'
}

if [ "$egress" ]; then
	ok "an egress chain of the NIC" nic_chain netdev egress eth0
	ok "with such a chain, data is sent by the UDP sockets" wait_for 5 is_sent_by udp
	ok "show says why" wait_for 5 \
		names 'bypass the nftables egress chain "nic egress" that is configured'
	before=$(chain_bytes)
	is "pings are answered" "$(answers 20 a 10.99.0.2)" 20
	holds "the chain sees the bytes of the pings" $(($(chain_bytes) - before)) -ge $((20 * 128))
	in_ns a nft flush chain netdev nic egress
	ok "without rules in the chain, data is sent by AF_XDP again" wait_for 5 is_sent_by xdp
	in_ns a nft delete table netdev nic
else
	pass "egress chains of the NIC # SKIP this kernel has no egress hook (Linux 5.16)"
fi
reopened() { in_ns a "$WGXDP" logs "$A" | grep -c "it is opened again"; }
before=$(reopened)
for family in netdev inet; do
	ok "$family: an ingress chain of two NICs" nic_chain $family ingress "lo, eth0"
	ok "$family: show says that AF_XDP bypasses it" wait_for 5 \
		names 'AF_XDP bypasses the nftables ingress chain "nic ingress" that is configured'
	is "$family: data is received by AF_XDP" "$(show a "$A" .path.rx)" xdp
	in_ns a nft delete table $family nic
	ok "$family: without the chain, show gives no reason" wait_for 5 is_silent
done
is "for an ingress chain the NIC is not opened again" "$(reopened)" "$before"

# --- nftables that cannot be read -----------------------------------------------------------------

# a attaches, but may not open a netfilter socket. This only affects data that `auto` sends.
attach_denied() # OPTION...
{
	in_ns a python3 "$(dirname "$0")/deny_netfilter.py" "$WGXDP" attach eth0 \
		"$(conf_a | conf "$A")" "$@" </dev/null
}
paths_are() { [ "$(show a "$A" '.path | "\(.rx) \(.tx)"')" = "$1" ]; } # "RX TX"

ok "nftables: a detaches" down a "$A"
ok "nftables: a attaches without the right to read it" attach_denied --rx xdp
ok "nftables: XDP receives, and the UDP sockets send" wait_for 5 paths_are "xdp udp"
ok "nftables: show says why" names "until wgxdp can read the nftables chains (Permission denied)"
ok "nftables: a detaches" down a "$A"
ok "nftables: a attaches with --tx udp" attach_denied --rx xdp --tx udp
ok "nftables: XDP receives" paths_are "xdp udp"
ok "nftables: a detaches" down a "$A"
ok "nftables: a attaches with --tx xdp" attach_denied --rx xdp --tx xdp
ok "nftables: XDP receives and sends" paths_are "xdp xdp"
ok "nftables: a detaches" down a "$A"
ok "nftables: a attaches again" ours a "$A" --rx xdp --busy-poll 50 < <(conf_a)
ok "nftables: pings are answered" pinged a 10.99.0.2

# --- IPsec policies -------------------------------------------------------------------------------

way_to_b() { show a "$A" '.peers[0] | "\(.tx) \(.why)"'; }
by_udp() { way_to_b | grep -q '^udp an IPsec policy'; }
by_xdp() { [ "$(way_to_b)" = "xdp null" ]; }
refused_by_ipsec() # succeeds if a ping to b fails because the UDP socket could not send
{
	local before
	before=$(show a "$A" '.drops.send_failed // 0')
	! in_ns a ping -q -c 1 -W 0.2 10.99.0.2 >/dev/null
	wait_for 2 eval "[ \"\$(show a '$A' '.drops.send_failed // 0')\" -gt $before ]"
}
policy() { in_ns a ip xfrm policy "$1" dir out src 192.0.2.1 dst 192.0.2.2 "${@:2}"; } # add|delete

ok "IPsec: data to b is sent by AF_XDP" wait_for 5 by_xdp
policy add proto udp dport 51822 action block
ok "a policy that blocks the outer packets: data takes the UDP socket" wait_for 5 by_udp
ok "the policy refuses what the socket sends" refused_by_ipsec
policy delete proto udp dport 51822
ok "without the policy, data is sent by AF_XDP again" wait_for 5 by_xdp
policy add tmpl src 192.0.2.1 dst 192.0.2.2 proto esp mode transport priority 20
ok "a policy that encrypts: data takes the UDP socket" wait_for 5 by_udp
policy add proto udp priority 10
ok "an earlier policy that allows the packets: data is sent by AF_XDP" wait_for 5 by_xdp
policy delete proto udp
ok "without the earlier policy: data takes the UDP socket" wait_for 5 by_udp
policy delete
policy add proto tcp action block
policy add proto udp dport 9 action block
in_ns a ip xfrm policy add dir in src 192.0.2.2 dst 192.0.2.1 proto tcp action block
ok "policies for other packets have no effect" wait_for 5 by_xdp
ok "shaper: a detaches" down a "$A"
policy add proto udp action block
in_ns a tc qdisc add dev eth0 root handle 1: tbf rate 50mbit burst 32kb latency 20ms
ok "with --tx xdp a attaches" ours a "$A" --rx xdp --tx xdp < <(conf_a)
by_xdp_past_policy() { way_to_b | grep -q '^xdp AF_XDP bypasses an IPsec policy'; }
ok "data is sent by AF_XDP nevertheless, and show names the policy" wait_for 5 by_xdp_past_policy
ok "the log says that IPsec is bypassed" wait_for 5 eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'bypasses an IPsec policy'"
ok "show says that the shaper is bypassed" names 'sent by AF_XDP bypasses the qdisc tbf'
ok "the log says that the shaper is bypassed" eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'tx xdp bypasses the qdisc tbf'"
in_ns a ip xfrm policy flush
ok "shaper: a detaches" down a "$A"
ok "shaper: b detaches" down b "$B"
ip -n "$ID-a" link delete eth0

# --- no native XDP --------------------------------------------------------------------------------

# A veth's driver refuses native XDP if the other side of the pair has more sending queues than the
# NIC has receiving queues. A bridge and a macvlan have no native XDP.
without_native() # KIND
{
	case $1 in
	veth)
		ip link add eth0 netns "$ID-a" numrxqueues 1 numtxqueues 1 type veth \
			peer name eth0 netns "$ID-b" numrxqueues 4 numtxqueues 4
		;;
	*)
		ip link add up0 netns "$ID-a" type veth peer name eth0 netns "$ID-b"
		in_ns a ip link set up0 up
		;;&
	bridge)
		in_ns a ip link add eth0 type bridge
		in_ns a ip link set up0 master eth0
		;;
	macvlan) in_ns a ip link add eth0 link up0 type macvlan mode bridge ;;
	esac
	link_up
}

declare -A refusals=([veth]="needs as many as the other end has sending queues"
	[bridge]="native" [macvlan]="native")
for kind in veth bridge macvlan; do
	ok "$kind: a and b reach each other" without_native $kind
	ok "$kind: a attaches" ours a "$A" < <(conf_a)
	is "$kind: auto does not use generic XDP" \
		"$(show a "$A" '.path | "\(.rx) \(.xdp_mode)"')" "udp null"
	ok "$kind: show says why" eval \
		"show a '$A' .path.why | grep -q 'eth0: .*${refusals[$kind]}'"
	refuses "$kind: forced XDP is refused" 1 "native" in_ns a "$WGXDP" attach eth0 --rx xdp \
		\
	"$(interface a Address=10.98.0.1/24 | conf "${ID}w")"
	ok "$kind: b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
	ok "$kind: no ping is lost" pinged a 10.99.0.2
	is "$kind: pings are answered" "$(answers 20 a 10.99.0.2)" 20
	ok "$kind: a detaches" down a "$A"
	ok "$kind: b detaches" down b "$B"
	if [ $kind = veth ]; then
		in_ns b ip link set eth0 mtu 9000
		refuses "veth: the other end's MTU is too large" 1 "MTU of the other end" \
			in_ns a "$WGXDP" attach eth0 --rx xdp "$TMP/${ID}w.conf"
	fi
	in_ns b ip link delete eth0
	in_ns a ip link delete eth0 2>/dev/null
	in_ns a ip link delete up0 2>/dev/null
done
clean "nothing is left" a "$A"

# --- a driver that refuses at first ---------------------------------------------------------------

# A veth refuses native XDP while it has fewer receiving queues than its peer has sending queues.
ip link add eth0 netns "$ID-a" numrxqueues 2 numtxqueues 2 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 2 numtxqueues 2
in_ns a ethtool -L eth0 rx 1
ok "refused: a and b reach each other" link_up
ok "refused: a attaches" ours a "$A" < <(conf_a)
is "refused: data takes the UDP sockets" "$(show a "$A" .path.rx)" udp
in_ns a ethtool -L eth0 rx 2
receives_by() { [ "$(show a "$A" '.path | "\(.queues) \(.xdp_mode)"')" = "$1" ]; }
ok "refused: with enough queues, XDP is used" wait_for 5 receives_by "2 native"
ok "refused: a detaches" down a "$A"
in_ns a ip link delete eth0

# A veth also refuses native XDP while the MTU of its other end is too large. No event reports a
# change of that MTU, so the daemon asks the driver again every 10 s. The daemon also tries XDP once
# after each change of an offload or of its own NIC's MTU, and logs the reason if XDP is refused.
refusals_in_log()
{
	in_ns a "$WGXDP" logs "$A" | grep -c "goes through the UDP sockets: .*MTU of the other end"
}
has_logged() { [ "$(refusals_in_log)" = "$1" ]; } # COUNT

join a eth0 b eth0
in_ns b ip link set eth0 mtu 9000
ok "other end: a attaches" ours a "$A" < <(conf_a)
ok "other end: b attaches" ours b "$B" --rx udp --tx udp < <(conf_b)
is "other end: XDP is refused, and data takes the UDP sockets" \
	"$(show a "$A" .path.rx) $(refusals_in_log)" "udp 1"
ok "other end: pings are answered" pinged a 10.99.0.2
pinged a 10.99.0.2 500 0.01 >/dev/null &
ok "other end: an offload is switched during pings" in_ns a ethtool -K eth0 rx-gro-list on
ok "other end: after that a tries XDP again" wait_for 5 has_logged 2
ok "other end: the MTU of a's end is changed" in_ns a ip link set eth0 mtu 1490
ok "other end: after that a tries XDP once more" wait_for 5 has_logged 3
ok "other end: no ping is lost" wait $!
ok "other end: its MTU is lowered" in_ns b ip link set eth0 mtu 1500
ok "other end: after that XDP is used" wait_for 20 receives_by "1 native"
is "other end: a tried only after the changes" "$(refusals_in_log)" 3
ok "other end: pings are answered" pinged a 10.99.0.2
ok "other end: a detaches" down a "$A"
ok "other end: b detaches" down b "$B"
clean "nothing is left" a "$A"

done_testing
