#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A daemon logs to syslog or to the journal, with the identifier wgxdp[IFACE], or to neither if no
# program listens on their sockets. `wgxdp set wg0 debug on` says where the log goes. In each case
# `wgxdp logs` prints the last lines from the daemon's memory, and never a secret.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: debug.py

cd "$(dirname "$0")/../.." || exit 1
OWN_MOUNTS=yes # a mount namespace of its own, for private /dev/log and journal sockets
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping
need_cryptography

A=${ID}a
LOG=$TMP/log

config()
{
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b PresharedKey="$(key psk)" Name=bob AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}

# Mounts a private /dev with the devices that a daemon needs, and a private /run/systemd.
own_places()
{
	[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
	mount -t tmpfs -o mode=755 tmpfs /dev
	mknod -m 666 /dev/null c 1 3
	mknod -m 666 /dev/urandom c 1 9
	mkdir /dev/net
	mknod -m 600 /dev/net/tun c 10 200
	ln -s /proc/self/fd /dev/fd
	mkdir -p /run/systemd
	mount -t tmpfs -o mode=755 tmpfs /run/systemd
	mkdir /run/systemd/journal
}

# Receives datagrams at SOCKET, and writes each to LOG, with the word "end" appended.
listen_at() # SOCKET
{
	: >"$LOG"
	spawn a /usr/bin/python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
while True:
    print(s.recv(4096).decode() + "end", flush=True)' "$1" >>"$LOG"
	wait_for 5 test -S "$1"
}

debug() { in_ns a "$WGXDP" set "$A" debug "$1" >"$TMP/said"; }
logs() { in_ns a "$WGXDP" logs "$A" >"$TMP/logs" 2>&1; }
remembers() { logs && grep -qE -- "$1" "$TMP/logs"; } # REGEX
not() { ! "$@"; }

ns_add a b
join a eth0 b eth0
keys a b psk
own_places
STAMP="20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}\.[0-9]{3}"
INVALID="Invalid handshake initiation from 192\.0\.2\.2:51820"

# --- nowhere, then syslog -------------------------------------------------------------------------

ours a "$A" < <(config)
ok "set debug on succeeds where nobody listens on /dev/log" debug on
ok "the command says so, and what to do" \
	grep -q "nobody listens on /dev/log, .*wgxdp logs $A.*--foreground" "$TMP/said"
provoke stranger
ok "nowhere: wgxdp logs has the line" wait_for 5 remembers "^$STAMP debug: $INVALID\$"
ok "nowhere: wgxdp logs has what came before debugging was on" \
	grep -qE "^$STAMP info: up, port 51820\$" "$TMP/logs"
listen_at /dev/log
ok "syslog: set debug on succeeds" debug on
pid=$(daemon_pid a "$A")
ok "syslog: the command says where to look" grep -qF \
	"$A: debugging is on; see \`journalctl -f -t 'wgxdp[$A]'\`, or wgxdp[$A] in" "$TMP/said"
provoke stranger
DATE="[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}"
ok "syslog receives the line, with facility daemon and severity debug" \
	wait_for 5 grep -qE "^<31>$DATE wgxdp\[$A\]\[$pid\]: ${INVALID}end\$" "$LOG"
logs
is "syslog: wgxdp logs has both lines" "$(grep -cE "$INVALID" "$TMP/logs")" 2
ok "wgxdp logs prints no secret" not grep -qF -e "$(key a)" -e "$(key psk)" "$TMP/logs"
down a "$A"
refuses "logs refuses an interface that does not exist" 1 "no wgxdp serves this interface" \
	in_ns a "$WGXDP" logs "$A"
refuses "logs refuses a second name" 2 "usage: wgxdp logs IFACE" "$WGXDP" logs "$A" "$A"

# --- the journal ----------------------------------------------------------------------------------

listen_at /run/systemd/journal/socket
touch "$TMP/stream"
path=$(conf "$A" < <(config))
stream=$(stat -c %d:%i "$TMP/stream")
JOURNAL_STREAM=$stream LOG_LEVEL=debug \
	in_ns a "$WGXDP" attach eth0 "$path" </dev/null 2>"$TMP/stream"
fields="PRIORITY=6 SYSLOG_FACILITY=3 SYSLOG_IDENTIFIER=wgxdp[$A] WGXDP_INTERFACE=$A"
ok "the journal receives a message with the fields that name the interface" \
	wait_for 5 eval "paste -sd ' ' '$LOG' | grep -qF '$fields MESSAGE=up, port 51820 end'"
debug on
ok "journal: the command says where to look" grep -qxF \
	"$A: debugging is on; see \`journalctl -f -t 'wgxdp[$A]'\`" "$TMP/said"
ok "journal: wgxdp logs has the line" remembers "^$STAMP info: up, port 51820\$"
is "journal: standard error is not used" "$(cat "$TMP/stream")" ""
down a "$A"
done_testing
