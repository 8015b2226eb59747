#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A flood to a peer behind a slow link does not push out the packets to another peer. The packets to
# both peers leave by the same UDP socket of a worker, and so share its send buffer.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1, 10 Mbit/s ════ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2
#                     └── eth1 198.51.100.1 ════════ 198.51.100.2 eth0 ── c: wgxdp 10.99.0.3

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ping tc

A=${ID}a B=${ID}b C=${ID}c
BLAST=$BUILD/tools/udpblast
[ -x "$BLAST" ] || skip_all "needs $BLAST; see make"
udp=(--rx udp --tx udp)

# Prints how many messages to b did not fit into the send buffer, one number per drop reason.
unsent() { show a "$A" ".drops.tx_full // 0, .drops.send_failed // 0"; }
unsent_above() { [ "$(unsent | jq -s add)" -gt "$1" ]; }

ns_add a b c
join a eth0 b eth0
cable eth1 c 198.51.100
keys a b c
ours a "$A" "${udp[@]}" < <(
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822
	peer c AllowedIPs=10.99.0.3/32 Endpoint=198.51.100.2:51822)
ours b "$B" "${udp[@]}" < <(conf_b Endpoint=192.0.2.1:51821)
ours c "$C" "${udp[@]}" < <(
	interface c ListenPort=51822 Address=10.99.0.3/24
	peer a AllowedIPs=10.99.0.1/32 Endpoint=198.51.100.1:51821)
ok "both peers answer" eval "wait_for 5 pinged a 10.99.0.2 && wait_for 5 pinged a 10.99.0.3"

# The queue of the shaper is longer than the send buffer, so that the buffer becomes full. On a busy
# machine the TUN device's queue overflows, too, so a few pings may be lost. Without fair shares of
# the send buffer, nearly all pings would be lost.
in_ns a tc qdisc add dev eth0 root tbf rate 10mbit burst 64kb limit 100mb
spawn a "$BLAST" send 10.99.0.2 9 --length 1300 --rate 10000 --seconds 120 >/dev/null
flood=$!
ok "the flood fills the send buffer" wait_for 20 unsent_above 1000
pings=$(answers 50 a 10.99.0.3)
ok "the flood still runs" kill -0 $flood
kill $flood
holds "the pings of the other peer are answered" "$pings" -ge 45
# The worker notices a full buffer only when a send fails, so a few sends fail.
holds "few sends fail" \
	"$(show a "$A" '.drops.send_failed // 0')" -le 1000

in_ns a tc qdisc del dev eth0 root
ok "the first peer is reached again" wait_for 5 pinged a 10.99.0.2
done_testing
