#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# attach --chain: one NIC, two XDP programs in libxdp's dispatcher. `neighbour` is somebody else's, put
# there by xdp-loader; it counts frames and lets them on.
#
#   eth0 ─▶ xdp_dispatcher ─▶ neighbour (10) ─▶ wgxdp_ingress (50) ─▶ AF_XDP, or the stack
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0  10.99.0.2 kernel :b

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd wg jq ip ping bpftool xdp-loader
FOREIGN=kernel

NEIGHBOUR=${BUILD:-$PWD/build}/tests/vm/neighbour.bpf.o
THEIRS=/sys/fs/bpf/$ID-neighbour

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
trap 'rm -rf "$THEIRS"; cleanup' EXIT
mkdir "$THEIRS"

CONF=$(conf_a | conf "$A")

foreign b "$B" < <(
	interface b ListenPort=51822
	peer a AllowedIPs=10.99.0.1/32 Endpoint=192.0.2.1:51821)
in_ns b ip address add 10.99.0.2/24 dev "$B"
in_ns b ip link set "$B" mtu 1420 up

attach() { in_ns a "$WGXDP" attach eth0 "$CONF" --chain </dev/null; }
loader() { in_ns a xdp-loader "$@"; }
arrive() { loader load --pin-path "$THEIRS" "$@" eth0 "$NEIGHBOUR"; }
# The programs in the dispatcher in their order, "name name"; whether we are alone; the id of one.
inside() { loader status eth0 | awk '$1 == "=>" { print $3 }' | xargs; }
we_alone() { [ "$(inside)" = wgxdp_ingress ]; }
id_of() { loader status eth0 | awk -v name="$1" '$1 == "=>" && $3 == name { print $4 }'; }
on_nic() { in_ns a ip -d -j link show dev eth0 | jq -r '.[0].xdp.prog.name // empty'; }
seen() { bpftool -j map dump pinned "$THEIRS/seen" | jq '.[0].formatted.value'; }
no_loss() { pinged a "$1" 20 0.05; }

# Twenty replies through the tunnel by XSK, of which the neighbour sees each or only what we pass on.
both() # WHAT each|passed
{
	local before xsk
	before=$(seen) xsk=$(show a "$A" .path.rx_packets.xsk)
	ok "$1: tunnel" no_loss 10.99.0.2
	holds "$1: we saw them" $(($(show a "$A" .path.rx_packets.xsk) - xsk)) -ge 20
	is "$1: none came by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
	if [ "$2" = each ]; then
		holds "$1: so did the neighbour" $(($(seen) - before)) -ge 20
	else
		holds "$1: the neighbour, behind us, saw no data" $(($(seen) - before)) -lt 20
	fi
	before=$(seen)
	ok "$1: what is not ours" no_loss 192.0.2.2
	holds "$1: the neighbour saw it" $(($(seen) - before)) -ge 20
}

# --- alone ----------------------------------------------------------------------------------------

ok "alone: attach" attach
is "alone: in a dispatcher" "$(on_nic), $(inside)" "xdp_dispatcher, wgxdp_ingress"
is "alone: xdp, native" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode)"')" "xdp xdp native"
ok "alone: tunnel" no_loss 10.99.0.2
holds "alone: by XSK" "$(show a "$A" .path.rx_packets.xsk)" -ge 20
ok "alone: detach" down a "$A"
is "alone: no dispatcher left" "$(on_nic)" ""

# --- a neighbour who was there, one who comes, one who goes ---------------------------------------

ok "neighbour first" arrive
ok "then we" attach
is "both are inside" "$(inside)" "neighbour wgxdp_ingress"
both "neighbour first" each
ok "the neighbour leaves" loader unload eth0 --id "$(id_of neighbour)"
is "we stay" "$(inside)" wgxdp_ingress
ok "the tunnel goes on" no_loss 10.99.0.2
is "by XSK" "$(show a "$A" .path.rx_packets.udp)" 0
ok "the neighbour comes back, before us" arrive
is "both are inside again" "$(inside)" "neighbour wgxdp_ingress"
both "neighbour later" each
ok "our detach" down a "$A"
is "leaves the neighbour" "$(inside)" neighbour
before=$(seen)
ok "and traffic" no_loss 192.0.2.2
holds "which the neighbour sees" $(($(seen) - before)) -ge 20
ok "the neighbour moves" loader unload eth0 --all
ok "behind us" arrive --prio 90
ok "attach before it" attach
is "we are first" "$(inside)" "wgxdp_ingress neighbour"
both "neighbour behind" passed

# --- killed ---------------------------------------------------------------------------------------

die()
{
	local pid
	pid=$(daemon_pid a "$A")
	kill -KILL "$pid"
	wait_for 5 eval "! kill -0 $pid"
}

# Without a daemon nobody beats: what would be refused or redirected passes.
passing() # WHAT
{
	local before
	before=$(seen)
	ok "$1: what is not ours passes" no_loss 192.0.2.2
	holds "$1: to the neighbour" $(($(seen) - before)) -ge 20
	sleep 3
	before=$(seen)
	in_ns b ping -q -c 3 -W 1 10.99.0.1 >/dev/null
	holds "$1: so does what was ours" $(($(seen) - before)) -ge 1
}

die
is "killed: our program stays" "$(inside)" "wgxdp_ingress neighbour"
passing "killed"
ok "killed: attach" attach
is "killed: the old one is gone" "$(inside)" "wgxdp_ingress neighbour"
both "killed and back" passed
die
ok "killed: detach" down a "$A"
is "killed: the neighbour alone" "$(inside)" neighbour
ok "killed: traffic" no_loss 192.0.2.2

# --- thrown out -----------------------------------------------------------------------------------

ok "once more" attach
ok "the neighbour throws all out" loader unload eth0 --all
ok "we go in again" wait_for 10 we_alone
ok "with the tunnel" no_loss 10.99.0.2
ok "and detach" down a "$A"
foreign_down "$B"
rm -rf "$THEIRS"
clean "nothing left" a "$A"
is "nothing pinned by libxdp" "$(find /sys/fs/bpf/xdp -type f)" ""

done_testing
