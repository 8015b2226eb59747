#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# Tests --zero-copy off, on and auto with virtio-net. `wgxdp show` must report the mode that the
# sockets report (XDP_OPTIONS), and the tunnel must carry packets. If the driver lacks zero-copy,
# `on` must fail with an error that says so. With zero-copy the tunnel must survive resets of the
# queues.
#
# The NIC has two queues, and two more while an XDP program is attached. The sockets of the
# additional queues always use copy mode, because the driver cannot release the zero-copy socket of
# a queue that it removes.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ tap0 ─ br0 ─ tap1 ═══ eth0  10.99.0.2 kernel :b

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd wg jq ethtool bpftool
FOREIGN=kernel LINK=virtio

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
modprobe -q xsk_diag # for `ss --xdp`
combined() { in_ns a ethtool -l eth0 | awk '/^Combined/ { n = $2 } END { print n }'; }

# Since Linux 6.11 virtio-net can receive into the buffers of a socket. Since 6.13 it can also send
# from such buffers. Unless the driver can do both, the kernel refuses zero-copy with EOPNOTSUPP
# (docs/verification.md).
case $(uname -r) in
5.* | 6.[0-9].* | 6.1[0-2].*) ZERO_COPY=0 ;;
*) ZERO_COPY=$(combined) ;;
esac

attach() { ours a "$A" --zero-copy "$@" < <(conf_a); } # MODE OPTION...
path() { show a "$A" ".path$1"; }

stranger_b "$B"

carries() # MODE QUEUES
{
	is "$1: the path is native XDP" "$(path ' | "\(.rx) \(.tx) \(.xdp_mode)"')" "xdp xdp native"
	is "$1: show says how many queues have zero-copy" "$(path .zero_copy_queues)" "$2"
	is "$1: all queues are used, also those that XDP adds" "$(path .queues)" "$(combined)"
	ok "$1: no ping is lost" pinged a 10.99.0.2 40 0.05
	is "$1: no packet arrives by UDP" "$(path .rx_packets.udp)" 0
	holds "$1: packets arrive by AF_XDP" "$(path .rx_packets.xsk)" -ge 40
	holds "$1: packets leave by AF_XDP" "$(path .tx_packets.xsk)" -ge 39
}

# --- what the kernel and the driver say about zero-copy -------------------------------------------

# Prints the queues whose sockets have zero-copy, as the kernel reports them.
zero_copy_queues() { in_ns a ss -H --xdp -e | grep -oP 'qid:\K\d+(?=,zc:1)' | sort | xargs; }

# driver_tx and driver_rx print the driver's counts of frames: those that it sent from the memory of
# a socket, and those that arrived on a queue with zero-copy and went to a socket.
counted() # NAME
{
	in_ns a ethtool -S eth0 | awk -v name="$1" '$1 ~ name { n += $2 } END { print n + 0 }'
}

driver_tx() { counted '^tx[0-9]+_xdp_tx:'; }
driver_rx() { counted "^rx[0-$((ZERO_COPY - 1))]_xdp_redirects:"; }

# Checks that in each direction the driver counts as many frames as `wgxdp show` reports.
both_ways() # WHAT
{
	local tx rx sent received
	tx=$(driver_tx) rx=$(driver_rx)
	sent=$(path .tx_packets.xsk) received=$(path .rx_packets.xsk)
	ok "$1: no ping is lost" pinged a 10.99.0.2 20 0.02
	sent=$(($(path .tx_packets.xsk) - sent)) received=$(($(path .rx_packets.xsk) - received))
	holds "$1: packets leave by AF_XDP" $sent -ge 19
	holds "$1: packets arrive by AF_XDP" $received -ge 20
	is "$1: the driver sends these packets without a copy" $(($(driver_tx) - tx)) $sent
	is "$1: the driver receives these packets without a copy" $(($(driver_rx) - rx)) $received
}

survives() # WHAT COMMAND...
{
	ok "$1 succeeds" "${@:2}"
	ok "$1: the tunnel comes back" wait_for 30 in_ns a ping -q -c 1 -W 1 10.99.0.2
	both_ways "$1"
	is "$1: the kernel says which queues have zero-copy" "$(zero_copy_queues)" "$QUEUES"
}

flap() { in_ns a ip link set eth0 down && in_ns a ip link set eth0 up; }
mtu() { in_ns a ip link set eth0 mtu "$1" && wait_for 10 opened_for "$1"; }

