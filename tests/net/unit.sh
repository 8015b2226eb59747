#!/bin/bash
# SPDX-License-Identifier: MIT
#
# wgxdp@.service: systemd finds no fault in the unit, and rates its exposure as docs/operations.md
# states. The unit's commands run under its sandbox (capabilities, no_new_privs, seccomp, files,
# devices), which sandbox.py sets up, because PID 1 of the test is not systemd. Every feature works
# in the sandbox.
#
#   a: the unit, 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping nft systemd-analyze

A=${ID}a B=${ID}b
UNIT=$TMP/wgxdp@$A.service
sed "s|/usr/local/sbin/wgxdp|$WGXDP|" configs/wgxdp@.service >"$UNIT"

# ASan's leak detector needs ptrace, which the unit does not allow. No memory is locked under ASan,
# so the test then does not check VmLck.
under_asan() { ldd "$WGXDP" | grep -q libasan; }
if under_asan; then
	export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0
fi

# --- what systemd says about the unit -------------------------------------------------------------

is "systemd-analyze verify finds nothing" "$(systemd-analyze verify --man=no "$UNIT" 2>&1)" ""
exposure=$(systemd-analyze security --offline=true --no-pager "$UNIT" |
	grep -oE 'level for .*: [0-9.]+' | grep -oE '[0-9.]+$')
stated=$(grep -oE 'exposure level of [0-9.]+[0-9]' docs/operations.md | grep -oE '[0-9.]+$')
is "systemd-analyze security: the exposure that docs/operations.md states" "$exposure" "$stated"

# --- the unit's commands in the sandbox -----------------------------------------------------------

# Prints the command line of KEY (ExecStart, ExecReload or ExecStop) as systemd would expand it: %i,
# $WGXDP_NIC and $WGXDP_OPTIONS become INSTANCE, NIC and OPTIONS.
command_of() # KEY INSTANCE NIC OPTIONS
{
	sed -n "s/^$1=//p" "$UNIT" |
		sed -e "s|%i|$2|; s|\$WGXDP_NIC|${3-}|; s|\$WGXDP_OPTIONS|${4-}|"
}

sandboxed() # COMMAND...
{
	in_ns a /usr/bin/python3 tests/net/sandbox.py "$UNIT" "$@"
}

start() # NIC OPTIONS
{
	local command
	read -ra command < <(command_of ExecStart "$TMP/$A.conf" "$1" "$2")
	: >"$TMP/heard"
	rm -f "$TMP/manager"
	spawn a /usr/bin/python3 tests/net/service.py listen "$TMP/manager" "$ID-a" "$A" \
		>"$TMP/heard"
	LISTENER=$!
	wait_for 5 grep -q listening "$TMP/heard"
	spawn a env NOTIFY_SOCKET="$TMP/manager" /usr/bin/python3 tests/net/sandbox.py "$UNIT" \
		"${command[@]}" >"$TMP/log" 2>&1
	DAEMON=$!
	wait_for 10 grep -q READY=1 "$TMP/heard"
}

stop()
{
	local command status=0
	read -ra command < <(command_of ExecStop "$A")
	sandboxed "${command[@]}" || status=$?
	wait "$DAEMON" || status=$?
	kill "$LISTENER"
	wait "$LISTENER" 2>/dev/null
	return "$status"
}

status_of() { sed -n "s/^$1:\t//p" "/proc/$DAEMON/status"; }
xsk_sent() { show a "$A" .path.tx_packets.xsk; }
complaints() { grep -vE "^\[#\]|: (up|down), |: up$|AF_XDP uses this NIC now|exiting" "$TMP/log"; }

ns_add a b c
join a eth0 b eth0
keys a b
# The hooks do what the hooks in the documentation do: write files, use process substitution, and
# call ip, nft and wg.
hooks()
{
	sed "/^Address/a\\
PreUp = echo pre-up >>$TMP/hooks\\
PostUp = cat <(echo post-up %i) >>$TMP/hooks; ip rule add pref 77 iif %i lookup main\\
PostUp = nft add table ip $ID; wg show %i listen-port >>$TMP/hooks\\
PreDown = nft delete table ip $ID; ip rule delete pref 77\\
PostDown = echo post-down >>$TMP/hooks"
}
path=$(conf "$A" < <(conf_a | hooks))
ok "the other node attaches" ours b "$B" < <(conf_b)

ok "xdp: the service is ready" start eth0 "--rx xdp --tx xdp"
is "no_new_privs and seccomp hold for the daemon" \
	"$(status_of NoNewPrivs) $(status_of Seccomp)" "1 2"
is "the daemon has all rights that the unit allows, and no other" \
	"$(status_of CapEff)" "$(status_of CapBnd)"
