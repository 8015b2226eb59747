#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How an interface comes and goes, and that nothing of it stays.
#
#   a: eth0 ═══ eth0 :b      wgxdp in a only; b is there to have a cable

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

# --- up means up ----------------------------------------------------------------------------------

ok "attach" up
is "the interface is up" "$(state)" UP
is "with its addresses" "$(in_ns a ip -o address show dev "$A" scope global | awk '{ print $4 }' | xargs)" \
	"10.99.0.1/24 fd99::1/64"
is "MTU: the endpoint's route less 80" "$(show a "$A" .mtu)" 1420
is "a route for each allowed IP" "$(in_ns a ip route get 10.99.7.9 | grep -c "dev $A")
$(in_ns a ip -6 route get fd99:7::9 | grep -c "dev $A")" $'1\n1'
is "the configuration socket answers" "$(in_ns a wg show "$A" listen-port)" 51821
is "path: xdp, native" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.xdp_mode) \(.nic) \(.why)"')" \
	"xdp xdp native eth0 null"
is "nothing was dropped" "$(show a "$A" '.drops | length')" 0
ok "pinned maps" test -e "$PINS/$A/sessions"
is "the pin directory is root's alone" "$(stat -c '%a %U' "$PINS/$A")" "700 root"
ok "one XDP program on the NIC" eval "in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
ok "show for people" eval "in_ns a '$WGXDP' show '$A' | grep -q native"
refuses "attach again" 1 "$A.*(in use|already)" in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf"
refuses "... from another namespace" 1 "$A.*in use by.* in network namespace $ID-a" \
	in_ns b "$WGXDP" attach eth0 "$TMP/$A.conf"
is "... did no harm" "$(state)" UP
ok "detach" down a "$A"
clean "detach leaves nothing" a "$A"
refuses "detach again" 1 "$A" in_ns a "$WGXDP" detach "$A"

# --- which AEAD -----------------------------------------------------------------------------------

best_aead()
{
	local flag
	for flag in avx512vl:avx512 avx2:avx2; do
		! grep -qw "${flag%:*}" /proc/cpuinfo || { echo "${flag#*:}" && return; }
	done
	echo libsodium
}

refuses "an AEAD that nobody knows, and which there are" 2 "--aead fast: .*auto, .*libsodium" \
	up --aead fast
ok "attach" up
is "the best AEAD of this CPU is taken" "$(show a "$A" .path.aead)" "$(best_aead)"
ok "detach" down a "$A"
ok "attach --aead libsodium" up --aead libsodium
is "... is what show says" "$(show a "$A" .path.aead)" libsodium
ok "detach" down a "$A"

# --- the ways to end it ---------------------------------------------------------------------------

ends() # WHAT COMMAND...
{
	local what=$1
	shift
	ok "up, to be ended by $what" up
	ok "$what" "$@"
	clean "$what leaves nothing" a "$A"
}

by_signal() { kill "-$1" "$(daemon_pid a "$A")"; }

ends "SIGTERM" by_signal TERM
ends "SIGINT" by_signal INT
ends "ip link delete" in_ns a ip link delete "$A"
ends "rm of the configuration socket" rm "$SOCKETS/$A.sock"
ends "detach by path of the config" in_ns a "$WGXDP" detach "$TMP/$A.conf"

# A daemon in the foreground is what a unit starts.
spawn a "$WGXDP" attach eth0 "$TMP/$A.conf" --foreground >"$TMP/log" 2>&1
foreground=$!
ok "attach --foreground" wait_for 10 eval "in_ns a ip -o address show dev $A | grep -q 10.99.0.1"
ok "... stays there" test -e /proc/$foreground
kill -TERM $foreground
wait $foreground
is "... SIGTERM: exit status" $? 0
clean "... leaves nothing" a "$A"

# --- Ctrl-C in the middle ----------------------------------------------------------------------------

# Wherever it hits: when the command has ended by it all is undone, or it was done before and the status
# is 0. Without timeout's --foreground it would hit the daemon, too.
interrupt() # SECONDS
{
	local status=0 left
	in_ns a timeout --foreground --preserve-status -s INT "$1" "$WGXDP" attach eth0 "$TMP/$A.conf" 2>"$TMP/log" || status=$?
	left=$(leftovers a "$A")
	case $status-$left in
	130-) interrupted=$((interrupted + 1)) ;;
	0-*) down a "$A" ;;
	*)
		fail "attach interrupted after $1 s" "status $status, left: $left, said: $(cat "$TMP/log")"
		down a "$A"
		;;
	esac
}