opened_for() # MTU
{
	in_ns a ss -H --xdp -e | grep -q "chunk_size:$(($1 > 1770 ? 4096 : 2048)),.*qid:0,"
}

our_program() { in_ns a ip -d -j link show dev eth0 | jq -er '.[0].xdp.prog.id'; }
lose_program() # detaches the program by force, and waits until the daemon has attached it again
{
	local link
	link=$(bpftool -j link list | jq ".[] | select(.prog_id == $(our_program)) | .id")
	bpftool link detach id "$link" && wait_for 20 our_program
}

# Stops the daemon while more frames arrive than the fill ring of its socket has buffers for. The
# driver then has no buffer left and sets need_wakeup: it takes new buffers only after the daemon
# wakes it. The heartbeats are set to a time in the future, so that XDP continues to redirect frames
# to the stopped daemon.
starve()
{
	local pid before blast status=0
	pid=$(daemon_pid a "$A") before=$(driver_rx)
	kill -STOP "$pid"
	set_heartbeats
	spawn b "$(dirname "$WGXDP")/tools/udpblast" send 10.99.0.1 9 --length 16 --seconds 600
	blast=$!
	wait_for 120 received_since "$before" 4096 || status=1
	kill "$blast"
	wait "$blast"
	kill -CONT "$pid"
	return "$status"
}

set_heartbeats()
{
	local seconds now worker
	seconds=$(($(cut -d . -f 1 /proc/uptime) + 600))
	now=$(printf '%016x\n' $((seconds * 1000000000)) | fold -w 2 | tac | sed 's/^/0x/')
	for worker in 0 1; do
		# shellcheck disable=SC2086 # the bytes are words
		bpftool map update pinned "$PINS/$A/heartbeat" key "$worker" 0 0 0 value $now
	done
}

found_empty()
{
	in_ns a ss -H --xdp -e | grep -oP 'rx fill ring empty:\K\d+' |
		awk '{ n += $1 } END { print n }'
}

received_since() { [ $(($(driver_rx) - $1)) -ge "$2" ]; }

# --- all modes ------------------------------------------------------------------------------------

ok "off: attach succeeds" attach off
carries off 0
ok "off: detach succeeds" down a "$A"

if [ "$ZERO_COPY" = 0 ]; then
	refuses "on: attach is refused" 1 \
		'eth0 queue 0: the driver has no zero-copy.*--zero-copy auto' attach on
	ok "auto: attach succeeds" attach auto
	carries auto 0
else
	# A program in libxdp's dispatcher outlives its daemon. The NIC therefore still has the
	# additional queues when wgxdp attaches again.
	QUEUES=$(seq 0 $((ZERO_COPY - 1)) | xargs)
	ok "on: attach succeeds" attach on --chain
	is "on: the kernel says which queues have zero-copy" "$(zero_copy_queues)" "$QUEUES"
	pid=$(daemon_pid a "$A")
	kill -KILL "$pid"
	wait_for 5 eval "! kill -0 $pid"
	ok "on: attach succeeds after kill -9" attach on --chain
	is "on: the same queues have zero-copy" "$(zero_copy_queues)" "$QUEUES"
	carries on "$ZERO_COPY"
	ok "on: detach succeeds" down a "$A"

	# All four queues of the NIC are now in use, so an XDP program adds no queue.
	ok "the NIC gets four queues" in_ns a ethtool -L eth0 combined 4
	ZERO_COPY=4 QUEUES="0 1 2 3"
	ok "auto: attach succeeds" attach auto
	carries auto 4
	both_ways auto
	refuses "the number of queues cannot change" 1 'AF_XDP' in_ns a ethtool -L eth0 combined 1
	survives "a reset of all rings" in_ns a ethtool -G eth0 rx 128 tx 128
	survives "link down and up" flap
	survives "a smaller MTU" mtu 1400
	survives "an MTU of 1771, for larger frames" mtu 1771
	survives "the loss of the XDP program" lose_program
	ok "more frames arrive than the stopped daemon has buffers for" starve
	holds "the driver found the fill ring empty" "$(found_empty)" -ge 1
	survives "a queue whose fill ring was empty" true
fi
ok "auto: detach succeeds" down a "$A"
foreign_down "$B"
clean "nothing is left" a "$A"
is "the kernel does not complain" "$(dmesg | grep -E 'zero-copy|xsk_|virtnet_')" ""

done_testing
