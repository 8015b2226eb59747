#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `wgxdp set wg0 debug on|off`: the four messages of wg(4), with the peer where it is known and the
# address where it is not; also for what died in XDP, in TC and in a worker. So many a second, and how
# many there were besides. And where an operator finds them.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: debug.py

cd "$(dirname "$0")/../.." || exit 1
# /dev/log is to be ours: in a mount namespace of this process and its children.
if [ "$(id -u)" -eq 0 ] && [ -z "${OUTSIDE-}" ]; then
	OUTSIDE=$(readlink /proc/self/ns/mnt) exec unshare --mount --propagation slave bash "$0" "$@"
fi
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping
need_cryptography

A=${ID}a
LOG=$TMP/log

config()
{
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b Name=bob AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}

# A /dev with what a daemon needs, and with nothing of the machine's in it.
own_dev()
{
	[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
	mount -t tmpfs -o mode=755 tmpfs /dev
	mknod -m 666 /dev/null c 1 3
	mknod -m 666 /dev/urandom c 1 9
	mkdir /dev/net
	mknod -m 600 /dev/net/tun c 10 200
	ln -s /proc/self/fd /dev/fd
}

provoke() # ACTION [COUNT]
{
	/usr/bin/python3 tests/net/debug.py "$ID-b" "$(key b)" "$(pub a)" "$@"
}

debug() { in_ns a "$WGXDP" set "$A" debug "$1" >"$TMP/said"; }

said() { grep -cE -- "$1" "$LOG"; }

# says WHAT REGEX: just one line matches it, before long
says()
{
	wait_for 5 grep -qE -- "$2" "$LOG"
	is "$1" "$(said "$2")" 1
	: >"$LOG"
}

dropped() { show a "$A" ".drops.$1 // 0"; }
died() { [ "$(dropped "$1")" = "$2" ]; } # REASON PACKETS

attach() # OPTIONS...
{
	local path
	path=$(conf "$A" < <(config))
	: >"$LOG"
	spawn a env "$WGXDP" attach eth0 "$path" --foreground "$@" >>"$LOG" 2>&1
	wait_for 10 eval 'in_ns a ss -Hlun sport = 51820 | grep -q .'
	wait_for 5 grep -q ": up, port" "$LOG"
}

# Of a flood some lines are said, and how many more there were: all of them together. On a busy machine
# it may last longer than a second.
told()
{
	said "Invalid initiation MAC from 192"
	sed -n 's/.*Invalid initiation MAC from \.\.\. and \([0-9]*\) more like it$/\1/p' "$LOG"
}

all_told() { [ "$(($(told | paste -sd +)))" -ge "$1" ]; } # COUNT

flood() # WHAT COUNT
{
	sleep 1.1 # the second of what came before is over
	: >"$LOG"
	provoke mac "$2"
	wait_for 8 all_told "$2"
	is "$1: those said and those not" "$(($(told | paste -sd +)))" "$2"
	holds "$1: not all are said" "$(told | head -1)" -lt "$2"
}

# It takes a moment until the programs know that the host forwards.
passed_on()
{
	provoke mac
	sleep 0.2
	grep -q "Invalid initiation MAC from 192\.0\.2\.2:51820$" "$LOG"
}

on_path() # PATH HOOK
{
	local path=$1 hook=$2
	attach --rx "$path" --tx "$path"
	: >"$LOG"
	provoke mac
	provoke stranger
	wait_for 5 died bad_handshake 1
	is "$path, off: nothing is said" "$(cat "$LOG")" ""
	is "$path, off: but counted" "$(dropped bad_mac1) $(dropped bad_handshake)" "1 1"
	ok "$path: set debug on" debug on
	ok "... says where to look" \
		grep -qE "^$A: debugging is on; see the standard error of process [0-9]+: $LOG\$" "$TMP/said"
	is "... and show knows" "$(show a "$A" .debug)" true

	: >"$LOG"
	provoke mac
	says "$path: a wrong mac1, dropped by $hook" \
		"Invalid initiation MAC from 192\.0\.2\.2:51820 \(dropped by $hook\)$"
	provoke stranger
	says "$path: an initiation of nobody we know" \
		"Invalid handshake initiation from 192\.0\.2\.2:51820$"
	provoke replay
	says "$path: one of a peer, replayed" \
		"Invalid handshake initiation from $BOB \(192\.0\.2\.2:51820\)$"
	provoke spoof 2
	wait_for 5 died unallowed_source 2
	wait_for 5 grep -q fd00::77 "$LOG"
	is "$path: sources that are not the peer's" "$(
		said "Packet has unallowed src IP \((10\.99\.0\.77|fd00::77)\) from $BOB \(192\.0\.2\.2:51820\)$"
	)" 2
	flood "$path: 40 wrong mac1" 40

	in_ns a sysctl -qw net.ipv4.ip_forward=1
	ok "$path, forwarding: a wrong mac1 that comes as far as the daemon" wait_for 5 passed_on
	in_ns a sysctl -qw net.ipv4.ip_forward=0

	ok "$path: set debug off" debug off
	: >"$LOG"
	provoke stranger
	provoke spoof
	wait_for 5 died unallowed_source 3
	is "$path, off again: nothing is said" "$(cat "$LOG")" ""
	down a "$A"
}

ns_add a b
join a eth0 b eth0
keys a b
BOB="peer $(pub b | sed 's/[+/]/\\&/g') \\(bob\\)"

on_path xdp XDP
on_path udp "TC on the NIC"

# --- a handshake that nobody answers ----------------------------------------------------------------

attach
debug on
: >"$LOG"
in_ns a ping -q -c 1 -W 1 10.99.0.2 >/dev/null
wait_for 8 grep -q "did not complete" "$LOG"
says "a handshake that is not answered" \
	"Handshake for $BOB \(192\.0\.2\.2:51820\) did not complete after 5 seconds, retrying$"
down a "$A"

# --- a daemon without a terminal: syslog --------------------------------------------------------------

ours a "$A" < <(config)
own_dev
ok "nobody listens: it is said" debug on
ok "... with what to do" grep -q "nobody listens on /dev/log, .*--foreground" "$TMP/said"
: >"$LOG"
spawn a /usr/bin/python3 -c '
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
while True:
    print(s.recv(4096).decode(), flush=True)' >>"$LOG"
wait_for 5 test -S /dev/log
ok "syslog: set debug on" debug on
pid=$(daemon_pid a "$A")
ok "... says where to look" grep -qF "$A: debugging is on; see \`journalctl -f _PID=$pid\`, or wgxdp[$pid] in" "$TMP/said"
provoke stranger
says "syslog has it, facility daemon, severity debug" \
	"^<31>[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} wgxdp\[$pid\]: $A: Invalid handshake initiation from 192\.0\.2\.2:51820$"
down a "$A"

refuses "set: another word than debug" 2 "usage: wgxdp set IFACE" "$WGXDP" set "$A" fwmark on
refuses "set: neither on nor off" 2 "usage: wgxdp set IFACE" "$WGXDP" set "$A" debug yes
refuses "set: no such interface" 1 "no wgxdp serves this interface" "$WGXDP" set "$A" debug on
is "set: an unknown member is refused" "$(
	ours a "$A" < <(config)
	/usr/bin/python3 - "$RUN/$A.sock" <<-'EOF'
		import socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		for request in (b'{"op":"set"}\n', b'{"op":"set","debug":1}\n'):
		    s.sendall(request)
		    print(s.recv(4096).decode().strip())
	EOF
)" "$(printf '{"error":"what this daemon can set is \\"debug\\": true or false"}\n%.0s' 1 2)"
down a "$A"
done_testing
