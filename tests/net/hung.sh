#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A daemon that hangs. Its heartbeat goes stale after 2.5 s: then XDP gives its packets to the stack,
# where they wait for it in the UDP sockets; the host's other traffic passes all the time.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  wireguard-go 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

ok "attach" ours a "$A" < <(conf_a)
ok "wireguard-go" stranger_b "$B"

no_loss() { pinged a 10.99.0.2 20 0.02; }
others_pass() { pinged b 192.0.2.1 10 0.02; }
from_b() { in_ns b ping -q -i 0.02 -c 10 -W 1 10.99.0.1 >/dev/null; }
received() { show a "$A" ".path.rx_packets.$1"; }

ok "ping, no loss" no_loss
is "... not by UDP" "$(received udp)" 0
pid=$(daemon_pid a "$A")
kill -STOP "$pid"
ok "stopped: the NIC passes what is others'" others_pass
sleep 2.6
from_b
ok "stale: the NIC passes what is others'" others_pass
kill -CONT "$pid"
ok "continued: ping, no loss" no_loss
is "... what came meanwhile waited in the UDP socket" "$(received udp)" 10
before=$(received xsk)
ok "... ping, no loss" no_loss
holds "... by XSK again" $(($(received xsk) - before)) -ge 20
kill -STOP "$pid"
kill -KILL "$pid"
ok "stopped and killed: the NIC passes what is others'" others_pass
ok "... attach at once" in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf"
ok "... ping, no loss" no_loss
ok "detach" down a "$A"
clean "nothing left" a "$A"

done_testing
