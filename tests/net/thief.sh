#!/bin/bash
# SPDX-License-Identifier: MIT
#
# No other program can take wgxdp's port, even if it uses SO_REUSEPORT and wgxdp has several
# workers. And if wireguard-go serves an interface with the name of a killed daemon's interface,
# wgxdp does not take over that interface.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping wireguard-go

keys a b
ns_add a b
ip link add eth0 netns "$ID-a" numrxqueues 8 numtxqueues 8 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 8 numtxqueues 8
for end in "a 1" "b 2"; do
	# shellcheck disable=SC2086 # $end is two words
	set -- $end
	in_ns "$1" ip address add "192.0.2.$2/24" dev eth0
	in_ns "$1" ip address add "2001:db8::$2/64" dev eth0 nodad
	in_ns "$1" ip link set eth0 up
done
A=${ID}a B=${ID}b

# --- the port -------------------------------------------------------------------------------------

# Tries to bind PORT at several addresses with SO_REUSEPORT, as QUIC servers do. Prints the
# addresses at which bind() succeeds.
steal() # NS PORT
{
	in_ns "$1" /usr/bin/python3 - "$2" <<-'EOF'
		import socket, sys
		port = int(sys.argv[1])
		for family, address, only6 in ((socket.AF_INET, "0.0.0.0", 0),
		                               (socket.AF_INET, "192.0.2.1", 0),
		                               (socket.AF_INET6, "::", 1),
		                               (socket.AF_INET6, "::", 0),
		                               (socket.AF_INET6, "2001:db8::1", 1)):
		    thief = socket.socket(family, socket.SOCK_DGRAM)
		    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
		    if family == socket.AF_INET6:
		        thief.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
		    try:
		        thief.bind((address, port))
		        print(address)
		    except OSError:
		        pass
	EOF
}

ok "b is attached" ours b "$B" < <(conf_b)
# With 8 workers the port has 22 sockets. If a port has more than 10 sockets, the kernel looks for
# conflicts in another hash table (udp_lib_lport_inuse2()).
for workers in 1 2 8; do
	for rx in udp xdp; do
		what="$workers workers, rx $rx"
		ok "$what: attach succeeds" ours a "$A" --workers $workers --rx $rx < <(conf_a)
		ok "$what: no ping is lost" pinged a 10.99.0.2
		is "$what: no other program can bind the port" "$(steal a 51821)" ""
		in_ns a wg set "$A" listen-port 51831
		is "$what: no other program can bind a port that wg sets" "$(steal a 51831)" ""
		ok "$what: no ping is lost after the change" pinged a 10.99.0.2
		ok "$what: detach succeeds" down a "$A"
	done
done
is "the port is free again" "$(steal a 51821 | wc -l)" 5

# --- the name -------------------------------------------------------------------------------------

kill_daemon()
{
	local pid
	pid=$(daemon_pid a "$A")
	kill -9 "$pid" && wait_for 5 eval "! kill -0 $pid"
}

ok "attach succeeds" ours a "$A" < <(conf_a)
ok "the daemon is killed" kill_daemon
ok "wireguard-go takes the name" foreign a "$A" < <(interface a ListenPort=51821)
refuses "detach says that another program serves the name" 1 "another program serves" down a "$A"
sleep 1
ok "wireguard-go still serves the name" in_ns a wg show "$A"
ok "wireguard-go still runs" kill -0 "$FOREIGN_PID"
is "wgxdp's files are gone" "$(find "$RUN" "$PINS" -maxdepth 2 -name "$A*" 2>/dev/null)" ""
refuses "the next detach finds no tunnel" 1 "no wgxdp serves" down a "$A"
ok "after that wireguard-go still runs" kill -0 "$FOREIGN_PID"
foreign_down "$A"
clean "nothing is left" a "$A"
ok "b is detached" down b "$B"

done_testing
