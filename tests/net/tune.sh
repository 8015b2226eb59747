#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `attach --tune` announces, records and then makes the changes that `probe` advises for a NIC.
# `detach` undoes these changes, also after a `kill -9`, except for settings that somebody else has
# changed since. Without --tune nothing is changed.
#
#   a: eth0, 1 of 4 queues ═══ eth0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip jq ethtool
cpus=$(nproc)
wanted=$((cpus < 4 ? cpus : 4))
[ "$wanted" -gt 1 ] || skip_all "needs two CPUs: with one worker there is nothing to tune"

A=${ID}a
ns_add a b
ip link add eth0 netns "$ID-a" numrxqueues 4 numtxqueues 4 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 4 numtxqueues 1
in_ns a ethtool -L eth0 rx 1 tx 1
in_ns a ip link set eth0 up
in_ns b ip link set eth0 up
keys a b
file=$(interface a Address=10.99.0.1/24 | conf "$A")

channels() { in_ns a "$WGXDP" probe eth0 --json | jq -r '.channels | "\(.rx) \(.tx)"'; }
receives_on() { [ "$(show a "$A" .path.queues)" = "$1" ]; } # COUNT
have() { [ "$(channels)" = "$*" ]; }
attach() { in_ns a "$WGXDP" attach eth0 "$file" "$@" </dev/null; }

refuses "attach --tune says which command it runs" 0 \
	"eth0: --tune runs .ethtool -L eth0 rx $wanted tx $wanted., which may take the link \
down for a moment; detach runs .ethtool -L eth0 rx 1 tx 1." attach --tune
is "the command has taken effect" "$(channels)" "$wanted $wanted"
is "after that more workers run" "$(show a "$A" '.path | "\(.rx) \(.workers)"')" "xdp $wanted"
ok "the old settings are recorded" test -s "$RUN/$A.nics"
ok "detach succeeds" down a "$A"
is "detach has undone the change" "$(channels)" "1 1"
clean "nothing is left" a "$A"

ok "attach --tune succeeds again" attach --tune
in_ns a ethtool -L eth0 rx 3 tx 3
ok "the daemon follows a change by somebody else" wait_for 5 receives_on 3
is "the daemon does not tune again" "$(channels)" "3 3"
ok "detach succeeds" down a "$A"
is "detach keeps the change by somebody else" "$(channels)" "3 3"
in_ns a ethtool -L eth0 rx 1 tx 1

ok "attach --tune succeeds before kill -9" attach --tune
kill -9 "$(daemon_pid a "$A")"
is "after kill -9 the change stays" "$(channels)" "$wanted $wanted"
refuses "detach after kill -9 says that the daemon was killed" \
	0 "the daemon had been killed" down a "$A"
is "that detach has undone the change" "$(channels)" "1 1"
clean "nothing is left" a "$A"

ok "attach --tune succeeds before another kill -9" attach --tune
kill -9 "$(daemon_pid a "$A")"
lost="$RUN/$A.nics: Input/output error; if this does not go away, remove the file"
refuses "attach fails if it cannot read the old settings" 1 "$lost" \
	unreadable a "$RUN/$A.nics" "$WGXDP" attach eth0 "$file"
refuses "detach fails then, too" 1 "run .wgxdp detach $A. again: .*$lost" \
	unreadable a "$RUN/$A.nics" "$WGXDP" detach "$A"
is "the change stays" "$(channels)" "$wanted $wanted"
ok "the next attach, without --tune, succeeds" attach
is "that attach has undone the change, and changes nothing else" "$(channels)" "1 1"
ok "detach succeeds" down a "$A"

spawn a env WGXDP_TUNE=1 WGXDP_NIC=eth0 "$WGXDP" -f "$A" 2>"$TMP/log"
pid=$!
ok "WGXDP_TUNE=1 does the same for wg-quick's interfaces" wait_for 5 have "$wanted $wanted"
wait_for 5 test -S "$SOCKETS/$A.sock"
kill "$pid"
wait "$pid"
is "the changes of WGXDP_TUNE=1 are undone when the daemon ends" "$(channels)" "1 1"
clean "nothing is left" a "$A"

done_testing
