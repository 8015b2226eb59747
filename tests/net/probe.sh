#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `wgxdp probe` reports what a NIC offers, the path that `auto` takes and the reason, and commands
# that would lead to a better path. probe changes nothing, and a later `attach` takes the path that
# probe has reported.
#
#   a: eth0, 1 of 4 queues ═══ eth0 :b
#   a: br0 ── up0 ════════════ up0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip tc nft jq ethtool setpriv ss

A=${ID}a
ns_add a b
ip link add eth0 netns "$ID-a" numrxqueues 4 numtxqueues 4 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 4 numtxqueues 1
in_ns a ethtool -L eth0 rx 1 tx 1
ip link add up0 netns "$ID-a" type veth peer name up0 netns "$ID-b"
in_ns a ip link add br0 type bridge
in_ns a ip link set up0 master br0
for ns in a b; do
	in_ns $ns ip link set eth0 up
	in_ns $ns ip link set up0 up
done
in_ns a ip link set br0 up
in_ns a ip address add 192.0.2.1/24 dev eth0
in_ns b ip address add 192.0.2.2/24 dev eth0
keys a b

probe() { in_ns a "$WGXDP" probe "${1-eth0}" --json | jq -r "${2-.}"; } # [NIC [FILTER]]
paths() { probe "${1-eth0}" '"\(.rx) \(.tx)"'; }
commands() { probe eth0 '[.advice[].command] | join("\n")'; }
sockets() { probe eth0 '.sockets | if . then join("; ") else "unknown" end'; }
why() { probe "${1-eth0}" '.why // ""'; }
says() { why "$2" | grep -qE -- "$1"; } # REGEX NIC
state() # prints all that probe might change
{
	in_ns a ip -d -o link show dev eth0 2>/dev/null
	in_ns a ethtool -k eth0
	in_ns a ethtool -l eth0
	in_ns a nft list ruleset
	in_ns a tc qdisc
	find "$RUN" "$PINS" -name "$ID*" 2>/dev/null
}
is_unchanged() { diff "$TMP/before" <(state); }

# --- what probe reports ---------------------------------------------------------------------------

state >"$TMP/before"
is "probe shows driver, MTU and channels" \
	"$(probe eth0 '"\(.driver) \(.mtu) \(.channels.rx)/\(.channels.rx_max)"')" "veth 1500 1/4"
is "offloads have the kernel's names" "$(probe eth0 '.offloads["rx-lro"] | tojson')" \
	'{"on":false,"fixed":true}'
native=$(probe eth0 .native_xdp) # null before Linux 6.3
is "zero-copy is not offered by veth" "$(probe eth0 .zero_copy)" "${native/true/false}"
is "nothing keeps auto from AF_XDP" "$(paths)" "xdp xdp"
cpus=$(nproc)
wanted=$((cpus < 4 ? cpus : 4))
if [ "$wanted" -gt 1 ]; then
	is "probe prints the command for a queue per worker" "$(commands)" \
		"ethtool -L eth0 rx $wanted tx $wanted"
	in_ns a "$WGXDP" probe eth0 >"$TMP/text"
	ok "the text has that command, too" grep -qxF \
		"    ethtool -L eth0 rx $wanted tx $wanted" "$TMP/text"
fi
refuses "the text has the paths" 0 "^  auto: rx xdp, tx xdp$" in_ns a "$WGXDP" probe eth0
is "without the tests' switch, veth takes the UDP sockets" "$(
	unset WGXDP_VETH_AS_NIC
	paths
)" "udp udp"
is "a second NIC is an object on a line of its own" "$(probe eth0,br0 .nic | xargs)" "eth0 br0"
in_ns a ip route add default via 192.0.2.2
is "without a name: the NIC of the default route" \
	"$(in_ns a "$WGXDP" probe --json | jq -r .nic)" eth0
in_ns a ip route delete default
ok "probe has changed nothing" is_unchanged

# --- refused --------------------------------------------------------------------------------------

refuses "probe needs a NIC if there is no default route" \
	1 "no default route.*wgxdp probe NIC" in_ns a "$WGXDP" probe
