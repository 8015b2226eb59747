#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The ways in which an interface begins and ends. Nothing of the interface is left behind.
#
#   a: eth0 ═══ eth0 :b      wgxdp runs in a only; b is the other end of the cable

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b

config()
{
	interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
	peer b AllowedIPs=10.99.7.0/24,fd99:7::/64 Endpoint=192.0.2.2:51822
}

up() { config | ours a "$A" "$@"; }

state() { in_ns a ip -o link show dev "$A" | grep -o '<.*>' | tr '<,>' '\n' | grep -x UP; }

# --- attach brings everything up ------------------------------------------------------------------

ok "attach succeeds" up
is "the interface is up" "$(state)" UP
is "the interface has its addresses" \
	"$(in_ns a ip -o address show dev "$A" scope global | awk '{ print $4 }' | xargs)" \
	"10.99.0.1/24 fd99::1/64"
is "the MTU is that of the endpoint's route less 80" "$(show a "$A" .mtu)" 1420
is "there is a route for each allowed IP" "$(in_ns a ip route get 10.99.7.9 | grep -c "dev $A")
$(in_ns a ip -6 route get fd99:7::9 | grep -c "dev $A")" $'1\n1'
is "the configuration socket answers" "$(in_ns a wg show "$A" listen-port)" 51821
is "the path is native XDP" \
	"$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode) \(.nic) \(.why)"')" \
	"xdp xdp native eth0 null"
is "nothing is dropped" "$(show a "$A" '.drops | length')" 0
ok "the maps are pinned" test -e "$PINS/$A/sessions"
is "only root may enter the pin directory" "$(stat -c '%a %U' "$PINS/$A")" "700 root"
ok "an XDP program is on the NIC" eval "in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
ok "show prints text for people" eval "in_ns a '$WGXDP' show '$A' | grep -q native"
refuses "a second attach is refused" 1 "$A.*(in use|already)" in_ns a "$WGXDP" attach eth0 \
	"$TMP/$A.conf"
refuses "a second attach is refused in another namespace" 1 \
	"$A.*in use by.* in network namespace $ID-a" \
	in_ns b "$WGXDP" attach eth0 "$TMP/$A.conf"
is "after the refused attaches the interface is still up" "$(state)" UP
ok "detach succeeds" down a "$A"
clean "detach leaves nothing" a "$A"
refuses "a second detach is refused" 1 "$A" in_ns a "$WGXDP" detach "$A"

# --- which AEAD -----------------------------------------------------------------------------------

# Succeeds if this is an Ice Lake server, whose cores the AEAD avx512ifma slows down.
slows_cores()
{
	grep -qE "^cpu family\s*: 6$" /proc/cpuinfo &&
		grep -qE "^model\s*: (106|108)$" /proc/cpuinfo
}

# Prints the AEADs among which attach chooses. Which one is fastest depends on the machine.
aeads_of_auto()
{
	local flag
	for flag in avx512ifma:avx512ifma avx512ifma:avx512ifma256 avx512vl:avx512 \
		avx2:avx2 sse2:sse2 asimd:neon; do
		! grep -qw "${flag%:*}" /proc/cpuinfo || echo "${flag#*:}"
	done | if slows_cores; then grep -vx avx512ifma; else cat; fi | grep . || echo libsodium
}

refuses "an unknown AEAD is refused with a list of those that exist" 2 \
	"--aead fast: .*auto, .*libsodium" \
	up --aead fast
ok "attach succeeds" up
ok "an AEAD for this CPU is used" grep -qx "$(show a "$A" .path.aead)" <(aeads_of_auto)
ok "detach succeeds" down a "$A"
ok "attach --aead libsodium succeeds" up --aead libsodium
is "show names that AEAD" "$(show a "$A" .path.aead)" libsodium
ok "detach succeeds" down a "$A"

# --- ways to end ----------------------------------------------------------------------------------

