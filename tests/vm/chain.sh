#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# Tests `wgxdp attach --chain` with two XDP programs on one NIC, in libxdp's dispatcher. xdp-loader
# attaches the other program, `neighbour`, which counts frames and passes them. The numbers are the
# programs' priorities.
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
# inside() prints the names of the programs in the dispatcher, in order. id_of() prints the id of
# the program with the given name.
inside() { loader status eth0 | awk '$1 == "=>" { print $3 }' | xargs; }
we_alone() { [ "$(inside)" = wgxdp_ingress ]; }
id_of() { loader status eth0 | awk -v name="$1" '$1 == "=>" && $3 == name { print $4 }'; }
on_nic() { in_ns a ip -d -j link show dev eth0 | jq -r '.[0].xdp.prog.name // empty'; }
seen() { bpftool -j map dump pinned "$THEIRS/seen" | jq '.[0].formatted.value'; }
no_loss() { pinged a "$1" 20 0.05; }

# Checks that the answers to 20 pings through the tunnel arrive by AF_XDP. With "each" the program
# neighbour must see these answers. With "passed" it must not see them, because wgxdp redirects them
# first. In both cases neighbour must see the answers to 20 pings outside of the tunnel.
both() # WHAT each|passed
{
	local before xsk
	before=$(seen) xsk=$(show a "$A" .path.rx_packets.xsk)
	ok "$1: no ping through the tunnel is lost" no_loss 10.99.0.2
	holds "$1: wgxdp receives the answers by AF_XDP" \
		$(($(show a "$A" .path.rx_packets.xsk) - xsk)) \
		-ge 20
	is "$1: no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
	if [ "$2" = each ]; then
		holds "$1: the neighbour sees the answers" $(($(seen) - before)) -ge 20
	else
		holds "$1: the neighbour, behind wgxdp, sees no data" $(($(seen) - before)) -lt 20
	fi
	before=$(seen)
	ok "$1: no ping outside of the tunnel is lost" no_loss 192.0.2.2
	holds "$1: the neighbour sees their answers" $(($(seen) - before)) -ge 20
}

# --- alone ----------------------------------------------------------------------------------------

ok "alone: attach succeeds" attach
is "alone: the program is in a dispatcher" "$(on_nic), $(inside)" "xdp_dispatcher, wgxdp_ingress"
is "alone: the path is native XDP" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode)"')" \
	"xdp xdp native"
ok "alone: no ping is lost" no_loss 10.99.0.2
holds "alone: the packets arrive by AF_XDP" "$(show a "$A" .path.rx_packets.xsk)" -ge 20
ok "alone: detach succeeds" down a "$A"
is "alone: no dispatcher is left" "$(on_nic)" ""

# --- a neighbour before wgxdp, after it, and one that leaves --------------------------------------

ok "the neighbour is attached" arrive
ok "wgxdp attaches after it" attach
is "both are in the dispatcher" "$(inside)" "neighbour wgxdp_ingress"
both "neighbour first" each
ok "the neighbour leaves" loader unload eth0 --id "$(id_of neighbour)"
is "wgxdp stays" "$(inside)" wgxdp_ingress
ok "no ping through the tunnel is lost" no_loss 10.99.0.2
is "no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
ok "the neighbour comes back, before wgxdp" arrive
is "both are in the dispatcher again" "$(inside)" "neighbour wgxdp_ingress"
both "neighbour later" each
ok "detach succeeds" down a "$A"
is "detach leaves the neighbour" "$(inside)" neighbour
before=$(seen)
ok "no ping outside of the tunnel is lost" no_loss 192.0.2.2
holds "the neighbour sees their answers" $(($(seen) - before)) -ge 20
ok "the neighbour leaves again" loader unload eth0 --all
ok "the neighbour is attached again, with priority 90" arrive --prio 90
ok "wgxdp attaches before it" attach
is "wgxdp's program runs before the neighbour" "$(inside)" "wgxdp_ingress neighbour"
both "neighbour behind" passed

# --- the daemon is killed -------------------------------------------------------------------------

die()
{
	local pid
	pid=$(daemon_pid a "$A")
	kill -KILL "$pid"
	wait_for 5 eval "! kill -0 $pid"
}

# When the daemon is dead, its heartbeat becomes stale. The XDP program of wgxdp then passes packets
# that it would otherwise drop or redirect.
passing() # WHAT
{
	local before
	before=$(seen)
	ok "$1: no ping outside of the tunnel is lost" no_loss 192.0.2.2
	holds "$1: the neighbour sees their answers" $(($(seen) - before)) -ge 20
	sleep 3 # the heartbeat is stale after 2.5 s
	before=$(seen)
	in_ns b ping -q -c 3 -W 1 10.99.0.1 >/dev/null
	holds "$1: the neighbour sees the tunnel's packets" $(($(seen) - before)) -ge 1
}

die
is "killed: the program of wgxdp stays" "$(inside)" "wgxdp_ingress neighbour"
passing "killed"
ok "killed: attach succeeds" attach
is "killed: there is only one program of wgxdp" "$(inside)" "wgxdp_ingress neighbour"
both "killed and back" passed
die
ok "killed: detach succeeds" down a "$A"
is "killed: only the neighbour is left" "$(inside)" neighbour
ok "killed: no ping outside of the tunnel is lost" no_loss 192.0.2.2

# --- xdp-loader removes the program of wgxdp ------------------------------------------------------

ok "attach succeeds once more" attach
ok "xdp-loader removes all programs" loader unload eth0 --all
ok "wgxdp attaches its program again" wait_for 10 we_alone
ok "no ping through the tunnel is lost after that" no_loss 10.99.0.2
ok "detach succeeds after that" down a "$A"
foreign_down "$B"
rm -rf "$THEIRS"
clean "nothing is left" a "$A"
is "libxdp has nothing pinned" "$(find /sys/fs/bpf/xdp -type f)" ""

done_testing
