#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One datagram to a closed port is answered by an ICMP error, and no more data follows. The receiver
# of the error sends one keepalive after ten seconds, and then both sides are silent; neither side
# answers a keepalive with a keepalive. The test covers wireguard-go and wgxdp, each as
# sender and as receiver, by AF_XDP and by UDP sockets. All pairs run at once.
#
#   a0 ═══ b0   a1 ═══ b1   ...   each a pair of nodes: wgxdp at a, wireguard-go or wgxdp at b

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd wireguard-go wg jq

#      path  other  sender
pairs=("xdp go    a" "xdp go    b" "udp go    a" "udp go    b" "xdp wgxdp a" "udp wgxdp a")
keys a b

config() # SIDE OTHER NUMBER [ADDRESS]
{
	local n=$((3 - $3))
	interface "$1" ListenPort="5182$3" Address="${4-}"
	peer "$2" AllowedIPs="10.99.0.$n/32" Endpoint="192.0.2.$n:5182$n"
}

up() # I PATH OTHER
{
	local i=$1 path=$2
	ns_add "a$i" "b$i"
	join "a$i" eth0 "b$i" eth0
	ours "a$i" "${ID}a$i" --rx "$path" --tx "$path" < <(config a b 1 10.99.0.1/24) || return
	if [ "$3" = wgxdp ]; then
		ours "b$i" "${ID}b$i" --rx "$path" --tx "$path" < <(config b a 2 10.99.0.2/24)
		return
	fi
	foreign "b$i" "${ID}b$i" < <(config b a 2) || return
	in_ns "b$i" ip address add 10.99.0.2/24 dev "${ID}b$i"
	in_ns "b$i" ip link set "${ID}b$i" mtu 1420 up
}

# Prints the bytes of UDP payload that the sender received and sent.
transfer()
{
	local i=$1 side
	side=$(cut -c 11 <<<"${pairs[i]}")
	in_ns "$side$i" wg show "$ID$side$i" transfer | cut -f 2,3 | tr '\t' ' '
}

all_are() # "RECEIVED SENT"
{
	local i
	for i in "${!pairs[@]}"; do [ "$(transfer "$i")" = "$1" ] || return 1; done
}

for i in "${!pairs[@]}"; do
	read -r path other sender <<<"${pairs[i]}"
	ok "$path, $other, $sender sends: both start" up "$i" "$path" "$other"
done
for i in "${!pairs[@]}"; do
	read -r _ _ sender <<<"${pairs[i]}"
	to=10.99.0.2
	[ "$sender" = a ] || to=10.99.0.1
	# The datagram goes to a closed port, so an ICMP error comes back. Nothing else enters the
	# tunnel, because no peer's AllowedIPs contain the addresses of the kernel's own multicast.
	in_ns "$sender$i" bash -c "echo hello > /dev/udp/$to/9"
done
DATA=$((16 + 48 + 16)) # the IP packet has 34 bytes, padded to 48; the ICMP error 62, padded to 64
ERROR=$((16 + 64 + 16))
wait_for 5 all_are "$((92 + ERROR)) $((148 + DATA))"
for i in "${!pairs[@]}"; do
	is "${pairs[i]}: there are a handshake, the datagram and an ICMP error" "$(transfer "$i")" \
		"$((92 + ERROR)) $((148 + DATA))"
done
# The ICMP error is the last data packet, so the sender of the datagram must answer the error with a
# keepalive.
sleep 13 # the keepalive comes after ten seconds, and nothing may follow it
for i in "${!pairs[@]}"; do
	is "${pairs[i]}: a keepalive answers the error" "$(transfer "$i")" \
		"$((92 + ERROR)) $((148 + DATA + 32))"
done
sleep 25 # more than two keepalive intervals of 10 s
for i in "${!pairs[@]}"; do
	is "${pairs[i]}: then there is silence" "$(transfer "$i")" \
		"$((92 + ERROR)) $((148 + DATA + 32))"
done

done_testing
