#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A BPF file system or capabilities are missing. The tunnel uses what is available,
# `wgxdp show` says what is missing, and nothing is left behind.
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
ok "wireguard-go starts" stranger_b "$B"

no_loss() { pinged a 10.99.0.2; }
path() { show a "$A" '.path | "\(.rx) \(.tx)"'; }
says() { in_ns a "$WGXDP" show "$A" | grep -qE -- "$1"; }

ends() # WHAT
{
	ok "$1: no ping is lost" no_loss
	ok "$1: detach succeeds" down a "$A"
	clean "$1: nothing is left" a "$A"
}

# --- no BPF file system ---------------------------------------------------------------------------

ok "ip netns exec: attach succeeds" ip netns exec "$ID-a" "$WGXDP" attach eth0 "$CONF"
is "ip netns exec: the path is XDP" "$(path)" "xdp xdp"
is "ip netns exec: the maps are not pinned" "$(show a "$A" .path.pinned)" null
ok "ip netns exec: show says so" says 'not pinned'
ok "ip netns exec: show also says so when ip netns exec runs it" eval \
	"ip netns exec '$ID-a' '$WGXDP' show '$A' | grep -q 'not pinned'"
ends "ip netns exec"

# Runs the command as in a container: /sys and /proc/sys are read-only, and there is no bpffs.
contained()
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount --propagation private sh -c \
		'mount -t sysfs -o ro sysfs /sys && mount -o bind,ro /proc/sys /proc/sys
		exec "$0" "$@"' "$@"
}
ok "container: attach succeeds" contained "$WGXDP" attach eth0 "$CONF"
is "container: the path is XDP" "$(path)" "xdp xdp"
ok "container: show says that nothing is pinned" says 'not pinned'
ends "container"

# --- fewer capabilities ---------------------------------------------------------------------------

only() # CAPABILITIES COMMAND...
{
	local caps=$1
	shift
	in_ns a setpriv --bounding-set "-all,$caps" -- "$@"
}

ok "only CAP_NET_ADMIN: attach succeeds" only +net_admin "$WGXDP" attach eth0 "$CONF"
is "only CAP_NET_ADMIN: the path is UDP" "$(path)" "udp udp"
is "only CAP_NET_ADMIN: there is one worker, because no program can steer" \
	"$(show a "$A" .path.workers)" 1
ok "only CAP_NET_ADMIN: show says what is missing" says 'why: .*CAP_BPF'
ends "only CAP_NET_ADMIN"
refuses "only CAP_NET_ADMIN: --rx xdp is refused" 1 CAP_BPF only +net_admin "$WGXDP" attach eth0 \
	"$CONF" --rx xdp
refuses "only CAP_NET_ADMIN: --workers 2 is refused" 1 'workers.*BPF' only +net_admin "$WGXDP" \
	attach eth0 "$CONF" --workers 2
clean "nothing is left" a "$A"
ok "no CAP_NET_RAW: attach succeeds" only +net_admin,+bpf,+perfmon "$WGXDP" attach eth0 "$CONF"
is "no CAP_NET_RAW: the path is UDP" "$(path)" "udp udp"
ok "no CAP_NET_RAW: show says what is missing" says 'why: .*CAP_NET_RAW'
ends "no CAP_NET_RAW"
ok "no CAP_PERFMON: attach succeeds" only +net_admin,+bpf,+net_raw "$WGXDP" attach eth0 "$CONF"
ok "no CAP_PERFMON: show says what is missing" says 'why: .*CAP_PERFMON'
ends "no CAP_PERFMON"
ok "no CAP_IPC_LOCK: attach succeeds" only +net_admin,+bpf,+perfmon,+net_raw "$WGXDP" attach eth0 \
	"$CONF"
ok "no CAP_IPC_LOCK: show says what is missing" says 'why: .*CAP_IPC_LOCK'
ends "no CAP_IPC_LOCK"
ok "exactly the rights that XDP needs: attach succeeds" only \
	+net_admin,+bpf,+perfmon,+net_raw,+ipc_lock "$WGXDP" attach eth0 "$CONF"
is "exactly the rights that XDP needs: the path is XDP" "$(path)" "xdp xdp"
ends "exactly the rights that XDP needs"
refuses "no CAP_NET_ADMIN: attach is refused" 1 CAP_NET_ADMIN only +bpf,+net_raw "$WGXDP" attach \
	eth0 "$CONF"
clean "nothing is left" a "$A"

# --- a user namespace -----------------------------------------------------------------------------

# Rootless containers have all capabilities, but over their own namespaces only. CAP_IPC_LOCK there
# does not lift the limit on locked memory.
cat >"$TMP/rootless" <<'EOF'
mount -t tmpfs none /run && ip link set lo up && ip link add eth0 type veth peer name eth1 &&
	ip address add 192.0.2.1/24 dev eth0 && ip link set eth0 up || exit 1
"$1" attach eth0 "$2" || exit 2
"$1" show "$3" --json && wg show "$3" >/dev/null && "$1" detach "$3" || exit 3
[ -z "$(find /run/wgxdp /run/wireguard -mindepth 1)" ]
EOF
rootless()
{
	(ulimit -l 8192 && unshare -Urnmpf --kill-child --mount-proc bash "$TMP/rootless" \
		"$WGXDP" "$CONF" "$A" >"$TMP/json")
}
ok "user namespace: attach, show and detach succeed" rootless
is "user namespace: the path is UDP" "$(jq -r '.path | "\(.rx) \(.tx)"' "$TMP/json")" "udp udp"
ok "user namespace: show says what is missing" grep -q '"why":"[^"]*CAP_BPF' "$TMP/json"

done_testing