config | conf "$A" >/dev/null
interrupted=0
for delay in 0.01 0.02 0.03 0.05 0.07 0.1 0.13 0.16 0.2 0.3; do interrupt $delay; done
holds "Ctrl-C, at some moment of an attach: nothing is left when it returns" $interrupted -ge 1

# --- a name before DNS is up -------------------------------------------------------------------------

# As at boot: the name server does not answer, and then the name is known. Both files lie in a mount
# namespace of the command's own.
echo "nameserver 127.0.0.1" >"$TMP/resolv.conf"
: >"$TMP/hosts"
config | sed 's/192.0.2.2:/peer.example:/' | conf "$A" >/dev/null

early()
{
	# shellcheck disable=SC2016 # for the other shell
	spawn a env --default-signal=INT unshare -m sh -c 'mount --bind "$1/hosts" /etc/hosts &&
		mount --bind "$1/resolv.conf" /etc/resolv.conf && shift && exec "$@"' - \
		"$TMP" "$WGXDP" attach eth0 "$TMP/$A.conf" >"$TMP/log" 2>&1
	early=$!
	wait_for 20 grep -q "peer.example.*looked up" "$TMP/log"
}

ok "attach before DNS is up waits, and says for what" early
sleep 2
is "... once" "$(grep -c . "$TMP/log")" 1
kill -INT "$early"
wait "$early"
is "... Ctrl-C ends it" $? 130
clean "... nothing was begun" a "$A"
ok "again" early
echo "192.0.2.2 peer.example" >>"$TMP/hosts"
wait "$early"
is "... when DNS is up it goes on" $? 0
is "... with the address" "$(in_ns a wg show "$A" endpoints | cut -f 2)" 192.0.2.2:51822
ok "... detach" down a "$A"
clean "... nothing left" a "$A"

# --- kill -9 --------------------------------------------------------------------------------------

murder()
{
	local pid
	pid=$(daemon_pid a "$A")
	kill -KILL "$pid" && wait_for 5 test ! -e "/proc/$pid"
}

no_program() { ! in_ns a ip -d link show dev eth0 | grep -q prog/xdp; }

ok "up" up
ok "kill -9" murder
ok "... takes the XDP program with it" wait_for 2 no_program
ok "... the NIC goes on" in_ns a ping -q -c 1 -W 2 192.0.2.2
ok "... attach again" up
is "... is up" "$(state) $(show a "$A" .path.rx)" "UP xdp"
ok "kill -9 again" murder
ok "... detach cleans up after the dead" down a "$A"
clean "... nothing left" a "$A"
ok "up, with clsact" eval "config | WGXDP_FORCE_CLSACT=1 ours a '$A' --rx udp --tx xdp"
managed() { in_ns a ip -d neighbour show | grep managed; }
ok "... a neighbour is managed" wait_for 5 managed
ok "kill -9 once more" murder
ok "... detach from another namespace cleans up where it was" down b "$A"
clean "... nothing left" a "$A"
is "... no filter, no qdisc" "$(in_ns a tc qdisc show dev eth0 clsact)" ""
ok "... no neighbour" eval "! managed"

# --- the world moves on ---------------------------------------------------------------------------

ok "up" up
ok "NIC down and up" eval "in_ns a ip link set eth0 down && in_ns a ip link set eth0 up"
is "... still attached" "$(show a "$A" .path.rx)" xdp
in_ns a ip address add 2001:db8::1/64 dev eth0 nodad # which went with the link

# What cannot be a message of ours is dropped, or passed on when the host begins to forward.
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
	in_ns a sysctl -n $switch >"$TMP/out" 2>&1 || continue # force_forwarding: Linux 6.17
	ok "the host does not forward: junk is dropped" wait_for 5 counts_as drops $address
	in_ns a sysctl -qw $switch=1
	ok "$switch: it is passed on" wait_for 5 counts_as passes $address
	in_ns a sysctl -qw $switch=0
done
ok "the host does not forward: junk is dropped" wait_for 5 counts_as drops 192.0.2.1
ok "NIC deleted" in_ns b ip link delete eth0
is "... the daemon lives" "$(in_ns a wg show "$A" listen-port)" 51821
ok "... and detaches" down a "$A"
clean "... nothing left" a "$A"

done_testing