refuses "probe refuses an unknown NIC" \
	1 "^wgxdp: nope0: there is no such interface; .ip link. lists" \
	in_ns a "$WGXDP" probe nope0
refuses "probe refuses an unknown option" \
	2 "^wgxdp: --all: unexpected argument; usage: wgxdp probe" \
	in_ns a "$WGXDP" probe --all
refuses "probe refuses two lists" 2 "usage: wgxdp probe" in_ns a "$WGXDP" probe eth0 br0

# --- obstacles ------------------------------------------------------------------------------------

if [ "$native" = true ]; then
	is "a bridge: data takes the UDP sockets" "$(paths br0)" "udp udp"
	ok "a bridge: probe says that it has no native XDP" \
		says "^br0: bridge offers no native XDP" br0
else
	pass "a bridge: before Linux 6.3 only attach finds out"
fi

in_ns a tc qdisc add dev eth0 root handle 1: tbf rate 50mbit burst 32kb latency 20ms
is "a shaper: data is received by AF_XDP and sent by the UDP sockets" "$(paths)" "xdp udp"
ok "the reason is worded as in show" \
	says "AF_XDP would bypass the qdisc tbf that is configured" eth0
ok "probe prints the command that bypasses the shaper" \
	eval "commands | grep -qx 'wgxdp attach --tx xdp eth0 CONF'"
in_ns a tc qdisc delete dev eth0 root

