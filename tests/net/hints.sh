#!/bin/bash
# SPDX-License-Identifier: MIT
#
# attach and show explain why a tunnel does not do what its owner expects: data goes through the UDP
# sockets, the port changes, the daemon was killed, or endpoints cannot be reached.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no node

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip tc wg jq setpriv

keys a b a2
ns_add a b
join a eth0 b eth0
A=${ID}a

why() { show a "$A" .path.why; }
port() { show a "$A" .listen_port; }

# --- why UDP --------------------------------------------------------------------------------------

asked() # REGEX OPTION...
{
	local want=$1 what="attach ${*:2}"
	shift
	ok "$what succeeds" ours a "$A" "$@" < <(conf_a)
	ok "$what: show says why" eval "why | grep -q '$want'"
	ok "$what: detach succeeds" down a "$A"
}
# Checks that attach prints exactly WARNING, or nothing if WARNING is "". PREFIX, such as setpriv,
# runs the command.
attach_says() # WHAT WARNING NIC [PREFIX...]
{
	local path
	path=$(conf_a | conf "$A")
	is "attach $1" "$(in_ns a "${@:4}" "$WGXDP" attach "$3" "$path" 2>&1 </dev/null)" \
		"${2:+wgxdp: warning: $2}"
	down a "$A" || fail "detach fails"
}
in_ns a ip link add br0 type bridge
in_ns a tc qdisc add dev eth0 root tbf rate 1gbit burst 100k latency 50ms
attach_says "warns of a shaper" "eth0: data is sent by the UDP socket, because AF_XDP would bypass \
the qdisc tbf that is configured there; --tx xdp uses AF_XDP nevertheless" eth0
in_ns a tc qdisc delete dev eth0 root
attach_says "warns of a NIC without XDP" "data goes through the UDP sockets: br0: cannot attach \
XDP in native mode: its driver offers no native XDP with the present settings; use --rx udp, or \
--xdp-mode generic, which is slower" br0
attach_says "warns once that it may not use BPF" "data goes through the UDP sockets: cannot load \
the BPF program: not permitted; run as root or with CAP_BPF and CAP_NET_ADMIN" eth0,br0 \
	setpriv --bounding-set -bpf,-sys_admin,-perfmon
attach_says "does not warn of veth, where the UDP sockets are faster" "" eth0 \
	env -u WGXDP_VETH_AS_NIC
attach_says "does not warn of veth, even if it may not use BPF" "" eth0 \
	env -u WGXDP_VETH_AS_NIC setpriv --bounding-set -bpf,-sys_admin,-perfmon

# In the foreground, the log and the attach command write to the same standard error, so each reason
# must be printed only once.
foreground_says() # LOG_LEVEL (default: none)
{
	local path pid
	path=$(conf_a | conf "$A")
	spawn a env ${1+LOG_LEVEL="$1"} "$WGXDP" attach --foreground eth0,br0 "$path" 2>"$TMP/log"
	pid=$!
	wait_for 10 eval "in_ns a '$WGXDP' show '$A' | grep -q 'br0.*no native XDP'"
	down a "$A" || fail "detach fails"
	wait $pid
	is "attach --foreground says each reason once${1+, LOG_LEVEL=$1}" \
		"$(for why in 'bypass the qdisc tbf' 'offers no native XDP'; do
			grep -c "$why" "$TMP/log"
		done | xargs)" "1 1"
}
in_ns a tc qdisc add dev eth0 root tbf rate 1gbit burst 100k latency 50ms
foreground_says
foreground_says error
in_ns a tc qdisc delete dev eth0 root
in_ns a ip link delete br0

asked "data goes through the UDP sockets because of --rx udp and --tx udp" --rx udp --tx udp
asked "received data goes through the UDP sockets because of --rx udp" --rx udp --tx xdp
asked "sent data goes through the UDP sockets because of --tx udp" --rx xdp --tx udp
ok "WGXDP_NIC=none wgxdp IFACE succeeds" in_ns a env WGXDP_NIC=none "$WGXDP" "$A"
ok "WGXDP_NIC=none wgxdp IFACE: show says why" \
	eval "why | grep -q 'UDP sockets because of WGXDP_NIC=none'"

