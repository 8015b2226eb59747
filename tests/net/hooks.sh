#!/bin/bash
# SPDX-License-Identifier: MIT
#
# attach and detach run PreUp, PostUp, PreDown and PostDown as wg-quick(8) does. The hooks also run
# with --foreground, after kill -9, and if the config file was changed, broken or removed meanwhile.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no WireGuard

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq bash nft

ns_add a b
join a eth0 b eth0
keys a b
A=${ID}a LOG=$TMP/hooks.log

config() # HOOK...: "PostUp=command"
{
	interface a ListenPort=51820 Address=10.99.0.1/24 "$@"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}

# Prints a hook for each KIND. The hook logs KIND, and 1 if the interface exists or 0 if not.
logged() # KIND...
{
	local kind
	for kind; do
		echo "$kind=echo $kind \$(ip -br link show dev %i 2>/dev/null | wc -l) >> $LOG"
	done
}

attach() { in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" "$@" </dev/null; }
mapfile -t all < <(logged PreUp PostUp PreDown PostDown)
RECORD="PreUp 0 PostUp 1 PreDown 1 PostDown 0"
seen() { tr '\n' ' ' <"$LOG" | sed 's/ $//'; }

# --- what hooks can do ----------------------------------------------------------------------------

FIREWALL='nft add table ip %i; nft add chain ip %i keep "{ type filter hook forward priority 0; }"'
config "${all[@]}" \
	"PostUp=wg set %i private-key <(cat $TMP/b.key) peer $(pub a) && date > $TMP/%i.date" \
	"PostUp=$FIREWALL" "PostDown=nft delete table ip %i" \
	"PostUp=[[ \$INTERFACE == %i ]]" \
	"PostUp=[[ %i == +(wx)* ]]; grep -E '^Sig(Blk|Ign)' /proc/self/status > $TMP/signals" \
	"PostUp=ls -l /proc/self/fd > $TMP/fds" | conf "$A" >/dev/null
ok "attach with hooks succeeds" eval "attach 2>$TMP/printed"
ok "each hook is printed as it runs" grep -qF "[#] nft add table ip $A;" "$TMP/printed"
is "the key of a process substitution is set" "$(in_ns a wg show "$A" public-key)" "$(pub b)"
ok "\$(...) and redirections work" test -s "$TMP/$A.date"
ok "the firewall has the chain" in_ns a nft list chain ip "$A" keep
# A hook ignores the signals that the test's shell ignores, such as SIGHUP under nohup.
ignored=$(awk '/^SigIgn/ { print $2 }' /proc/self/status)
is "no signal is blocked, and no other signal is ignored" \
	"$(awk '{ printf "%s ", $2 }' "$TMP/signals")" "0000000000000000 $ignored "
is "no descriptor is inherited" "$(grep -c 'socket:' "$TMP/fds")" 0
ok "detach succeeds" down a "$A"
is "the hooks ran in order" "$(seen)" "$RECORD"
is "PostDown has removed the firewall's table" "$(in_ns a nft list tables)" ""
clean "nothing is left" a "$A"

# --- hooks that fail ------------------------------------------------------------------------------

for kind in PreUp PostUp; do
	config "$kind=false; true" | conf "$A" >/dev/null
	refuses "$kind fails: attach says so" 1 "$A.conf: $kind = false; true: exit status 1" attach
	clean "$kind fails: nothing is left" a "$A"
done
config "PreDown=false" "PreDown=echo still >> $LOG" "PostDown=exit 3" | conf "$A" >/dev/null
: >"$LOG"
ok "attach with hooks that will fail" attach
refuses "detach reports each failed hook" 1 "PreDown = false: exit status 1" \
	eval "down a $A 2>$TMP/printed || { cat $TMP/printed; false; }"
ok "detach also reports the last failed hook" \
	grep -q "PostDown = exit 3: exit status 3" "$TMP/printed"
is "the hook between the failed hooks ran" "$(seen)" still
clean "the tunnel is down nevertheless" a "$A"

# The signal is sent to the attach process only, and not to its hook.
config "PostUp=echo \$\$ > $TMP/pid; exec sleep 60" | conf "$A" >/dev/null
rm -f "$TMP/pid"
(exec nsenter --net="/run/netns/$ID-a" "$WGXDP" attach eth0 "$TMP/$A.conf" >"$TMP/out" 2>&1) &
command=$!
wait_for 5 test -s "$TMP/pid"
kill -TERM "$command"
wait "$command"
is "a signal during PostUp ends attach" $? 143
ok "the hook has ended" eval "! kill -0 $(cat "$TMP/pid")"
clean "everything is undone" a "$A"
# --- which hooks detach runs ----------------------------------------------------------------------

ends() # WHAT STATUS WANT: `detach` ends with STATUS, and the hooks have written WANT
{
	: >"$LOG"
	refuses "$1: detach ends with status $2" "$2" "" down a "$A"
	is "$1: the right hooks ran" "$(seen)" "$3"
	clean "$1: nothing is left" a "$A"
}

mapfile -t old < <(logged PreDown PostDown)
config "${old[@]}" | conf "$A" >/dev/null
attach && config "PostDown=echo new >> $LOG" | conf "$A" >/dev/null
ends "the file was changed" 0 new
config "${old[@]}" | conf "$A" >/dev/null
attach && echo '[Pear]' >>"$TMP/$A.conf"
ends "the file is broken" 0 "PreDown 1 PostDown 0"
config "${old[@]}" | conf "$A" >/dev/null
attach && rm "$TMP/$A.conf"
ends "the file is gone" 0 "PreDown 1 PostDown 0"
config "${old[@]}" | conf "$A" >/dev/null
killed() # kills the daemon, and waits until its interface is gone
{
	kill -KILL "$(daemon_pid a "$A")" && wait_for 5 eval "! in_ns a ip link show dev $A"
}
attach && killed
ends "kill -9" 0 "PreDown 0 PostDown 0"
attach && killed
: >"$LOG"
ok "attach after kill -9 succeeds" attach
is "that attach has run the hooks of the dead daemon" "$(seen)" "PreDown 0 PostDown 0"
ends "a new daemon after kill -9" 0 "PreDown 1 PostDown 0"

# --- in the foreground ----------------------------------------------------------------------------

: >"$LOG"
config "${all[@]}" | conf "$A" >/dev/null
spawn a "$WGXDP" attach --foreground "$TMP/$A.conf" >"$TMP/foreground" 2>&1
wait_for 5 grep -q PostUp "$LOG"
ok "the interface is up" wait_for 5 show a "$A" .interface
down a "$A"
wait "$!"
is "in the foreground the hooks run in order, too" "$(seen)" "$RECORD"
spawn a "$WGXDP" attach --foreground "$TMP/$A.conf" >"$TMP/foreground" 2>&1
daemon=$!
wait_for 5 eval "grep -c PostUp $LOG | grep -q 2 && show a $A .interface"
# Wait until the command that attached has ended, so that only the daemon is left.
wait_for 5 eval "[ \"\$(daemon_pid a '$A')\" = '$daemon' ]"
kill "$daemon"
ok "a signal ends the daemon" wait "$daemon"
is "a signal runs the same hooks as detach" "$(seen)" "$RECORD $RECORD"
refuses "after the signal, detach finds no tunnel" 1 "no wgxdp serves" down a "$A"
clean "a signal: nothing is left" a "$A"

# While a PreDown hook hangs, a second signal ends the daemon. When the hook is killed, the
# remaining hooks run.
config "PreDown=sleep 60" "PostDown=echo after >> $LOG" | conf "$A" >/dev/null
: >"$LOG"
ok "attach succeeds with a hook that will hang" attach
daemon=$(daemon_pid a "$A" | head -1)
kill "$daemon"
sleepers() # prints the PID of the hook, if it runs
{
	local pid
	for pid in $(ip netns pids "$ID-a"); do
		! grep -aq sleep "/proc/$pid/cmdline" || echo "$pid"
	done
}
ok "the hook runs" wait_for 5 eval "[ -n \"\$(sleepers)\" ]"
is "while the hook runs, the tunnel is still up" "$(show a "$A" .interface)" "$A"
kill "$daemon"
ok "a second signal takes the tunnel down" wait_for 5 eval "! in_ns a ip link show dev $A"
ended() # kills the hook; succeeds once no hook is running
{
	local pids
	mapfile -t pids < <(sleepers)
	[ ${#pids[@]} = 0 ] || { kill "${pids[@]}" && return 1; }
}
ok "the hook is ended" wait_for 5 ended
ok "when the hook has ended, the other hooks run" wait_for 5 grep -q after "$LOG"
clean "a hook that hangs: nothing is left" a "$A"

# A PostDown hook hangs. The interface is already gone, and the daemon only waits for the hook. In
# this state, too, a second signal ends the daemon.
config "PostDown=sleep 60" | conf "$A" >/dev/null
ok "attach succeeds with a PostDown that will hang" attach
daemon=$(daemon_pid a "$A" | head -1)
kill "$daemon"
ok "PostDown runs" wait_for 5 eval "[ -n \"\$(sleepers)\" ] && ! in_ns a ip link show dev $A"
kill "$daemon"
ok "a second signal ends the daemon" wait_for 5 eval "! kill -0 $daemon"
ok "the hook is ended" wait_for 5 ended
ok "ExecStop finds nothing to do" in_ns a env SERVICE_RESULT=success "$WGXDP" detach "$A"
clean "a PostDown that hangs: nothing is left" a "$A"

# While SIGSTOP suspends the daemon, SIGTERM and a request from `detach` arrive. After SIGCONT,
# SIGTERM ends the daemon before the daemon answers the request. `detach` succeeds nevertheless.
config | conf "$A" >/dev/null
ok "attach succeeds without hooks" attach
daemon=$(daemon_pid a "$A" | head -1)
kill -STOP "$daemon"
kill "$daemon"
(exec nsenter --net="/run/netns/$ID-a" "$WGXDP" detach "$A" >"$TMP/out" 2>&1) &
command=$!
ok "detach waits for the daemon" wait_for 5 grep -q unix_stream "/proc/$command/wchan"
kill -CONT "$daemon"
ok "detach succeeds although a signal ended the daemon" wait "$command"
clean "a stopped daemon: nothing is left" a "$A"

# If two detaches run at the same time, the first one runs the hooks. The second one waits, and then
# fails because the tunnel is already down.
mkfifo "$TMP/gate"
config "PreDown=echo pre >> $LOG; cat $TMP/gate" "PostDown=echo post >> $LOG" | conf "$A" >/dev/null
ok "attach succeeds with hooks" attach
: >"$LOG"
down a "$A" &
first=$!
wait_for 5 grep -q pre "$LOG"
down a "$A" 2>"$TMP/second" &
second=$!
ok "the second detach waits" \
	wait_for 5 grep -q "another command is running the hooks of this interface" "$TMP/second"
echo >"$TMP/gate"
ok "the first detach succeeds" wait $first
wait $second
is "the second detach finds nothing" $? 1
is "each hook has run once" "$(tr '\n' ' ' <"$LOG")" "pre post "
clean "two detaches: nothing is left" a "$A"

# A signal, like detach, saves the configuration if SaveConfig is true.
config SaveConfig=true | conf "$A" >/dev/null
ok "attach succeeds with SaveConfig" attach
in_ns a wg set "$A" peer "$(pub a)" remove peer "$(pub b)" persistent-keepalive 21
kill "$(daemon_pid a "$A")"
ok "a signal saves the configuration" wait_for 5 grep -q "PersistentKeepalive = 21" "$TMP/$A.conf"
clean "SaveConfig: nothing is left" a "$A"

done_testing
