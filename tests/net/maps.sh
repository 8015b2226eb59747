#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 120
#
# The BPF maps contain the state of the peers. The test compares `bpftool map dump`, field by field,
# with `wg show dump`, with the values that the test has set, and with the peers to which the
# workers send packets. A test node and a tap see each receiver index on the wire.
#
#   ┌───────────── a ─────────────┐            ┌────────── b ──────────┐
#   │ wgxdp   10.99.0.1  fd99::1  │            │ maps.py: a node of    │
#   │ :51821  192.0.2.1       eth0 ════════ eth0 wgpeer.py; a tap      │
#   └─────────────────────────────┘    veth    └───────────────────────┘
#
# With LONG=1 the test also waits for sessions to expire, which takes 190 s.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq bpftool ip
need_cryptography
ns_add a b
join a eth0 b eth0
in_ns a sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
A=${ID}a
keys a forger second
wg genpsk >"$TMP/psk"

ok "attach succeeds" ours a "$A" --rx xdp --tx xdp < <(
	interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
	peer forger Name="the forger, a name that is longer than there is room" \
		PresharedKey="$(cat "$TMP/psk")" AllowedIPs=10.99.0.2/32,fd99::2/128
	peer second Name=second AllowedIPs=10.99.0.0/24,fd99::/64)
in_ns a ip route add 10.16.0.0/12 dev "$A"
in_ns a ip -6 route add fd10::/16 dev "$A"

python_tap "" maps.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" "$TMP"
down a "$A"
clean "nothing is left" a "$A"

done_testing
