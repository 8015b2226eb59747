#!/bin/bash
# SPDX-License-Identifier: MIT
#
# XDP in generic mode: single datagrams arrive through AF_XDP. A train (several datagrams in one
# send, UDP_SEGMENT) is one frame in this mode. The frame goes to the UDP socket, and each message
# in the frame is received and counted, even if the frame is larger than the MTU. Datagrams that the
# port of a bridge has merged go to the UDP socket, too.
#
#   ┌───────── a ─────────┐               ┌────── b ─────┐
#   │ wgxdp 10.99.0.1     │               │ generic.py   │
#   │ :51821         eth0 ═════════════ eth0  10.99.0.2  │
#   └─────────────────────┘               └──────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping ethtool
need_cryptography

A=${ID}a
keys a b
ns_add a b
join a eth0 b eth0
attach() # OPTION...
{
	ours a "$A" "$@" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32)
}

ok "auto: attach succeeds" attach --rx xdp
is "auto: the mode is native" "$(show a "$A" .path.xdp_mode)" native
python_tap "native: " generic.py "$A" "$ID-a" "$ID-b" "$TMP" native
ok "auto: detach succeeds" down a "$A"

# Attaches in generic mode on a kernel that seems to have no BTF. The daemon needs BTF to recognise
# frames that hold several datagrams (GRO).
without_btf() # OPTION...
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh \
		"$WGXDP" attach eth0 "$TMP/$A.conf" --xdp-mode generic "$@"
}

WHY="eth0: cannot attach XDP in generic mode: .*because the kernel has no BTF .*; use --rx udp"
refuses "without BTF: forced XDP is refused" 1 "$WHY" without_btf --rx xdp
clean "without BTF: nothing is left" a "$A"
ok "without BTF: attach succeeds" without_btf
is "without BTF: data takes UDP" "$(show a "$A" '.path | "\(.rx) \(.xdp_mode)"')" "udp null"
ok "without BTF: show says why" eval "show a '$A' .path.why | grep -q '$WHY'"
ok "without BTF: detach succeeds" down a "$A"

ok "generic: attach succeeds" attach --rx xdp --xdp-mode generic
is "generic: the mode is generic" "$(show a "$A" .path.xdp_mode)" generic
ok "generic: the log says which data takes the UDP sockets" eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'generic mode; GRO and GSO packets'"
# Linux 5.10 splits a train into its datagrams before they leave by veth, so they arrive one by one,
# as in native mode.
arrives=native
in_ns b ethtool -k eth0 | grep -q '^tx-udp-segmentation: on' && arrives=generic
python_tap "generic: " generic.py "$A" "$ID-a" "$ID-b" "$TMP" $arrives
ok "generic: detach succeeds" down a "$A"

# --- packets that GRO merged at the port of a bridge ----------------------------------------------

bridge_up()
{
	in_ns a ip link delete eth0
	ip link add port0 netns "$ID-a" type veth peer name eth0 netns "$ID-b"
	in_ns a ip link add eth0 type bridge
	in_ns a ip link set port0 up master eth0
	in_ns a ip link set eth0 up
	in_ns b ip link set eth0 up
	in_ns a ip address add 192.0.2.1/24 dev eth0
	in_ns a ip address add 2001:db8::1/64 dev eth0 nodad
	in_ns b ip address add 192.0.2.2/24 dev eth0
	in_ns b ip address add 2001:db8::2/64 dev eth0 nodad
	# b sends each datagram of a train as a frame of its own, and the port joins the datagrams
	# again.
	in_ns b ethtool -K eth0 tx-udp-segmentation off
	in_ns a ethtool -K port0 gro on rx-udp-gro-forwarding on
	wait_for 5 in_ns b ping -q -c 1 -W 1 192.0.2.1 &&
		wait_for 5 in_ns b ping -q -c 1 -W 1 2001:db8::1
}
case $(uname -r) in
5.*) diag "veth of this kernel does no GRO without native XDP" ;;
*)
	ok "bridge: a and b reach each other" bridge_up
	ok "bridge: attach succeeds" attach --rx xdp --xdp-mode generic
	python_tap "bridge: " generic.py "$A" "$ID-a" "$ID-b" "$TMP" merged
	ok "bridge: show says on which path data arrives" eval \
		"show a '$A' .path.why | grep -q 'UDP sockets .*GRO and GSO packets'"
	ok "bridge: detach succeeds" down a "$A"
	;;
esac
clean "nothing is left" a "$A"
done_testing
