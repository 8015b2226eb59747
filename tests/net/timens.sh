#!/bin/bash
# SPDX-License-Identifier: MIT
#
# In a time namespace the daemon's CLOCK_BOOTTIME differs from the clock of the BPF programs. The
# XDP program steers data only to workers with a recent heartbeat. The heartbeats use the clock of
# the BPF programs, so the workers receive data in a time namespace, too. While data arrives through
# the UDP sockets, `show` does not say that XDP receives it.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping unshare
unshare --time true 2>/dev/null || skip_all "needs time namespaces"

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
CONF=$(conf_a | conf "$A")
ok "wireguard-go starts" stranger_b "$B"

PINGS=20
packets() { show a "$A" ".path.${1}_packets.$2"; }
path() { show a "$A" '.path | "\(.rx) \(.tx)"'; }

# Attaches with this offset of CLOCK_BOOTTIME, and checks that data is received by XDP.
in_time_namespace() # OFFSET_S
{
	local before
	ok "offset $1 s: attach succeeds" in_ns a unshare --time --boottime "$1" --fork \
		"$WGXDP" attach eth0 "$CONF" --rx xdp --tx xdp
	ok "offset $1 s: no ping is lost" pinged a 10.99.0.2
	before=$(packets rx udp)
	ok "offset $1 s: none of many pings is lost" pinged a 10.99.0.2 $PINGS 0.02
	is "offset $1 s: no packet arrives by UDP" "$(packets rx udp)" "$before"
	is "offset $1 s: show says xdp" "$(path)" "xdp xdp"
	ok "offset $1 s: detach succeeds" down a "$A"
}

in_time_namespace -1000
in_time_namespace 1000
# With this offset the daemon's clock begins near 0, far behind the clock of the BPF programs.
in_time_namespace "-$(($(cut -d. -f1 /proc/uptime) - 5))"

# --- show tells the truth -------------------------------------------------------------------------

# The peer moves behind another NIC. XDP is attached only to the first NIC, where data no longer
# arrives.
ok "attach succeeds" in_ns a "$WGXDP" attach eth0 "$CONF" --rx xdp --tx xdp
ok "first NIC: no ping is lost" pinged a 10.99.0.2 $PINGS 0.02
is "first NIC: show says xdp" "$(path)" "xdp xdp"
ip link add eth1 netns "$ID-a" type veth peer name eth1 netns "$ID-b"
in_ns a ip address add 198.51.100.1/24 dev eth1
in_ns b ip address add 198.51.100.2/24 dev eth1
in_ns a ip link set eth1 up
in_ns b ip link set eth1 up
in_ns a wg set "$A" peer "$(pub b)" endpoint 198.51.100.2:51822
ok "other NIC: no ping is lost" pinged a 10.99.0.2 100 0.02
is "other NIC: show does not say xdp" "$(path)" "udp xdp"
WHY='data arrives through the UDP sockets.*: [0-9]* of the last [0-9]* data messages'
ok "other NIC: show says why" eval "show a '$A' .path.why | grep -q '$WHY'"
in_ns a wg set "$A" peer "$(pub b)" endpoint 192.0.2.2:51822
ok "first NIC again: no ping is lost" pinged a 10.99.0.2 100 0.02
is "first NIC again: show says xdp" "$(path)" "xdp xdp"
is "first NIC again: show gives no reason" "$(show a "$A" .path.why)" null
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

done_testing
