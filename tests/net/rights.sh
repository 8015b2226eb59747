#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Where something is missing: a BPF file system, capabilities. It works as well as it can, says what
# is missing, and leaves nothing.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping setpriv unshare

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

CONF=$(conf_a | conf "$A")
ok "wireguard-go" stranger_b "$B"

no_loss() { pinged a 10.99.0.2; }
path() { show a "$A" '.path | "\(.rx) \(.tx)"'; }
says() { in_ns a "$WGXDP" show "$A" | grep -qE -- "$1"; }

ends() # WHAT
{
	ok "$1: ping, no loss" no_loss
	ok "$1: detach" down a "$A"
	clean "$1: nothing left" a "$A"
}

# --- no BPF file system ---------------------------------------------------------------------------

ok "ip netns exec: attach" ip netns exec "$ID-a" "$WGXDP" attach eth0 "$CONF"
is "ip netns exec: by XDP" "$(path)" "xdp xdp"
is "ip netns exec: unpinned" "$(show a "$A" .path.pinned)" null
ok "ip netns exec: show says so" says 'not pinned'
ok "ip netns exec: the same from within" eval "ip netns exec '$ID-a' '$WGXDP' show '$A' | grep -q 'not pinned'"
ends "ip netns exec"

# As in a container: /sys and /proc/sys read-only, no bpffs.
contained()
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount --propagation private sh -c \
		'mount -t sysfs -o ro sysfs /sys && mount -o bind,ro /proc/sys /proc/sys; exec "$0" "$@"' "$@"
}
ok "container: attach" contained "$WGXDP" attach eth0 "$CONF"
is "container: by XDP" "$(path)" "xdp xdp"
ok "container: show says that nothing is pinned" says 'not pinned'
ends "container"

# --- fewer capabilities ---------------------------------------------------------------------------

only() # CAPABILITIES COMMAND...
{
	local caps=$1
	shift
	in_ns a setpriv --bounding-set "-all,$caps" -- "$@"
}

ok "only CAP_NET_ADMIN: attach" only +net_admin "$WGXDP" attach eth0 "$CONF"
is "only CAP_NET_ADMIN: by UDP" "$(path)" "udp udp"
is "only CAP_NET_ADMIN: one worker, since nobody steers" "$(show a "$A" .path.workers)" 1
ok "only CAP_NET_ADMIN: show says what is missing" says 'why: .*CAP_BPF'
ends "only CAP_NET_ADMIN"
refuses "only CAP_NET_ADMIN, --rx xdp" 1 CAP_BPF only +net_admin "$WGXDP" attach eth0 "$CONF" --rx xdp
refuses "only CAP_NET_ADMIN, --workers 2" 1 'workers.*BPF' only +net_admin "$WGXDP" attach eth0 "$CONF" --workers 2
clean "... nothing left" a "$A"
ok "no CAP_NET_RAW: attach" only +net_admin,+bpf,+perfmon "$WGXDP" attach eth0 "$CONF"
is "no CAP_NET_RAW: by UDP" "$(path)" "udp udp"
ok "no CAP_NET_RAW: show says what is missing" says 'why: .*CAP_NET_RAW'
ends "no CAP_NET_RAW"
ok "no CAP_PERFMON: attach" only +net_admin,+bpf,+net_raw "$WGXDP" attach eth0 "$CONF"
ok "no CAP_PERFMON: show says what is missing" says 'why: .*CAP_PERFMON'
ends "no CAP_PERFMON"
ok "no CAP_IPC_LOCK: attach" only +net_admin,+bpf,+perfmon,+net_raw "$WGXDP" attach eth0 "$CONF"
ok "no CAP_IPC_LOCK: show says what is missing" says 'why: .*CAP_IPC_LOCK'
ends "no CAP_IPC_LOCK"
ok "what XDP takes, no more: attach" only +net_admin,+bpf,+perfmon,+net_raw,+ipc_lock "$WGXDP" attach eth0 "$CONF"
is "what XDP takes, no more: by XDP" "$(path)" "xdp xdp"
ends "what XDP takes, no more"
refuses "no CAP_NET_ADMIN" 1 CAP_NET_ADMIN only +bpf,+net_raw "$WGXDP" attach eth0 "$CONF"
clean "... nothing left" a "$A"

done_testing