is "the unit does not allow CAP_SYS_PTRACE" "$((0x$(status_of CapBnd) >> 19 & 1))" 0
is "the daemon does not report missing rights" "$(complaints)" ""
is "ten pings are answered" "$(answers 10 a 10.99.0.2)" 10
holds "the pings leave by AF_XDP" "$(xsk_sent)" -ge 10
is "the hooks have run" "$(paste -sd ' ' "$TMP/hooks")" "pre-up post-up $A 51821"
ok "a hook was permitted to make its nft table" in_ns a nft list table ip "$ID"
is "the maps are pinned" "$(show a "$A" .path.pinned)" "$PINS/$A"
under_asan || holds "memory is locked" "$(status_of VmLck | tr -dc 0-9)" -gt 0
ok "set debug succeeds in the sandbox" sandboxed "$WGXDP" set "$A" debug on
ok "logs succeeds in the sandbox" eval "sandboxed '$WGXDP' logs '$A' | grep -q 'up, port 51821'"
reload()
{
	local command
	read -ra command < <(command_of ExecReload "$A")
	sandboxed "${command[@]}"
}
echo "PersistentKeepalive = 21" >>"$path"
ok "ExecReload succeeds in the sandbox" reload
is "the reload applies the changed file" "$(show a "$A" '.peers[0].persistent_keepalive')" 21
ok "the daemon can open a port below 1024" in_ns a wg set "$A" listen-port 443
is "with that port ten pings are answered" "$(answers 10 a 10.99.0.2)" 10
in_ns a ip link set "$A" netns "$ID-c"
in_ns c ip address add 10.99.0.1/24 dev "$A"
in_ns c ip link set "$A" up
ok "the interface moves to another namespace" wait_for 5 in_ns c ping -q -c 1 -W 1 10.99.0.2
ok "the service stops" stop
is "the PostDown hook has run" "$(paste -sd ' ' "$TMP/hooks")" "pre-up post-up $A 51821 post-down"
is "the hooks have undone their settings" \
	"$(in_ns a ip rule show pref 77; in_ns a nft list tables)" ""
clean "nothing is left" a "$A"

# A full tunnel, with its rules and its nft table.
sed -i 's|^AllowedIPs.*|AllowedIPs = 0.0.0.0/0|' "$path"
ok "udp, two workers: the service is ready" start eth0 "--rx udp --tx udp --workers 2"
is "ten pings are answered" "$(answers 10 a 10.99.0.2)" 10
is "the daemon does not report missing rights" "$(complaints)" ""
ok "data takes the table of the full tunnel" eval \
	"in_ns a ip route get 203.0.113.9 | grep -q 'dev $A table '"
kill -KILL "$DAEMON"
{ wait "$DAEMON"; kill "$LISTENER"; } 2>/dev/null
ok "killed: the service is ready again" start "" ""
ok "killed: the new daemon has found its NIC" eval "[ '$(show a "$A" .path.nic)' = eth0 ]"
is "killed: ten pings are answered" "$(answers 10 a 10.99.0.2)" 10
ok "killed: the service stops" stop
clean "nothing is left" a "$A"

# --- a hook that needs more than the sandbox allows ----------------------------------------------

# Writes `wgxdp@.service` with the lines of a drop-in, as `systemctl edit` would add them.
drop_in() # LINE...
{
	sed "/^\[Service\]/r /dev/stdin" configs/wgxdp@.service < <(printf '%s\n' "$@") |
		sed "s|/usr/local/sbin/wgxdp|$WGXDP|" >"$UNIT"
}

sed -i "/^P[a-z]*Up\|^P[a-z]*Down/d; /^Address/aPostUp = chroot / true" "$path"
ok "the hook works without systemd" in_ns a "$WGXDP" attach eth0 "$path" </dev/null
ok "detach succeeds without systemd" down a "$A"
read -ra command < <(command_of ExecStart "$TMP/$A.conf" eth0)
refuses "in the sandbox the hook is not permitted, and its output says so" 1 \
	"Operation not permitted" sandboxed "${command[@]}"
clean "in the sandbox: nothing is left" a "$A"
drop_in CapabilityBoundingSet=CAP_SYS_CHROOT
ok "with a drop-in the hook is permitted" start eth0 "--rx udp --tx udp"
ok "the service with the drop-in stops" stop
mapfile -t lines < <(sed -n '/^    \[Service\]/,/^$/s/^    //p' docs/operations.md)
drop_in "${lines[@]:1}"
is "systemd-analyze verify finds nothing in the drop-in of docs/operations.md" \
	"${#lines[@]} $(systemd-analyze verify --man=no "$UNIT" 2>&1)" "4 "

# --- faults that a restart does not fix -----------------------------------------------------------

prevented() { sed -n 's/^RestartPreventExitStatus=//p' "$UNIT" | grep -qw "$1"; }
ends_with() # STATUS NIC OPTIONS
{
	local command status=0
	read -ra command < <(command_of ExecStart "$TMP/$A.conf" "$2" "$3")
	sandboxed "${command[@]}" || status=$?
	[ "$status" = "$1" ]
}
ok "an unknown option ends with status 2" ends_with 2 eth0 --colour
ok "status 2 prevents a restart" prevented 2
sed -i 's/^ListenPort.*/ListenPort = http/' "$path"
ok "a wrong config file ends with status 78" ends_with 78 eth0 ""
ok "status 78 prevents a restart" prevented 78
down b "$B"
done_testing