in_ns a nft -f - <<-EOF
	table ip t {
		chain marks { type route hook output priority 0; meta l4proto udp meta mark set 7; }
		chain source { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
		chain unused { type route hook output priority 1; }
	}
EOF
is "probe lists what AF_XDP would bypass of netfilter" "$(probe eth0 '.bypassed | join("; ")')" \
	'the nftables chain "t marks"; translation by the nf_tables chain t source'
is "a chain that may mark packets: data is sent by the UDP sockets" "$(paths)" "xdp udp"
in_ns a nft flush chain ip t marks
is "a chain without rules bypasses nothing" "$(probe eth0 '.bypassed | join("; ")')" \
	"translation by the nf_tables chain t source"
in_ns a nft -f - <<-EOF
	table netdev t {
		chain marks {
			type filter hook ingress devices = { lo, eth0 } priority 0
			udp dport 51820 counter
		}
	}
EOF
is "probe lists a chain of the NIC" "$(probe eth0 '.bypassed | join("; ")')" \
	'the nftables ingress chain "t marks"; translation by the nf_tables chain t source'
is "with the chain, data is received by AF_XDP" "$(paths)" "xdp xdp"
ok "probe prints the command that applies the chain" \
	eval "commands | grep -qx 'wgxdp attach --rx udp eth0 CONF'"
in_ns a nft delete table netdev t
if in_ns a nft -f - <<-EOF 2>/dev/null; then
	table netdev t {
		chain marks {
			type filter hook egress device "eth0" priority 0
			udp sport 51820 counter
		}
	}
EOF
	in_ns a nft add rule ip t marks meta l4proto udp meta mark set 7
	is "probe lists an egress chain, and a chain of the same name that sets marks" \
		"$(probe eth0 '.bypassed[:2] | join("; ")')" \
		'the nftables egress chain "t marks"; routing by the nf_tables chain t marks'
	is "with an egress chain, data is sent by the UDP sockets" "$(paths)" "xdp udp"
	in_ns a nft delete table netdev t
else
	pass "an egress chain of the NIC # SKIP this kernel has no egress hook (Linux 5.16)"
fi
in_ns a nft delete table ip t
in_ns a ip xfrm policy add dir out src 192.0.2.1 dst 192.0.2.2 action block
is "probe lists an IPsec policy" "$(probe eth0 '.bypassed[0]')" "IPsec policies"
in_ns a ip xfrm policy flush

in_ns a ip link set eth0 mtu 9000
is "a large MTU: data takes the UDP sockets" "$(paths)" "udp udp"
ok "probe prints the command for a smaller MTU" \
	eval "commands | grep -qx 'ip link set eth0 mtu 3822'"
in_ns a ip link set eth0 mtu 1500

# An XDP program of another wgxdp interface is attached to the NIC.
in_ns a "$WGXDP" attach eth0 "$(interface a Address=10.99.0.1/24 | conf "$A")" </dev/null
is "attach has taken the path of probe" "$(show a "$A" '.path | "\(.rx) \(.tx)"')" "xdp xdp"
is "another XDP program: data takes the UDP sockets" "$(paths)" "udp udp"
ok "probe names the other program" \
	says "the XDP program of interface $A is attached to this NIC" eth0
ok "probe names the mode of the other program" \
	eval "probe eth0 .xdp_program | grep -qE '^program [0-9]+ \(.*\), native$'"
ok "probe does not advise --chain, because the queue has a socket" \
	eval "[ '$(sockets)' = unknown ] || ! commands | grep -e --chain"
ok "detach succeeds" down a "$A"

# --- AF_XDP sockets of other programs -------------------------------------------------------------

hold() # QUEUE: starts a program with an AF_XDP socket on this queue of eth0
{
	spawn a /usr/bin/python3 "$(dirname "$0")/hold_queue.py" eth0 "$1" >"$TMP/held"
	holder=$!
	wait_for 30 grep -q bound "$TMP/held"
}
is_xdp() { [ "$(paths)" = "xdp xdp" ]; }
release()
{
	kill "$holder"
	wait "$holder" 2>/dev/null
	wait_for 5 is_xdp
}

in_ns a ethtool -L eth0 rx 2 tx 3
ok "another program opens an AF_XDP socket on queue 1" hold 1
if [ -n "$(in_ns a ss -H --xdp)" ]; then # the kernel has xdp_diag
	owner=" (process $holder, python3)"
elif [ "$(printf '%s\n' 6.15 "$(uname -r)" | sort -V | head -1)" = 6.15 ]; then
	owner=
else
	unset owner
fi
if [ -n "${owner+known}" ]; then
	is "probe lists the queue of this socket" "$(sockets)" "queue 1$owner"
	is "data takes the UDP sockets" "$(paths)" "udp udp"
	sentence="eth0: other programs have AF_XDP sockets on queue 1$owner; stop these programs, or
		use --rx udp --tx udp"
	sentence=$(xargs <<<"$sentence")
	is "probe says why, and what to do" "$(why)" "$sentence"
	ok "the text of probe names the queue, too" eval \
		"in_ns a '$WGXDP' probe eth0 | grep -qxF '  AF_XDP sockets: queue 1$owner'"
	refuses "check warns of this socket" 0 "UDP sockets: eth0: other programs have AF_XDP" \
		in_ns a "$WGXDP" check eth0 "$(interface a | conf "$A")"
	ok "attach succeeds" ours a "$A" < <(interface a)
	is "attach finds the same, and show says so" "$(show a "$A" .path.why)" "$sentence"
	ok "detach succeeds" down a "$A"
else
	is "probe does not claim that no queue has a socket" "$(sockets)" unknown
fi
ok "when the program has ended, AF_XDP can be used again" release
ok "probe lists no socket any more" grep -qxE "|unknown" <(sockets)
ok "another program opens an AF_XDP socket on a queue that only sends" hold 2
is "this socket does not keep data from AF_XDP" "$(paths)" "xdp xdp"
ok "probe does not list it" grep -qxE "|unknown" <(sockets)
ok "the program ends" release
in_ns a ethtool -L eth0 rx 1 tx 1

# --- without root ---------------------------------------------------------------------------------

install -m 755 "$WGXDP" "$TMP/wgxdp"
chmod 711 "$TMP"
in_ns a setpriv --reuid 65534 --regid 65534 --clear-groups "$TMP/wgxdp" probe eth0 >"$TMP/text" 2>&1
ok "without root: probe lists what it could not read" grep -q \
	"^  not looked at: IPsec policies; nf_tables; tcx programs" "$TMP/text"
ok "without root: probe reports what it could read" grep -q "^  driver: veth$" "$TMP/text"
ok "the last probes have changed nothing" is_unchanged

done_testing
