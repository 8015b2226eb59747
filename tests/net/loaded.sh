#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Cookies between wgxdp and wireguard-go. First wgxdp is under load, then wireguard-go. In both
# cases the first initiation is answered by a cookie reply, and a later initiation carries a mac2
# and leads to a session.
#
#   ┌──────── a ────────┐            ┌──────── b ────────┐
#   │ wgxdp             │            │ wireguard-go      │
#   │ 10.99.0.1    eth0 ════════ eth0 10.99.0.9         │
#   │ 192.0.2.1         │    veth    │ 192.0.2.2         │
#   │ .67 floods b      │            │ .66 floods a      │
#   └───────────────────┘            └───────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping wireguard-go
need_cryptography

A=${ID}a B=${ID}b
keys a a2 forger go
wg genpsk >"$TMP/psk"
ns_add a b
join a eth0 b eth0
for host in 3 66; do in_ns b ip address add "192.0.2.$host/24" dev eth0; done
in_ns a ip address add 192.0.2.67/24 dev eth0

up() # PATH
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64
		peer go AllowedIPs=10.99.0.9/32 Endpoint=192.0.2.2:51822)
}

go_up()
{
	foreign b "$B" < <(
		interface go ListenPort=51822
		peer a AllowedIPs=10.99.0.1/32 Endpoint=192.0.2.1:51821) &&
		in_ns b ip address add 10.99.0.9/24 dev "$B" && in_ns b ip link set "$B" up
}

for path in xdp udp; do
	ok "$path: wgxdp attaches" up $path
	ok "$path: wireguard-go starts" go_up
	python_tap "$path: " floods.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" "$TMP" foreign \
		"$FOREIGN_PID" "$B"
	foreign_down "$B"
	down a "$A"
done
clean "nothing is left" a "$A"
done_testing
