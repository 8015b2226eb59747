#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 2400
# nics: vmxnet3,e1000e
#
# Tests wgxdp with the kernel's WireGuard on NICs that QEMU emulates: virtio-net with several
# queues, vmxnet3 and e1000e, each also with an MTU of 9000; then a bond, and VLANs. wgxdp must
# choose the path that `wgxdp probe` announces, and `wgxdp show` must say why. Data must take that
# path in both directions, also after the cable was pulled and plugged in again, and after the link
# was down and up again. `wgxdp detach` must restore offloads, channels, rings and MTU.
#
#   a: wgxdp 10.99.0.1  nic0 ═══ nic1  10.99.0.2 kernel :b     virtio-net
#                       nic2 ═══ nic3                          vmxnet3
#                       nic4 ═══ nic5                          e1000e
#
# The sections are virtio, vmxnet3, e1000e, vlan, bond and jumbo. NICS="virtio vmxnet3" runs only
# these two sections.

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd wg jq ip ping ethtool iperf3
FOREIGN=kernel
unset WGXDP_VETH_AS_NIC

A=${ID}a B=${ID}b
MONITOR=/dev/ttyS3
ip link show nic5 >/dev/null 2>&1 || skip_all "needs the NICs of tools/vm"
modprobe -a 8021q bonding wireguard
stty -F $MONITOR raw -echo
exec 9<>$MONITOR
# Before stty, the tty driver echoed the monitor's output to the monitor as the beginning of a
# command. The empty line ends that command.
echo >&9
keys a b
ns_add a b
for n in 0 2 4; do
	ip link set nic$n netns "$ID-a"
	ip link set nic$((n + 1)) netns "$ID-b"
done

# Before Linux 6.3 the kernel does not report what a driver offers, so `wgxdp probe` cannot know
# whether the driver supports XDP. vmxnet3 supports XDP since Linux 6.6.
TELLS=yes VMXNET3="xdp xdp native" VMXNET3_WHY='^$'
NO_XDP="cannot attach XDP in native mode: its driver offers no native XDP"
case $(uname -r) in
5.* | 6.[0-2].*)
	TELLS=no VMXNET3="udp udp null"
	NO_XDP="cannot attach XDP in native mode: Operation not supported"
	VMXNET3_WHY="nic2: $NO_XDP"
	;;
esac

# --- links ----------------------------------------------------------------------------------------

# Brings both ends of a link up, with the given MTU and the addresses 192.0.2.1 and 192.0.2.2.
link_up() # NIC-OF-A NIC-OF-B MTU
{
	in_ns a ip link set "$1" mtu "$3" up
	in_ns b ip link set "$2" mtu "$3" up
	in_ns a ip address add 192.0.2.1/24 dev "$1"
	in_ns b ip address add 192.0.2.2/24 dev "$2"
	ok "$1: the link carries pings" wait_for 30 in_ns a ping -q -c 1 -W 1 192.0.2.2
}

link_down() # NIC-OF-A NIC-OF-B
{
	in_ns a ip address flush dev "$1"
	in_ns b ip address flush dev "$2"
	in_ns a ip link set "$1" mtu 1500 down
	in_ns b ip link set "$2" mtu 1500 down
}

cable() # on|off NIC...
{
	local nic
	for nic in "${@:2}"; do
		echo "set_link $nic $1" >&9
	done
}

# NIC is in namespace a if its number is even, otherwise in b.
wired() # yes|no NIC: whether the NIC has a carrier
{
	local found=no ns=a
	[[ $2 != *[135] ]] || ns=b
	! in_ns "$ns" ip -o link show "$2" | grep -q LOWER_UP || found=yes
	[ "$found" = "$1" ]
}

