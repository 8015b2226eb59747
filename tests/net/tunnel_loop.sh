#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# An endpoint's route may leave by the attached NIC, by another NIC, through another tunnel, or
# through another peer of the same tunnel. It may also lead into its own tunnel: then packets are
# dropped and counted, and cause no storm.
#
#   ┌───────────── a ─────────────┐            ┌──────────── b ─────────────┐
#   │ A   10.99.0.1 :51820        │            │ B   10.99.0.2 :51820       │
#   │ A2  10.98.0.1 :51821        │            │ B2  10.98.0.2 :5           │
#   │ 192.0.2.1, 2001:db8::1  eth0 ════════ eth0  192.0.2.2, 2001:db8::2    │
#   │ 198.51.100.1            eth1 ════════ eth1  198.51.100.2              │
#   └─────────────────────────────┘            └────────────────────────────┘
#
# The tunnel A2-B2 runs in the tunnel A-B:
#   A2 ─▶ 10.99.0.2:5 ─▶ A ─▶ 192.0.2.2:51820 ═▶ B ─▶ B2
# Or both B and B2 are peers of the interface A. The endpoint of B2 is then an allowed IP of B:
#   A, peer B2 ─▶ 10.99.0.2:5 ─▶ A, peer B ─▶ 192.0.2.2:51820 ═▶ ...

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping iperf3
need_cryptography

ns_add a b
join a eth0 b eth0
ip link add eth1 netns "$ID-a" type veth peer name eth1 netns "$ID-b"
for end in "a 1" "b 2"; do
	read -r ns host <<<"$end"
	in_ns "$ns" ip address add "198.51.100.$host/24" dev eth1
	in_ns "$ns" ip link set eth1 up
done
A=${ID}a A2=${ID}a2 B=${ID}b B2=${ID}b2
keys a a2 b b2

up_a() # PATH [ENDPOINT]
{
	ours a "$A" --rx "$1" --tx "$1" < <(
		interface a ListenPort=51820 Address=10.99.0.1/24 MTU=1420 Table=off
		peer b AllowedIPs=10.99.0.2/32,192.0.2.0/24,2001:db8::/64 \
			Endpoint="${2:-192.0.2.2}:51820")
}

up_b() # PATH
{
	ours b "$B" --rx "$1" --tx "$1" < <(
		interface b ListenPort=51820 Address=10.99.0.2/24 MTU=1420
		peer a AllowedIPs=10.99.0.1/32)
}

# The inner tunnel needs no path options. Its endpoint is behind the outer tunnel, whose interface
# has no AF_XDP, so the inner tunnel always uses the UDP socket.
up_a2()
{
	ours a "$A2" < <(
		interface a2 ListenPort=51821 Address=10.98.0.1/24
		peer b2 AllowedIPs=10.98.0.2/32 Endpoint=10.99.0.2:5)
}

up_b2() # KEY-OF-PEER
{
	ours b "$B2" < <(
		interface b2 ListenPort=5 Address=10.98.0.2/24 MTU=1360
		peer "$1" AllowedIPs=10.98.0.1/32)
}

loops() { show a "$A" '.drops.loop // 0'; }
looped() { [ "$(loops)" -ge "$1" ]; }
sent() { show a "$A" '.path.tx_packets | .udp + .xsk'; }
entered() { in_ns a ip -j -s link show dev "$A" | jq '.[0].stats64.tx.packets'; }
why() { show a "$A" '.peers[0].why'; }
reads() { [ "$(why)" = "$1" ]; }
pings() { pinged a "$1" "${2:-3}"; }
cpu() { awk '{ print $14 + $15 }' "/proc/$(daemon_pid a "$A")/stat"; } # in units of 10 ms
INWARD="the route to the endpoint leads into the tunnel itself"

# The host sends twenty packets into the tunnel. They are dropped as loops, none of them leaves, and
# the sender gets ICMP errors.
twenty() # WHAT
{
	local before entered sent
	before=$(loops) entered=$(entered) sent=$(sent)
	in_ns a ping -q -c 20 -i 0.01 -W 0.1 10.99.0.2 >"$TMP/ping"
	wait_for 10 looped $((before + 20)) # packets are counted after their ICMP errors
	is "$1: twenty packets are dropped as loops" $(($(loops) - before)) 20
	is "$1: nothing else enters the tunnel" $(($(entered) - entered)) 20
	is "$1: nothing is sent" $(($(sent) - sent)) 0
	ok "$1: the sender gets ICMP errors" grep -q '+20 errors' "$TMP/ping"
}

