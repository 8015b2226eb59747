#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Two nodes are connected by an unreliable link. Data arrives complete, and forged packets change
# nothing. Every datagram that the link delivers is passed on or counted as dropped.
#
#   ┌────── a ──────┐          ┌─────── m ───────┐          ┌────── b ──────┐
#   │ wgxdp    eth0 ════ left  middlebox.py  right ════ eth0  wgxdp,        │
#   │ 10.99.0.1     │          │  drop duplicate │          │ wireguard-go  │
#   │ 192.0.2.1     │          │  reorder cut ...│          │ 10.99.0.2     │
#   └───────────────┘          └─────────────────┘          │ 192.0.2.2     │
#                                                           └───────────────┘
# The test prints SEED; a run with the same SEED has the same faults. BYTES by TCP and DATAGRAMS by
# UDP are sent in each direction, repeatedly until LASTS seconds are over. OUTERS lists the IP
# versions of the outer packets (4, 6). With FROM_THE_START=1 the first handshake also meets the
# faults.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wireguard-go jq ip ethtool ping bpftool
need_cryptography

SEED=${SEED:-$(($(date +%s) % 100000))}
A=${ID}a B=${ID}b
keys a b
diag "SEED=$SEED"

# Switches offloads off, so that frames stay as the middlebox makes them.
plain() # NS NIC
{
	in_ns "$1" ethtool -K "$2" tx off tso off gso off gro off >/dev/null
}

wire()
{
	ns_add a m b
	for end in "a left 1" "b right 2"; do
		# shellcheck disable=SC2086 # $end is three words
		set -- $end
		ip link add eth0 netns "$ID-$1" type veth peer name "$2" netns "$ID-m"
		in_ns m sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
		in_ns "$1" ip address add "192.0.2.$3/24" dev eth0
		in_ns "$1" ip address add "2001:db8::$3/64" dev eth0 nodad
		in_ns m ip link set "$2" up
		in_ns "$1" ip link set eth0 up
		plain m "$2"
		plain "$1" eth0
	done
	spawn m /usr/bin/python3 "$(dirname "$0")/middlebox.py" left right "$SEED" "$TMP/box"
	wait_for 5 in_ns a ping -q -c 1 -W 1 192.0.2.2
	wait_for 5 in_ns a ping -q -c 1 -W 1 2001:db8::2
}

box()
{
	/usr/bin/python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode())
print(s.recv(4096).decode(), end="")' "$TMP/box" "$*"
}

endpoint() # OUTER HOST
{
	[ "$1" = 4 ] && echo "192.0.2.$2:5182$2" || echo "[2001:db8::$2]:5182$2"
}

up_a() # PATH OUTER
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32 Endpoint="$(endpoint "$2" 2)")
}

up_b() # KIND PATH OUTER
{
	if [ "$1" = ours ]; then
		ours b "$B" --rx "$2" --tx "$2" < <(
			interface b ListenPort=51822 Address=10.99.0.2/24
			peer a AllowedIPs=10.99.0.1/32 Endpoint="$(endpoint "$3" 1)")
		return
	fi
	foreign b "$B" < <(
		interface b ListenPort=51822
		peer a AllowedIPs=10.99.0.1/32 Endpoint="$(endpoint "$3" 1)") &&
		in_ns b ip address add 10.99.0.2/24 dev "$B" &&
		in_ns b ip link set "$B" mtu 1420 up
}

greet() { in_ns a ping -q -c 1 -W 1 10.99.0.2; }

through() # KIND PATH OUTER
{
	local what="wgxdp by $2 and $1, outer v$3"
	ok "$what: a attaches" up_a "$2" "$3"
	ok "$what: b starts" up_b "$@"
	box forget >/dev/null
	[ -z "${FROM_THE_START-}" ] || box faults on >/dev/null
	ok "$what: a reaches b" wait_for 90 greet
	box faults off >/dev/null
	python_tap "$what: " faults.py "$TMP/box" "$ID-a,$A,ours" "$ID-b,$B,$1" "$ID-m" \
		"${BYTES:-300000}" "${DATAGRAMS:-400}" "$SEED" "${LASTS:-0}"
	down a "$A"
	if [ "$1" = ours ]; then down b "$B"; else foreign_down "$B"; fi
}

wire
for path in xdp udp; do
	for outer in ${OUTERS:-4}; do
		through ours $path "$outer"
		through go $path "$outer"
	done
done
is "each kind of fault happened in each direction" \
	"$(box counts | jq -c '[.[] | to_entries[] | select(.value == 0).key] - ["refused"]')" "[]"
clean "nothing is left" a "$A"
done_testing
