#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `attach --confirm` removes the tunnel again and runs the PostDown hook, unless `wgxdp confirm`
# runs in time.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no WireGuard

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq

ns_add a b
join a eth0 b eth0
keys a b
A=${ID}a
{
	interface a ListenPort=51820 Address=10.99.0.1/24 PostDown="echo down >> $TMP/hooks"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
} | conf "$A" >/dev/null
attach() { in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" "$@" </dev/null; }
confirm() { in_ns a "$WGXDP" confirm "$A"; }

refuses "attach --confirm says what to do" \
	0 "wgxdp confirm $A.* within 1 seconds" attach --confirm 1
ok "without confirm everything is undone" wait_for 5 no_leftovers a "$A"
is "the PostDown hook has run" "$(cat "$TMP/hooks")" down
ok "attach --confirm with more time succeeds" attach --confirm 60
holds "show tells how many seconds are left" "$(show a "$A" .config.confirm)" -gt 50
ok "confirm succeeds" confirm
is "after confirm, show tells no seconds" "$(show a "$A" .config.confirm)" null
refuses "a second confirm is refused" 1 "nothing to confirm" confirm
is "the process that waited for confirm has ended" "$(ip netns pids "$ID-a" | wc -l)" 1
ok "detach succeeds" down a "$A"
is "the PostDown hook has run once more" "$(wc -l <"$TMP/hooks")" 2
ok "attach --confirm succeeds once more" attach --confirm 60
ok "detach before the time is over succeeds" down a "$A"
clean "nothing is left" a "$A"
refuses "a time of 0 is refused" 2 "1 to 86400" attach --confirm 0
done_testing