settings() # NIC,...: prints all settings that attach might change
{
	local nic
	for nic in ${1//,/ }; do
		in_ns a ethtool -k "$nic"
		in_ns a ethtool -l "$nic" 2>&1
		in_ns a ethtool -g "$nic" 2>&1
		in_ns a ip -j -d link show dev "$nic" | jq -c '.[0] | del(.operstate, .linkinfo)'
	done
}

# --- the tunnel -----------------------------------------------------------------------------------

foreign_up()
{
	foreign b "$B" < <(
		interface b ListenPort=51822
		peer a AllowedIPs=10.99.0.1/32) &&
		in_ns b ip address add 10.99.0.2/24 dev "$B" && in_ns b ip link set "$B" up
}

attach() # NIC,... OPTION...
{
	in_ns a "$WGXDP" attach "$1" "$(conf_a | conf "$A")" "${@:2}" </dev/null
}

packets() # xsk|udp|any
{
	local paths=.$1
	[ "$1" != any ] || paths="[]"
	show a "$A" "[.path | .rx_packets$paths, .tx_packets$paths] | add"
}
delivered() { in_ns b cat "/proc/net/dev" | awk -v name="$B:" '$1 == name { print $3 }'; }

# ping(8) takes much less CPU time of the emulated guest than pings.py.
pinged() # COUNT LENGTH
{
	in_ns a ping -q -c "$1" -i 0.05 -W 5 -s "$2" 10.99.0.2 | grep -q " $1 received"
}

# Sends 20 pings. Checks that all are answered, that b counts them, and that wgxdp counts requests
# and answers on the path. One request and one answer may go through the UDP socket instead, so
# MINIMUM is 38 by default, and 19 if only received packets take the path.
flows() # WHAT xsk|udp|any LENGTH [MINIMUM]
{
	local path before
	path=$(packets "$2") before=$(delivered)
	ok "$1: no ping is lost" pinged 20 "$3"
	holds "$1: the packets take $2" $(($(packets "$2") - path)) -ge "${4-38}"
	holds "$1: b counts the pings" $(($(delivered) - before)) -ge 20
}

stream() # WHAT OPTION...
{
	local bytes
	spawn b iperf3 -s -1 -p 5201 >/dev/null 2>&1
	wait_for 10 eval "in_ns b ss -Hltn | grep -q :5201"
	in_ns a iperf3 -J -c 10.99.0.2 -p 5201 -n 200000 "${@:2}" >"$TMP/iperf" 2>&1
	bytes=$(jq '.end.sum_received.bytes' "$TMP/iperf" 2>/dev/null)
	holds "$1: the bytes arrive" "${bytes:-0}" -ge 40000
	wait $!
}

answered() { in_ns a ping -q -c 1 -W 1 10.99.0.2; }

flap() # WHAT NIC xsk|udp LENGTH
{
	cable off "$2"
	ok "$1: the cable is out" wait_for 30 wired no "$2"
	in_ns a ping -q -c 3 -i 0.2 -W 0.2 10.99.0.2 >/dev/null
	cable on "$2"
	ok "$1: the cable is in again" wait_for 30 wired yes "$2"
	ok "$1: data continues after that" wait_for 30 answered
	await_path "$3"
	flows "$1, after the cable" "$3" "$4"
	in_ns a ip link set "$2" down
	in_ns a ip link set "$2" up
	ok "$1: data continues after the link was down" wait_for 30 answered
	await_path "$3"
	flows "$1, after the link was down" "$3" "$4"
}

# Waits until data arrives by AF_XDP, because wgxdp may have to attach its program to vmxnet3 again
# after the link was down.
await_path() # xsk|udp
{
	[ "$1" = udp ] || wait_for 30 came_by_xsk
}
came_by_xsk()
{
	local before
	before=$(show a "$A" .path.rx_packets.xsk)
	answered && [ "$(show a "$A" .path.rx_packets.xsk)" -gt "$before" ]
}

active() { in_ns "$1" ip -d link show bond0 | grep -q "active_slave $2 "; } # NS NIC

# The cables of both ends are pulled, because a bond does not see the other end's cable.
failover() # WHAT xsk|udp OTHER-PATH MINIMUM
{
	cable off nic0 nic1
	ok "$1: a takes the other member" wait_for 30 active a nic2
	ok "$1: b takes the other member" wait_for 30 active b nic3
	ok "$1: data continues by the other member" wait_for 30 answered
	await_path "$3"
	flows "$1, by the other member" "$3" 56 "$4"
	cable on nic0 nic1
	ok "$1: a takes the first member again" wait_for 30 active a nic0
	ok "$1: b takes the first member again" wait_for 30 active b nic1
	ok "$1: data continues after that" wait_for 30 answered
	flows "$1, after the cable" "$2" 56 "$4"
}

# --- the life of a tunnel -------------------------------------------------------------------------

why() { show a "$A" '.path.why // ""'; }
says() { why | grep -qE -- "$1"; }

# Attaches to the NICs, and checks the path that wgxdp chooses and the reason that `show` gives.
begin() # WHAT NIC,... "RX TX MODE" WHY [OPTION...]
{
	local announced=$3
	[[ $TELLS = yes || $4 != *"$NO_XDP"* ]] || announced="xdp xdp"
	settings "$2" >"$TMP/before"
	is "$1: probe announces the right path" "$(in_ns a "$WGXDP" probe "$2" --json |
		jq -rs '.[0] | "\(.rx) \(.tx)"')" "${announced% n*}"
	in_ns a "$WGXDP" probe "$2" | grep why: | sed "s/^ */# $1: probe: /"
	ok "$1: attach succeeds" attach "$2" "${@:5}"
	is "$1: auto takes the right path" \
		"$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode)"')" "$3"
	ok "$1: show says why" says "$4"
	why | sed -n "s/./# $1: show: &/p"
}

