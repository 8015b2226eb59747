#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# A hub starts, and all its peers handshake at once. They share one address, as if they were behind
# one NAT. The hub is under load and sends cookies. Each peer has a session within 30 s, the time of
# six attempts.
#
#   ┌──────── a ────────┐            ┌──────────── b ─────────────┐
#   │ wgxdp, a hub      │            │ floods.py: 192.0.2.2       │
#   │ :51821       eth0 ════════ eth0 SWARM peers, a port each    │
#   │ 192.0.2.1         │    veth    │ 192.0.2.66: a flooder      │
#   └───────────────────┘            └────────────────────────────┘
#
# With LONG=1 a second swarm follows on each path, while a flood keeps the hub under load, so that
# the rate limit per source address applies.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip
need_cryptography

SWARM=${SWARM:-1000}
A=${ID}a
keys a forger
wg genpsk >"$TMP/psk"
ns_add a b
join a eth0 b eth0
for host in 3 66; do in_ns b ip address add "192.0.2.$host/24" dev eth0; done
/usr/bin/python3 "$(dirname "$0")/floods.py" peers "$SWARM" >"$TMP/swarm"

hub() # PATH
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64,10.98.255.1/16
		cat "$TMP/swarm")
}

swarm() # PREFIX HOW
{
	python_tap "$1: " floods.py "$(daemon_pid a "$A")" "$A" "$ID-a" "$ID-b" "$TMP" swarm \
		"$SWARM" "$2"
}

for path in xdp udp; do
	ok "$path: a hub of $SWARM peers attaches" hub $path
	swarm $path quick
	down a "$A"
	if [ -n "${LONG-}" ]; then
		ok "$path: the hub attaches again, in a flood" hub $path
		swarm "$path, flooded" loaded
		down a "$A"
	fi
done
clean "nothing is left" a "$A"
done_testing