ends() # WHAT COMMAND...
{
	local what=$1
	shift
	ok "attach succeeds, before $what" up
	ok "$what succeeds" "$@"
	clean "$what leaves nothing" a "$A"
}

by_signal() { kill "-$1" "$(daemon_pid a "$A")"; }

ends "SIGTERM" by_signal TERM
ends "SIGINT" by_signal INT
ends "ip link delete" in_ns a ip link delete "$A"
ends "removal of the configuration socket" rm "$SOCKETS/$A.sock"
ends "detach by the path of the configuration" in_ns a "$WGXDP" detach "$TMP/$A.conf"

# A service unit may start the daemon in the foreground.
spawn a "$WGXDP" attach eth0 "$TMP/$A.conf" --foreground >"$TMP/log" 2>&1
foreground=$!
ok "attach --foreground brings the interface up" wait_for 10 eval \
	"in_ns a ip -o address show dev $A | grep -q 10.99.0.1"
ok "the command stays in the foreground" test -e /proc/$foreground
kill -TERM $foreground
wait $foreground
is "SIGTERM ends the command with exit status 0" $? 0
clean "SIGTERM leaves nothing" a "$A"

# --- Ctrl-C in the middle -------------------------------------------------------------------------

nobody_in_a() { [ -z "$(ip netns pids "$ID-a")" ]; }

# Ctrl-C has one of two results: the command ends and has undone everything, or the attach is
# already complete and the status is 0. Without its option --foreground, timeout(1) would also
# signal the daemon. If the command was interrupted, the test waits until the daemon has ended, too,
# because under ASan the daemon still searches for memory leaks after it has undone everything.
interrupt() # SECONDS
{
	local status=0 left
	in_ns a timeout --foreground --preserve-status -s INT "$1" \
		"$WGXDP" attach eth0 "$TMP/$A.conf" 2>"$TMP/log" || status=$?
	[ $status != 130 ] || wait_for 10 nobody_in_a
	left=$(leftovers a "$A")
	case $status-$left in
	130-) interrupted=$((interrupted + 1)) ;;
	0-*) down a "$A" ;;
	*)
		fail "an attach interrupted after $1 s leaves nothing" \
			"status $status, left: $left, said: $(cat "$TMP/log")"
		down a "$A"
		;;
	esac
}

config | conf "$A" >/dev/null
interrupted=0
for delay in 0.01 0.02 0.03 0.05 0.07 0.1 0.13 0.16 0.2 0.3; do interrupt $delay; done
holds "an attach interrupted by Ctrl-C leaves nothing when it returns" $interrupted -ge 1

# --- a name before DNS is up ----------------------------------------------------------------------

# At boot, the name server does not answer at first. The test's resolv.conf and hosts are mounted
# over the files in /etc, in a mount namespace in which only the command runs.
echo "nameserver 127.0.0.1" >"$TMP/resolv.conf"
: >"$TMP/hosts"
config | sed 's/192.0.2.2:/peer.example:/' | conf "$A" >/dev/null

early()
{
	# shellcheck disable=SC2016 # the inner shell expands it
	spawn a env --default-signal=INT unshare -m sh -c 'mount --bind "$1/hosts" /etc/hosts &&
		mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@"' - \
		"$TMP" "$WGXDP" attach eth0 "$TMP/$A.conf" >"$TMP/log" 2>&1
	early=$!
	wait_for 20 grep -q "peer.example: waiting up to" "$TMP/log"
}

ok "attach waits for DNS and says which name it looks up" early
sleep 2 # the command tries again every second
is "attach prints that it waits only once" "$(grep -c . "$TMP/log")" 1
kill -INT "$early"
wait "$early"
is "Ctrl-C ends the wait" $? 130
clean "an attach that waited leaves nothing" a "$A"
ok "attach waits for DNS again" early
echo "192.0.2.2 peer.example" >>"$TMP/hosts"
wait "$early"
is "attach succeeds when DNS answers" $? 0
is "the endpoint has the address from DNS" "$(in_ns a wg show "$A" endpoints | cut -f 2)" \
	192.0.2.2:51822
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