# Runs the script in namespace a while the daemon's control thread is stopped.
blindly() # SCRIPT
{
	/usr/bin/python3 - "$PWD/tests/net" "$(daemon_pid a "$A")" \
		nsenter --net="/run/netns/$ID-a" sh -c "$1" <<-EOC
		import subprocess, sys
		sys.path.insert(0, sys.argv[1])
		import wgpeer
		with wgpeer.held(int(sys.argv[2])):
		    sys.exit(subprocess.call(sys.argv[3:]))
	EOC
}

declare -A blind=([xdp]="20 0 20" [udp]="0 20 40")

# --- loops ----------------------------------------------------------------------------------------

for path in xdp udp; do
	for outer in 192.0.2.2 '[2001:db8::2]'; do
		what="$path, $outer"
		host=${outer//[][]/}
		route=$host/32
		[[ $host = *:* ]] && route=$host/128
		ok "$what: attach succeeds on both sides" eval "up_a $path '$outer' && up_b $path"
		ok "$what: no ping is lost" pings 10.99.0.2
		# Before the daemon knows the route, packets sent by AF_XDP arrive. Packets sent
		# through the socket are routed back into the tunnel, and dropped there.
		before=$(loops) entered=$(entered)
		blindly "ip route add $route dev $A; ping -q -c 20 -i 0.01 -W 0.1 10.99.0.2" \
			>"$TMP/ping"
		arrived=$(sed -n 's/.*, \([0-9]*\) received.*/\1/p' "$TMP/ping")
		is \
			"$what: before the route is known, packets arrive (XDP) or loop (UDP)" \
			"$arrived $(($(loops) - before)) $(($(entered) - entered))" \
			"${blind[$path]}"
		ok "$what: show says that the route leads into the tunnel" wait_for 5 reads \
			"$INWARD"
		twenty "$what"
		ok "$what: the route is deleted" in_ns a ip route delete "$route" dev "$A"
		ok "$what: pings are answered again" wait_for 5 pings 10.99.0.2
		down a "$A"

		ok "$what: attach succeeds again, without a session" up_a $path "$outer"
		ok "$what: the endpoint's route leads into the tunnel" in_ns a ip route add \
			"$route" dev "$A"
		ok "$what: show says that the route leads into the tunnel" wait_for 5 reads \
			"$INWARD"
		twenty "$what, no session"
		is "$what: no handshake is sent" "$(show a "$A" '.peers[0].tx_bytes')" 0
		down a "$A"
		down b "$B"
	done

	# A common mistake: the default route leads all traffic into the tunnel, including the
	# traffic to the endpoint.
	in_ns a ip route add default via 192.0.2.2
	in_ns b ip address add 203.0.113.2/32 dev lo
	ok "$path: attach succeeds with an endpoint behind the default route" eval \
		"up_a $path 203.0.113.2 && up_b $path"
	ok "$path: no ping is lost" pings 10.99.0.2
	ok "$path: all addresses are allowed" in_ns a wg set "$A" peer "$(pub b)" allowed-ips \
		0.0.0.0/0
	ok "$path: the default route leads into the tunnel" in_ns a ip route replace default dev \
		"$A"
	ok "$path: show says that the route leads into the tunnel" wait_for 5 reads "$INWARD"
	twenty "$path, default route"
	before=$(cpu)
	sleep 1 # CPU time is measured over a second
	holds "$path: the daemon then uses no CPU time" $(($(cpu) - before)) -le 10
	ok "$path: the endpoint gets a route of its own" in_ns a ip route add 203.0.113.2/32 via \
		192.0.2.2
	ok "$path: pings are answered again" wait_for 5 pings 10.99.0.2
	in_ns a ip route delete 203.0.113.2/32 via 192.0.2.2
	in_ns b ip address delete 203.0.113.2/32 dev lo
	down a "$A"

	# Two peers; the endpoint of each is routed through the other.
	ok "$path: attach succeeds" up_a $path
	in_ns a wg set "$A" peer "$(pub b)" allowed-ips 10.99.0.2/32,10.97.0.3/32 endpoint \
		10.97.0.2:9
	in_ns a wg set "$A" peer "$(pub b2)" allowed-ips 10.97.0.2/32 endpoint 10.97.0.3:9
	in_ns a ip route add 10.97.0.0/24 dev "$A"
	ok "$path: show says that the route leads into the tunnel" wait_for 5 reads "$INWARD"
	twenty "$path, two peers behind each other"
	down a "$A"
	down b "$B"
	clean "$path: nothing is left" a "$A"
done

# --- tunnels in tunnels ---------------------------------------------------------------------------

large() { pinged a 10.98.0.2 20 0.01 8 1300; }

stream() # sends megabytes through the inner tunnel
{
	local pid
	spawn b iperf3 -s -1 -B 10.98.0.2 >/dev/null
	pid=$!
	wait_for 5 eval "in_ns b ss -Hltn 'sport = 5201' | grep -q ." &&
		in_ns a iperf3 -c 10.98.0.2 -n 4M "$@" >/dev/null
	local status=$?
	wait "$pid"
	return "$status"
}

for path in xdp udp; do
	ok "$path: A and B attach" eval "up_a $path && up_b $path"
	ok "$path: A2 and B2 attach" eval "up_a2 && up_b2 a2"
	ok "$path: no ping is lost in a tunnel in a tunnel" pings 10.98.0.2
	ok "$path: no large packet is lost in a tunnel in a tunnel" large
	ok "$path: a stream completes through both tunnels" stream
	ok "$path: a stream back completes" stream -R
	is "$path: nothing is dropped as a loop" "$(loops) $(show a "$A2" '.drops.loop // 0')" "0 0"
	down a "$A2"
	down b "$B2"

	# A tunnel in a tunnel, where both tunnels belong to the same interface.
	ok "$path: B2 attaches as a peer of A" up_b2 a
	in_ns a wg set "$A" peer "$(pub b2)" allowed-ips 10.98.0.2/32 endpoint 10.99.0.2:5
	in_ns a ip address add 10.98.0.1/24 dev "$A"
	in_ns a ip route change 10.98.0.0/24 dev "$A" mtu 1360 src 10.98.0.1
	ok "$path: no ping is lost in a tunnel in its own interface" pings 10.98.0.2
	ok "$path: no large packet is lost" large
	ok "$path: a stream completes" stream
	ok "$path: a stream back completes" stream -R
	is "$path: nothing is dropped as a loop" "$(loops)" 0
	is "$path: show says which way data takes" "$(show a "$A" '.peers[1] | "\(.tx) \(.why)"')" \
		"udp $INWARD"
	ok "$path: a peer gets an endpoint that is routed to this peer" in_ns a wg set "$A" peer \
		"$(pub b2)" endpoint 10.98.0.2:5
	before=$(loops)
	in_ns a ping -q -c 5 -i 0.01 -W 0.1 10.98.0.2 >/dev/null
	is "$path: packets to this peer are dropped as loops" $(($(loops) - before)) 5
	ok "$path: the other peer is not affected" pings 10.99.0.2
	down b "$B2"
	down a "$A"
	down b "$B"
	clean "$path: nothing is left" a "$A"
done

# --- another NIC ----------------------------------------------------------------------------------

for path in xdp auto udp; do
	ok "$path: attach to eth0 succeeds with the endpoint behind eth1" eval \
		"up_a $path 198.51.100.2 && up_b $path"
	ok "$path: no ping is lost" pings 10.99.0.2 20
	want="udp the route leaves by an interface without AF_XDP"
	[ $path = udp ] && want="udp null"
	is "$path: show says which way data takes" "$(show a "$A" '.peers[0] | "\(.tx) \(.why)"')" \
		"$want"
	is "$path: all data takes the UDP socket" \
		"$(show a "$A" '.path.tx_packets | "\(.xsk) \(.udp)"')" "0 20"
	ok "$path: the text of show has the reason, too" eval \
		"in_ns a '$WGXDP' show '$A' | grep -q 'goes through the UDP socket' ||
			[ $path = udp ]"
	down a "$A"
	down b "$B"
done

done_testing
