#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `wgxdp attach --foreground` as the main process of a service, with a socket of the test in place
# of the service manager's. When addresses and routes are set, the daemon reports that it is ready.
# It notifies the watchdog while every worker makes progress, and finally reports that it is
# stopping.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no node

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq

A=${ID}a
HEARD=$TMP/heard

config()
{
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32,10.98.0.0/16 Endpoint=192.0.2.2:51820
}

# Starts the daemon with the environment that systemd gives to a service: the manager listens at
# SOCKET. Sets DAEMON to the daemon's PID.
serve() # SOCKET WATCHDOG_USEC COMMAND...
{
	local manager=$1 usec=$2
	shift 2
	: >"$HEARD"
	spawn a /usr/bin/python3 tests/net/service.py listen "$manager" "$ID-a" "$A" >>"$HEARD"
	LISTENER=$!
	wait_for 5 grep -q listening "$HEARD"
	# shellcheck disable=SC2016 # the inner shell expands $$, the PID that the daemon keeps
	spawn a env NOTIFY_SOCKET="$manager" WATCHDOG_USEC="$usec" \
		sh -c 'WATCHDOG_PID=$$ exec "$@"' - "$@" >"$TMP/log" 2>&1
	DAEMON=$!
}

heard() { grep -cE -- "$1" "$HEARD"; }
hears() { wait_for 5 grep -qE -- "$1" "$HEARD"; }

# Counts the lines of $HEARD that match REGEX, but only from the line READY=1 on. service.py prints
# the addresses and routes after READY=1.
by_then() { sed -n '/^READY/,$p' "$HEARD" | grep -cE -- "$1"; } # REGEX

ready_with() { [ "$(by_then .)" -ge "$1" ]; } # LINES

ends() # STATUS
{
	local status=0
	wait "$DAEMON" || status=$?
	kill "$LISTENER"
	[ "$status" = "$1" ]
}

ns_add a b
join a eth0 b eth0
keys a b
path=$(conf "$A" < <(config))

# --- attach ---------------------------------------------------------------------------------------

serve "$TMP/manager" 400000 "$WGXDP" attach eth0 "$path" --foreground --workers 2 \
	--rx udp --tx udp
ok "READY=1 is sent" hears '^READY=1$'
wait_for 5 ready_with 3
is "at READY=1 the address is set" "$(by_then 'inet 10\.99\.0\.1/24')" 1
is "at READY=1 the routes are set" "$(by_then '10\.98\.0\.0/16.*10\.99\.0\.0/24')" 1
is "STATUS says that the interface is up" "$(heard '^STATUS=Up, port 51820$')" 1
is "the main process of the service is the daemon" \
	"$(in_ns a ss -Hlunp sport = 51820 | grep -o 'pid=[0-9]*' | sort -u)" "pid=$DAEMON"
ok "the watchdog is answered" hears '^WATCHDOG=1$'
in_ns a ip link set "$A" down
ok "link down: STATUS says so" hears '^STATUS=The interface is down$'
: >"$HEARD"
ok "link down: the watchdog is answered" hears '^WATCHDOG=1$'
in_ns a ip link set "$A" up
ok "link up: STATUS says so" hears '^STATUS=Up, port 51820$'

: >"$HEARD"
ok "reload succeeds" in_ns a "$WGXDP" reload "$A"
hears '^READY'
is "reload: RELOADING=1 comes, and READY=1 after it" \
	"$(grep -E '^(RELOADING|READY)' "$HEARD" | sed 's/=[0-9]\{6,\}$/=us/' | paste -sd ' ')" \
	"RELOADING=1 MONOTONIC_USEC=us READY=1"

# While one of two workers is stopped, the event loop still runs, but must not answer the watchdog.
/usr/bin/python3 tests/net/service.py hold "$DAEMON" bash -c "
	for _ in {1..100}; do
		nsenter --net=/run/netns/$ID-a '$WGXDP' logs '$A' >'$TMP/logs'
		! grep -q hangs '$TMP/logs' || break
		sleep 0.05
	done
	: >'$HEARD'
	sleep 0.7 # time for three answers to the watchdog
	cp '$HEARD' '$TMP/meanwhile'" >"$TMP/hold" 2>&1
is "a worker is stopped" "$?$(cat "$TMP/hold")" 0
is "while a worker hangs, the watchdog is not answered" "$(cat "$TMP/meanwhile")" ""
is "the log says once that a worker hangs" "$(grep -c 'error: worker [01] hangs' "$TMP/logs")" 1
: >"$HEARD"
ok "the worker goes on: the watchdog is answered again" hears '^WATCHDOG=1$'
down a "$A"
ok "detach ends the daemon with success" ends 0
is "STOPPING=1 is sent" "$(heard '^STOPPING=1$')" 1
clean "nothing is left" a "$A"

# --- wgxdp -f, and attach in the background -------------------------------------------------------

serve "@$ID" 0 "$WGXDP" -f "$A"
ok "wgxdp -f: READY=1 is sent to an abstract socket" hears '^READY=1$'
is "wgxdp -f: after READY=1 wg gets an answer" "$(in_ns a wg show "$A" fwmark)" off
kill "$DAEMON"
ok "SIGTERM ends the daemon with success" ends 0
is "without WATCHDOG_USEC the daemon sends no WATCHDOG=1" "$(heard WATCHDOG)" 0

serve "$TMP/manager2" 0 "$WGXDP" attach eth0 "$path"
ok "attach in the background succeeds" wait_for 5 test -S "$RUN/$A.sock"
down a "$A"
ends 0
is "the daemon in the background is not the main process and sends no messages" \
	"$(cat "$HEARD")" listening
clean "nothing is left" a "$A"

done_testing
