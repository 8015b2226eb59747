#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# --zero-copy off, auto and on with virtio-net. show reports the mode that the sockets report
# (XDP_OPTIONS), and the tunnel carries packets. If the driver lacks a mode, the error names the
# mode. The NIC has two queues, and two more while an XDP program is attached. The sockets of these
# two always use copy mode.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ tap0 ─ br0 ─ tap1 ═══ eth0  10.99.0.2 kernel :b

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd wg jq ethtool
FOREIGN=kernel LINK=virtio

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

# Since Linux 6.11 virtio-net can receive into the buffers of a socket, and since 6.13 also send
# from such buffers. The kernel offers zero-copy only for drivers that can do both, and otherwise
# returns EOPNOTSUPP (docs/verification.md).
case $(uname -r) in
5.* | 6.[0-9].* | 6.1[0-2].*) ZERO_COPY=0 ;;
*) ZERO_COPY=$(in_ns a ethtool -l eth0 | awk '/^Combined/ { n = $2 } END { print n }') ;;
esac

attach() { ours a "$A" --zero-copy "$1" < <(conf_a); } # MODE

stranger_b "$B"

carries() # MODE QUEUES
{
	ok "$1: attach succeeds" attach "$1"
	is "$1: the path is native XDP" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode)"')" \
		"xdp xdp native"
	is "$1: show says on how many queues it has zero-copy" \
		"$(show a "$A" .path.zero_copy_queues)" "$2"
	is "$1: all queues are used, also those that XDP adds" "$(show a "$A" .path.queues)" \
		"$(in_ns a ethtool -l eth0 | awk '/^Combined/ { n = $2 } END { print n }')"
	ok "$1: no ping is lost" pinged a 10.99.0.2 40 0.05
	is "$1: nothing comes by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
	holds "$1: packets come by AF_XDP" "$(show a "$A" .path.rx_packets.xsk)" -ge 40
	holds "$1: packets leave by AF_XDP" "$(show a "$A" .path.tx_packets.xsk)" -ge 39
	ok "$1: detach succeeds" down a "$A"
}

carries off 0
carries auto "$ZERO_COPY"
if [ "$ZERO_COPY" != 0 ]; then
	carries on "$ZERO_COPY"
else
	refuses "on: attach is refused" 1 \
		'eth0 queue 0: the driver has no zero-copy.*--zero-copy auto' attach on
fi
foreign_down "$B"
clean "nothing is left" a "$A"

done_testing
