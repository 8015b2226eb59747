#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon hangs. After 2.5 s its heartbeat is stale, and XDP passes the tunnel's packets to the
# stack, where they wait in the UDP socket. The host's other traffic passes all the time.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

ok "attach succeeds" ours a "$A" < <(conf_a)
ok "wireguard-go starts" stranger_b "$B"

no_loss() { pinged a 10.99.0.2 20 0.02; }
others_pass() { pinged b 192.0.2.1 10 0.02; }
from_b() { in_ns b ping -q -i 0.02 -c 10 -W 1 10.99.0.1 >/dev/null; }
received() { show a "$A" ".path.rx_packets.$1"; }

ok "no ping is lost" no_loss
is "no packet arrives by UDP" "$(received udp)" 0
pid=$(daemon_pid a "$A")
kill -STOP "$pid"
ok "stopped: the NIC passes other traffic" others_pass
# The heartbeat becomes stale after 2.5 s. Nothing outside the daemon shows that this has happened.
sleep 2.6
from_b
ok "stale: the NIC passes other traffic" others_pass
kill -CONT "$pid"
ok "continued: no ping is lost" no_loss
is "continued: ten packets had waited in the UDP socket" "$(received udp)" 10
is "continued: show says that ten packets passed" "$(show a "$A" .passes.stalled)" 10
before=$(received xsk)
ok "continued: again no ping is lost" no_loss
holds "continued: packets arrive by AF_XDP again" $(($(received xsk) - before)) -ge 20
kill -STOP "$pid"
kill -KILL "$pid"
ok "killed: the NIC passes other traffic" others_pass
ok "killed: attach succeeds at once" in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf"
ok "killed: no ping is lost after that" no_loss
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

done_testing
