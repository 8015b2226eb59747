#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Pins are a convenience: if pinning fails, XDP and everything else works, and `show` says why the
# maps are not pinned. If no bpffs is mounted, attach mounts one. A daemon never removes the pins of
# another live daemon.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2
#
# Each "machine" is a mount namespace of its own with a /sys/fs/bpf of its own. The host may have
# several file systems on /sys/fs/bpf, one over another (bpftool mounts one, for example), so
# machine() unmounts all of them.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq bpftool setpriv unshare

ns_add a b c
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
CONF=$(conf_a | conf "$A")
ok "wireguard-go starts" stranger_b "$B"

# machine NAME COMMANDS: makes a mount namespace and runs COMMANDS in it. The namespace exists until
# the test ends.
declare -A machines=()
machine()
{
	spawn c unshare --mount --propagation private sh -c \
		"while umount -q /sys/fs/bpf; do :; done; $2; exec sleep 100"
	machines[$1]=$!
	wait_for 5 grep -qx sleep "/proc/${machines[$1]}/comm"
}

# on MACHINE NS COMMAND...: runs the command in this machine and this network namespace.
on()
{
	local pid=${machines[$1]} ns=$2
	shift 2
	nsenter --mount --target "$pid" -- nsenter --net="/run/netns/$ID-$ns" -- "$@"
}

path_of()
{
	on "$1" a "$WGXDP" show "$A" --json | jq -r '.path | "\(.rx) \(.tx) \(.bpf) \(.pinned)"'
}
why() { on "$1" a "$WGXDP" show "$A" --json | jq -r .path.pinned_why; }
mounts() { on "$1" a grep -c ' /sys/fs/bpf ' /proc/self/mounts; }
no_loss() { pinged a 10.99.0.2; }

works() # WHAT MACHINE PINNED REASON
{
	ok "$1: attach succeeds" on "$2" a "$WGXDP" attach eth0 "$CONF"
	is "$1: the path is XDP" "$(path_of "$2")" "xdp xdp true $3"
	# shellcheck disable=SC2254 # REASON is a pattern
	case $(why "$2") in
	$4) pass "$1: show gives the right reason for the state of the pins" ;;
	*) fail "$1: show gives the right reason for the state of the pins" "$(why "$2")" ;;
	esac
	ok "$1: no ping is lost" no_loss
}

leaves() # WHAT MACHINE
{
	ok "$1: detach succeeds" on "$2" a "$WGXDP" detach "$A"
	is "$1: no pin is left" "$(on "$2" a ls "$PINS/$A" 2>/dev/null)" ""
}

# --- a directory that another user made -----------------------------------------------------------

machine squatted "mount -t bpf bpf /sys/fs/bpf;
	setpriv --reuid 65534 --regid 65534 --clear-groups mkdir $PINS"
works "squatted" squatted null "$PINS belongs to user 65534*"
ok "squatted: the text of show says who owns the directory" eval \
	"on squatted a '$WGXDP' show '$A' | grep -q 'maps: not pinned: .*65534'"
leaves "squatted" squatted
is "squatted: the directory stays" "$(on squatted a stat -c %u "$PINS")" 65534

machine replaceable "mount -t bpf bpf /sys/fs/bpf; chmod 0777 /sys/fs/bpf"
works "no sticky bit" replaceable null "other users may write to /sys/fs/bpf*"
leaves "no sticky bit" replaceable

# --- no bpffs -------------------------------------------------------------------------------------

machine bare "mount -t sysfs sysfs /sys"
works "no bpffs" bare "$PINS/$A" null
is "no bpffs: attach mounts one" "$(mounts bare)" 1
is "no bpffs: only root may enter the new mount" \
	"$(on bare a stat -c '%A %u' /sys/fs/bpf)" "drwx-----T 0"
ok "no bpffs: bpftool reads the maps" on bare a bpftool map dump pinned "$PINS/$A/peers"
is "no bpffs: outside the namespace, show says that the maps are not pinned" \
	"$(show a "$A" '.path | "\(.pinned) \(.pinned_why)"')" \
	"null $PINS/$A exists only in the mount namespace of the daemon"
leaves "no bpffs" bare
works "again" bare "$PINS/$A" null
is "again: the bpffs is mounted once" "$(mounts bare)" 1
leaves "again" bare

machine confined "mount -t sysfs -o ro sysfs /sys"
ok "no right to mount: attach succeeds" on confined a \
	setpriv --bounding-set -all,+net_admin,+bpf,+perfmon,+net_raw,+ipc_lock -- \
	"$WGXDP" attach eth0 "$CONF"
is "no right to mount: the path is XDP" "$(path_of confined)" "xdp xdp true null"
ok "no right to mount: show says what to do" grep -q 'mount -t bpf' <<<"$(why confined)"
leaves "no right to mount" confined

machine occupied "mount -t tmpfs tmpfs /sys/fs/bpf"
works "another file system" occupied null "another file system*"
leaves "another file system" occupied

# --- two daemons of one name, as in two containers that share a bpffs -----------------------------

mkdir "$TMP/run" "$TMP/var"
machine first "mount -t bpf bpf /sys/fs/bpf"
ok "first: attach succeeds" on first a "$WGXDP" attach eth0 "$CONF"
is "first: the path is XDP, and the maps are pinned" "$(path_of first)" "xdp xdp true $PINS/$A"
(
	# The mount namespace of "second" is a copy of that of "first", so both have the same bpffs.
	exec nsenter --mount --target "${machines[first]}" -- \
		unshare --mount --propagation private sh -c \
		"mount --bind $TMP/run /run/wgxdp; mount --bind $TMP/var /run/wireguard
		exec nsenter --net=/run/netns/$ID-c sleep 100"
) &
machines[second]=$!
wait_for 5 grep -qx sleep "/proc/${machines[second]}/comm"
ok "second: attach under the same name succeeds" on second c "$WGXDP" attach "$CONF"
is "second: show says why the maps are not pinned" \
	"$(on second c "$WGXDP" show "$A" --json | jq -r .path.pinned_why)" \
	"$PINS/$A belongs to another running daemon, perhaps in a container"
is "the first daemon's pins exist" "$(on first a ls "$PINS/$A" | wc -l)" 16
ok "second: detach succeeds" on second c "$WGXDP" detach "$A"
is "the first daemon's pins still exist" "$(on first a ls "$PINS/$A" | wc -l)" 16
ok "first: no ping is lost" no_loss
kill -9 "$(daemon_pid a "$A")"
ok "a killed daemon's pins are replaced" on first a "$WGXDP" attach eth0 "$CONF"
is "the maps of the new daemon are pinned" "$(path_of first)" "xdp xdp true $PINS/$A"
ok "no ping is lost" no_loss
leaves "first" first
clean "nothing is left" a "$A"

done_testing