# --- the port -------------------------------------------------------------------------------------

in_ns a wg set "$A" private-key "$TMP/a.key"
is "no port is shown before the first is chosen" "$(port)" 0
in_ns a ip link set "$A" up
ok "a port is chosen" wait_for 5 eval "[ \"\$(port)\" != 0 ]"
chosen=$(port)
in_ns a ip link set "$A" down
is "the port is shown while the link is down" "$(port)" "$chosen"
is "wg shows the port, too" "$(in_ns a wg show "$A" listen-port)" "$chosen"
in_ns a ip link set "$A" up
sleep 0.5
is "the port is the same after the link was down" "$(port)" "$chosen"
ok "the socket has that port" eval "in_ns a ss -Hlun | grep -q ':$chosen '"
in_ns a ip link set "$A" down
wait_for 5 eval "! in_ns a ss -Hlun | grep -q ':$chosen '"
spawn a /usr/bin/python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", int(sys.argv[1])))
time.sleep(60)' "$chosen"
thief=$!
ok "another program takes the port while the link is down" wait_for 5 eval \
	"in_ns a ss -Hlun | grep -q ':$chosen '"
sleep 0.2
in_ns a ip link set "$A" up
ok "then another port is chosen" wait_for 5 eval \
	"[ \"\$(port)\" != 0 ] && [ \"\$(port)\" != '$chosen' ]"
kill $thief
in_ns a ip link set "$A" down
in_ns a wg set "$A" listen-port 0
is "listen-port 0 forgets the port" "$(port)" 0

# --- a daemon that was killed ---------------------------------------------------------------------

pid=$(daemon_pid a "$A")
kill -9 "$pid"
wait_for 5 eval "! kill -0 $pid"
refuses "show says that the daemon was killed, and what to do" 1 \
	"$A: its daemon, process $pid, was killed; run .wgxdp detach $A." in_ns a "$WGXDP" show "$A"
refuses "show without a name says the same" 0 "warning: $A: its daemon, process $pid, was killed" \
	in_ns a "$WGXDP" show
refuses "set says the same" 1 "was killed" in_ns a "$WGXDP" set "$A" debug on
refuses "save says the same" 1 "was killed" in_ns a "$WGXDP" save "$A"
: >"/run/wgxdp/$A.lock"
refuses "without a pid in the lock file show names no process" 1 "$A: its daemon was killed;" \
	in_ns a "$WGXDP" show "$A"
ok "the suggested detach succeeds" down a "$A"
refuses "afterwards show knows no such interface" 1 "no wgxdp serves" in_ns a "$WGXDP" show "$A"
clean "nothing is left" a "$A"

# --- endpoints ------------------------------------------------------------------------------------

says() # WHAT REGEX
{
	ok "$1: attach succeeds" ours a "$A"
	cp "$TMP/out" "$TMP/said"
	ok "$1: attach warns" grep -qE "warning: .*$2" "$TMP/said"
	down a "$A"
}

in_ns a ip route add default via 192.0.2.2
says "all addresses as two halves" "203.0.113.2:51822 leads into the tunnel.*no packet can reach" \
	< <(interface a Address=10.99.0.1/24
	peer b AllowedIPs="0.0.0.0/1, 128.0.0.0/1" Endpoint=203.0.113.2:51822)
says "an endpoint among the allowed IPs of a later peer" "203.0.113.2:51822 leads into the tunnel" \
	< <(interface a Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=203.0.113.2:51822
	peer a2 AllowedIPs=203.0.113.0/24)
in_ns a ip address add 10.99.0.1/32 dev lo
in_ns a ip route replace 203.0.113.2 via 192.0.2.2 src 10.99.0.1
says "the tunnel's own address as the source" "own address as their source" < <(
	interface a Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=203.0.113.2:51822)
ok "an endpoint on the link: attach succeeds" ours a "$A" < <(conf_a)
is "an endpoint on the link: attach prints no warning" "$(cat "$TMP/out")" ""
down a "$A"
in_ns a ip address delete 10.99.0.1/32 dev lo
clean "nothing is left at the end" a "$A"

done_testing