end() # WHAT NIC,...
{
	ok "$1: detach succeeds" down a "$A"
	settings "$2" >"$TMP/after"
	is "$1: the settings are as before" "$(diff "$TMP/before" "$TMP/after")" ""
	clean "$1: nothing is left" a "$A"
}

streams()
{
	stream "$1: TCP to b"
	stream "$1: TCP from b" -R
}

life() # WHAT NIC xsk|udp "RX TX MODE" WHY
{
	begin "$1" "$2" "$4" "$5"
	flows "$1" "$3" 56
	streams "$1"
	flap "$1" "$2" "$3" 56
	end "$1" "$2"
}

want() { [[ " ${NICS:-virtio vmxnet3 e1000e vlan bond jumbo} " == *" $1 "* ]]; }

way() { [[ $1 == udp* ]] && echo udp || echo xsk; } # "RX TX MODE"

foreign_up

if want virtio; then
	link_up nic0 nic1 1500
	life virtio nic0 xsk "xdp xdp native" '^$'
	link_down nic0 nic1
fi

# vmxnet3 switches LRO off when an XDP program is attached, and does not switch it on again. With
# --tune, wgxdp switches LRO off before it attaches. In both cases detach must restore LRO.
if want vmxnet3; then
	link_up nic2 nic3 1500
	life vmxnet3 nic2 "$(way "$VMXNET3")" "$VMXNET3" "$VMXNET3_WHY"
	begin "vmxnet3, tuned" nic2 "$VMXNET3" "$VMXNET3_WHY" --tune
	flows "vmxnet3, tuned" "$(way "$VMXNET3")" 56
	end "vmxnet3, tuned" nic2
	begin "vmxnet3, killed" nic2 "$VMXNET3" "$VMXNET3_WHY"
	kill -KILL "$(daemon_pid a "$A")"
	end "vmxnet3, killed" nic2
	link_down nic2 nic3
fi

if want e1000e; then
	link_up nic4 nic5 1500
	life e1000e nic4 udp "udp udp null" "nic4: $NO_XDP"
	link_down nic4 nic5
fi

# --- VLAN, bond -----------------------------------------------------------------------------------

