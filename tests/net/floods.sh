#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 240
#
# Floods of handshakes and of forged packets, also from a peer's own address and port. A peer with a
# session keeps it, a peer without a session gets a session, and the flooder's packets are counted.
#
#   ┌──────── a ────────┐            ┌────────────── b ──────────────┐
#   │ wgxdp, a hub      │            │ floods.py: 192.0.2.2 a peer   │
#   │ :51821       eth0 ════════ eth0 192.0.2.3 another source        │
#   │ 192.0.2.1         │    veth    │ 192.0.2.66 the flooder         │
#   └───────────────────┘            └───────────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip
need_cryptography

A=${ID}a
keys a forger second
wg genpsk >"$TMP/psk"
ns_add a b
join a eth0 b eth0
for host in 3 66; do in_ns b ip address add "192.0.2.$host/24" dev eth0; done

hub() # PATH OPTIONS...
{
	ours a "$A" --rx "$1" --tx "$1" "${@:2}" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer forger PresharedKey="$(cat "$TMP/psk")" AllowedIPs=10.99.0.2/32,fd99::2/128
		peer second AllowedIPs=10.99.0.5/32)
}

floods() # PREFIX VERB ARGUMENT...
{
	local prefix=$1
	shift
	python_tap "$prefix: " floods.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" "$TMP" "$@"
}

for path in xdp udp; do
	ok "$path: attach succeeds" hub $path
	floods $path established
	down a "$A"
	ok "$path: attach --handshake-rate 1 succeeds" hub $path --handshake-rate 1
	floods $path cookies
	down a "$A"
done

clean "nothing is left" a "$A"
done_testing