# --- kill -9 --------------------------------------------------------------------------------------

murder()
{
	local pid
	pid=$(daemon_pid a "$A")
	kill -KILL "$pid" && wait_for 5 test ! -e "/proc/$pid"
}

no_program() { ! in_ns a ip -d link show dev eth0 | grep -q prog/xdp; }

ok "attach succeeds" up
ok "the daemon is killed" murder
ok "the XDP program is gone, too" wait_for 10 no_program
ok "the NIC still works" in_ns a ping -q -c 1 -W 2 192.0.2.2
ok "attach succeeds again" up
is "the interface is up again" "$(state) $(show a "$A" .path.rx)" "UP xdp"
ok "the daemon is killed again" murder
ok "detach cleans up after a dead daemon" down a "$A"
clean "nothing is left" a "$A"
ok "attach succeeds with clsact" eval "config | WGXDP_FORCE_CLSACT=1 ours a '$A' --rx udp --tx xdp"
managed() { in_ns a ip -d neighbour show "$@" | grep managed; }
# Succeeds if the kernel supports managed neighbour entries (since Linux 5.16). An older kernel
# ignores the word "managed".
can_manage()
{
	local result=1
	in_ns a ip neighbour add 192.0.2.99 dev eth0 managed && managed 192.0.2.99 && result=0
	in_ns a ip neighbour del 192.0.2.99 dev eth0
	return $result
}
if can_manage >/dev/null; then
	ok "a neighbour entry is managed" wait_for 5 managed
else
	pass "a neighbour entry is managed # SKIP this kernel has no managed entries"
fi
ok "the daemon is killed once more" murder
ok "detach in another namespace cleans up in the dead daemon's namespace" down b "$A"
clean "nothing is left" a "$A"
is "no filter and no qdisc is left" "$(in_ns a tc qdisc show dev eth0 clsact)" ""
ok "no managed neighbour entry is left" eval "! managed"

# --- changes while the interface is attached ------------------------------------------------------

ok "attach succeeds" up
ok "the NIC goes down and up" eval "in_ns a ip link set eth0 down && in_ns a ip link set eth0 up"
is "the interface is still attached" "$(show a "$A" .path.rx)" xdp
in_ns a ip address add 2001:db8::1/64 dev eth0 nodad # removed when the link went down

# A datagram that is not a WireGuard message is passed if the host forwards packets, and otherwise
# dropped.
counts_as() # drops|passes ADDRESS
{
	local before
	before=$(show a "$A" ".$1.malformed // 0")
	in_ns b bash -c "printf x >/dev/udp/$2/51821"
	wait_for 1 eval "[ \$(show a '$A' '.$1.malformed // 0') -gt $before ]"
}
for switch in net.ipv4.ip_forward net.ipv4.conf.eth0.forwarding net.ipv6.conf.all.forwarding \
	net.ipv6.conf.eth0.forwarding net.ipv6.conf.eth0.force_forwarding; do
	address=192.0.2.1
	[[ $switch = net.ipv4* ]] || address=2001:db8::1
	# Kernels before Linux 6.17 have no force_forwarding.
	in_ns a sysctl -n $switch >"$TMP/out" 2>&1 || continue
	ok "the host does not forward: junk is dropped" wait_for 5 counts_as drops $address
	in_ns a sysctl -qw $switch=1
	ok "$switch: junk is passed" wait_for 5 counts_as passes $address
	in_ns a sysctl -qw $switch=0
done
ok "the host does not forward: junk is dropped" wait_for 5 counts_as drops 192.0.2.1
ok "the NIC is deleted" in_ns b ip link delete eth0
is "the daemon still answers" "$(in_ns a wg show "$A" listen-port)" 51821
ok "detach succeeds without the NIC" down a "$A"
clean "nothing is left" a "$A"

done_testing