vlan() # add|delete NIC-OF-A NIC-OF-B
{
	if [ "$1" = delete ]; then
		in_ns a ip link delete vlan7
		in_ns b ip link delete vlan7
		return
	fi
	in_ns a ip link set "$2" up
	in_ns b ip link set "$3" up
	in_ns a ip link add vlan7 link "$2" type vlan id 7
	in_ns b ip link add vlan7 link "$3" type vlan id 7
	link_up vlan7 vlan7 1500
}

# XDP on the NIC below a VLAN leaves tagged frames to the kernel. But vmxnet3 removes the tag before
# XDP sees the frame, so AF_XDP receives these frames.
if want vlan; then
	vlan add nic2 nic3
	begin VLAN vlan7 "udp udp null" "vlan7: $NO_XDP"
	flows VLAN udp 56
	streams VLAN
	flap VLAN nic2 udp 56
	end VLAN vlan7
	begin "below a VLAN" nic2 "$VMXNET3" "$VMXNET3_WHY"
	flows "below a VLAN" any 56
	end "below a VLAN" nic2
	vlan delete
	link_down nic2 nic3
fi

bond() # NS MEMBER MEMBER, of which the first is preferred
{
	in_ns "$1" ip link set "$2" down
	in_ns "$1" ip link set "$3" down
	in_ns "$1" ip link add bond0 type bond mode active-backup miimon 100 fail_over_mac active
	in_ns "$1" ip link set "$2" master bond0
	in_ns "$1" ip link set "$3" master bond0
	in_ns "$1" ip link set bond0 type bond primary "$2"
}

# If wgxdp attaches to the members, it receives the tunnel's packets by XDP on the members. But it
# sends them through the bond, which has no AF_XDP, and therefore by the UDP sockets.
if want bond; then
	bond a nic0 nic2
	bond b nic1 nic3
	link_up bond0 bond0 1500
	begin bond bond0 "udp udp null" "bond0: its frames arrive through lower interfaces such as"
	flows bond udp 56
	streams bond
	failover bond udp udp 38
	end bond bond0
	begin "bond's members" nic0,nic2 "xdp xdp native" "$VMXNET3_WHY"
	flows "bond's members" xsk 56 19
	streams "bond's members"
	failover "bond's members" xsk "$(way "$VMXNET3")" 19
	end "bond's members" nic0,nic2
	vlan add bond0 bond0
	begin "VLAN on a bond" vlan7 "udp udp null" "vlan7: $NO_XDP"
	flows "VLAN on a bond" udp 56
	end "VLAN on a bond" vlan7
	vlan delete
	in_ns a ip link delete bond0
	in_ns b ip link delete bond0
fi

# --- MTU 9000 -------------------------------------------------------------------------------------

jumbo() # WHAT NIC-OF-A NIC-OF-B
{
	link_up "$2" "$3" 9000
	if ! in_ns a ping -q -c 3 -W 2 -M 'do' -s 8900 192.0.2.2 | grep -q " 3 received"; then
		printf 'ok %d - %s: the link carries no large frames # SKIP\n' $((tests += 1)) "$1"
		link_down "$2" "$3"
		return
	fi
	begin "$1" "$2" "udp udp null" "$2: MTU 9000 is larger than 3822"
	is "$1: the tunnel has the MTU that fits" \
		"$(in_ns a ip -j link show "$A" | jq '.[0].mtu')" 8920
	flows "$1" udp 8800
	streams "$1"
	flap "$1" "$2" udp 8800
	end "$1" "$2"
	link_down "$2" "$3"
}

if want jumbo; then
	in_ns b ip link set "$B" mtu 8920
	jumbo "virtio, MTU 9000" nic0 nic1
	jumbo "vmxnet3, MTU 9000" nic2 nic3
	jumbo "e1000e, MTU 9000" nic4 nic5
fi
foreign_down "$B"

done_testing
