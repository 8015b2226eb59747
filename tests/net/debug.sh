#!/bin/bash
# SPDX-License-Identifier: MIT
#
# With `wgxdp set wg0 debug on` the daemon logs four events in the words of OpenBSD's wg(4), even if
# XDP, TC or a worker dropped the packet. Each line has the address, and the peer if the peer is
# known. For a flood, the log has only a few lines per second, and the number of suppressed lines.
# logs.sh tests where the lines go.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: debug.py

cd "$(dirname "$0")/../.." || exit 1
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

debug() { in_ns a "$WGXDP" set "$A" debug "$1" >"$TMP/said"; }

said() { grep -cE -- "$1" "$LOG"; }

# Waits up to five seconds for a line of the log that matches, and expects exactly one.
says() # WHAT REGEX
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

# Prints how many messages have a line of their own, then N of each line "... and N more like it".
# The sum of these numbers is the size of the flood.
told()
{
	said "Invalid initiation MAC from 192|dropped a packet of .*: mac1 is wrong.* key$"
	sed -n 's/.*\.\.\. and \([0-9]*\) more like it$/\1/p' "$LOG"
}

all_told() { [ "$(($(told | paste -sd +)))" -ge "$1" ]; } # COUNT

flood() # WHAT COUNT ACTION
{
	sleep 1.1 # the limit is per second, so wait until the current second is over
	: >"$LOG"
	provoke "$3" "$2"
	wait_for 8 all_told "$2"
	is "$1: the lines and the counts add up" "$(($(told | paste -sd +)))" "$2"
	holds "$1: not every message has a line of its own" "$(told | head -1)" -lt "$2"
}

# After the host begins to forward, the BPF programs learn of this with a delay. The caller
# therefore repeats this check.
passed_on()
{
	provoke mac
	wait_for 1 grep -q "Invalid initiation MAC from 192\.0\.2\.2:51820$" "$LOG"
}

on_path() # PATH HOOK
{
	local path=$1 hook=$2
	attach --rx "$path" --tx "$path"
	: >"$LOG"
	provoke mac
	provoke stranger
	wait_for 5 died bad_handshake 1
	is "$path, off: nothing is logged" "$(cat "$LOG")" ""
	is "$path, off: the drops are counted" "$(dropped bad_mac1) $(dropped bad_handshake)" "1 1"
	ok "$path: set debug on succeeds" debug on
	ok "$path: the command says where to look" \
		grep -qE "^$A: debugging is on; see the standard error of process [0-9]+: $LOG\$" \
		"$TMP/said"
	is "$path: show says that debugging is on" "$(show a "$A" .debug)" true

	: >"$LOG"
	provoke mac
	says "$path: a message with a wrong mac1 is logged as dropped by $hook" \
		"Invalid initiation MAC from 192\.0\.2\.2:51820 \(dropped by $hook\)$"
	provoke stranger
	says "$path: an initiation from an unknown key is logged with its address" \
		"Invalid handshake initiation from 192\.0\.2\.2:51820$"
	provoke replay
	says "$path: a replayed initiation is logged with its peer" \
		"Invalid handshake initiation from $BOB \(192\.0\.2\.2:51820\)$"
	provoke spoof 2
	wait_for 5 died unallowed_source 2
	wait_for 5 grep -q fd00::77 "$LOG"
	is "$path: packets with sources that are not the peer's are logged" "$(
		said "Packet has unallowed src IP $SPOOFED from $BOB \(192\.0\.2\.2:51820\)$"
	)" 2
	flood "$path: 40 wrong mac1" 40 mac
	flood "$path: 40 wrong mac1 of two kinds" 40 macs

	in_ns a sysctl -qw net.ipv4.ip_forward=1
	ok "$path, forwarding: a wrong mac1 that reaches the daemon is logged" wait_for 5 passed_on
	in_ns a sysctl -qw net.ipv4.ip_forward=0

	ok "$path: set debug off succeeds" debug off
	: >"$LOG"
	provoke stranger
	provoke spoof
	wait_for 5 died unallowed_source 3
	is "$path, off again: nothing is logged" "$(cat "$LOG")" ""
	down a "$A"
}

ns_add a b
join a eth0 b eth0
keys a b
SPOOFED="\((10\.99\.0\.77|fd00::77)\)"
BOB="peer $(pub b | sed 's/[+/]/\\&/g') \\(bob\\)"

on_path xdp XDP
on_path udp "TC on the NIC"

# --- a handshake without an answer ----------------------------------------------------------------

attach
debug on
: >"$LOG"
in_ns a ping -q -c 1 -W 1 10.99.0.2 >/dev/null
wait_for 8 grep -q "did not complete" "$LOG"
says "a handshake that is not answered is logged" \
	"Handshake for $BOB \(192\.0\.2\.2:51820\) did not complete after 5 seconds, retrying$"
down a "$A"

refuses "set refuses a word other than debug" 2 "usage: wgxdp set IFACE" "$WGXDP" set "$A" fwmark on
refuses "set refuses a value other than on and off" 2 "usage: wgxdp set IFACE" "$WGXDP" set "$A" \
	debug yes
refuses "set refuses an interface that does not exist" 1 "no wgxdp serves this interface" "$WGXDP" \
	set "$A" debug on
is "the daemon refuses an unknown member of set" "$(
	ours a "$A" < <(config)
	/usr/bin/python3 - "$RUN/$A.sock" <<-'EOF'
		import json, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.connect(sys.argv[1])
		for request in (b'{"op":"set"}\n', b'{"op":"set","debug":1}\n'):
		    s.sendall(request)
		    print(json.loads(s.recv(4096))["error"])
	EOF
)" "$(printf 'this daemon can set only "debug": true or false\n%.0s' 1 2)"
down a "$A"
done_testing
