#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs lines of the unofficial WireGuard documentation that call programs of the host: iptables,
# ip6tables, sysctl, curl, ifconfig and iperf. docs/verification.md has a row for each line. The
# lines are unchanged, except that `sudo` is left out, and that wg0 and paths below /etc and /var
# have other names.
#
#   ┌─ b: home-server ───┐        ┌─ a: public-server1, relays ───┐        ┌─ c: laptop ────────┐
#   │ tunnel: 192.0.2.3  │        │ tunnel: 192.0.2.1             │        │ tunnel: 192.0.2.4  │
#   │               eth0 ══════════ eth0                     eth1 ══════════ eth0               │
#   │       198.51.100.2 │        │ 198.51.100.1      203.0.113.1 │        │ 203.0.113.2        │
#   │            fd51::2 │        │ fd51::1                       │        │                    │
#   └────────────────────┘        └───────────────────────────────┘        └────────────────────┘

cd "$(dirname "$0")/../.." || exit 1
OWN_MOUNTS=yes # so that the test can mount a file over /etc/hosts
. tests/net/lib.sh
need_root
need_cmd wg ip iptables ip6tables iptables-save ip6tables-save curl openssl ifconfig iperf ping

ns_add a b c
A=${ID}a
keys a b c

cable eth0 b 198.51.100
cable eth1 c 203.0.113
in_ns a ip address add fd51::1/64 dev eth0 nodad
in_ns b ip address add fd51::2/64 dev eth0 nodad
umask 077

# Runs a line of the documentation in namespace a.
line() # LINE
{
	local text=$1
	text=${text//sudo /} text=${text//wg0/$A} text=${text//\/etc\/sysctl.conf/$TMP/sysctl.conf}
	ok "$1" in_ns a bash -c "set -e -o pipefail; $text"
}

relay() # HOOK...
{
	interface a Address=192.0.2.1/24,fd99::1/64 ListenPort=51820 "$@"
	peer b AllowedIPs=192.0.2.3/32
	peer c AllowedIPs=192.0.2.4/32,fd99::4/128 Endpoint=203.0.113.2:51820
}

client() # NS ADDRESS ENDPOINT ALLOWED-IPS
{
	ours "$1" "$ID$1" < <(
		interface "$1" Address="$2" ListenPort=51820
		peer a AllowedIPs="$4" Endpoint="$3:51820" PersistentKeepalive=25)
}

pings() { in_ns "$1" ping -q -c 2 -i 0.1 -W "${3:-5}" "$2"; } # NS ADDRESS [PATIENCE_S]
not() { ! "$@"; }
rules() { in_ns a iptables-save -c | sed 's/\[[0-9:]*\]//' && in_ns a ip6tables-save; }
standing() { rules | grep '^-A'; }

# Prints how many packets the rule that matches REGEX has counted.
counted() # PROGRAM REGEX
{
	in_ns a "$1-save" -c | sed -nE "s/^\[([0-9]+):.*$2.*/\1/p" | paste -sd +
}

# --- Setup: a relay with IP forwarding and iptables policy DROP, a home server and a laptop -------

ok "the relay attaches" ours a "$A" < <(relay)
ok "the home server attaches" client b 192.0.2.3/32 198.51.100.1 192.0.2.1/24
ok "the laptop attaches" client c 192.0.2.4/32,fd99::4/128 203.0.113.1 \
	192.0.2.1/24,198.51.100.2/32,fd51::2/128
in_ns a iptables -P FORWARD DROP
in_ns a iptables -P INPUT DROP
in_ns a iptables -A INPUT -p udp --dport 51820 -j ACCEPT
in_ns a iptables -A INPUT -p icmp -j ACCEPT
line 'echo "net.ipv4.ip_forward = 1" | sudo tee -a /etc/sysctl.conf'
line 'echo "net.ipv4.conf.all.proxy_arp = 1" | sudo tee -a /etc/sysctl.conf'
line "sudo sysctl -p /etc/sysctl.conf"
is "the sysctls are set" "$(in_ns a sysctl -n net.ipv4.ip_forward net.ipv4.conf.all.proxy_arp |
	xargs)" "1 1"
ok "the laptop reaches the relay" pings c 192.0.2.1
ok "without rules the laptop reaches nobody behind the relay" not pings c 192.0.2.3 0.2
line "sudo iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
line "sudo iptables -A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
line "sudo iptables -A FORWARD -i wg0 -o wg0 -m conntrack --ctstate NEW -j ACCEPT"
line "sudo iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -o eth0 -j MASQUERADE"
ok "with these rules the laptop reaches the home server through the relay" pings c 192.0.2.3
ok "with these rules the laptop reaches no host outside of the tunnel" not pings c 198.51.100.2 0.2
in_ns a iptables -A FORWARD -i "$A" -o eth0 -j ACCEPT
ok "with one more rule the laptop reaches such a host" pings c 198.51.100.2
holds "iptables counts the masqueraded packets" "$(counted iptables MASQUERADE)" -ge 1

# --- Inspect, Testing -----------------------------------------------------------------------------

# The documentation's commands show the tunnel's interface, its address, and the NIC's address.
ok "ifconfig" eval "in_ns a ifconfig | grep -q '^$A: .*POINTOPOINT'"
ok "ifconfig wg0" eval "in_ns a ifconfig $A | grep -q 'inet 192\.0\.2\.1 '"
ok "ifconfig eth0" eval "in_ns a ifconfig eth0 | grep -q 'inet 198\.51\.100\.1 '"
in_ns a iptables -A INPUT -p tcp --dport 5001 -j ACCEPT
spawn a iperf -s >"$TMP/iperf" 2>&1 # documented: "iperf -s" on the public relay server
server=$!
wait_for 5 eval "in_ns a ss -Hltn | grep -q :5001"
ok "iperf -c 192.0.2.1" eval "in_ns b iperf -c 192.0.2.1 -n 1M | grep -q 'bits/sec'"
kill "$server"
down a "$A"
in_ns a iptables -P INPUT ACCEPT
in_ns a iptables -F
in_ns a iptables -t nat -F

# --- hooks: iptables ------------------------------------------------------------------------------

hooked() # WHAT HOOK...: attaches with the hooks, and expects their rules to work
{
	local what=$1
	shift
	ok "$what: attach succeeds" ours a "$A" < <(relay "$@")
	# Start a new session from the relay, because the laptop still uses its session with the
	# previous daemon.
	pings a 192.0.2.4 >/dev/null
	ok "$what: the laptop reaches a host behind the relay" pings c 198.51.100.2
	holds "$what: iptables counts the masqueraded packets" \
		"$(counted iptables MASQUERADE)" -ge 1
}
ended() # WHAT
{
	ok "$1: detach succeeds" down a "$A"
	is "$1: every rule is removed" "$(standing)" ""
}

hooked "PostUp = iptables, with %i" \
	"PostUp=iptables -A FORWARD -i %i -j ACCEPT; iptables -A FORWARD -o %i -j ACCEPT; \
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE" \
	"PostDown=iptables -D FORWARD -i %i -j ACCEPT; iptables -D FORWARD -o %i -j ACCEPT; \
iptables -t nat -D POSTROUTING -o eth0 -j MASQUERADE"
ended "PostDown = iptables, with %i"
in_ns a iptables -A FORWARD -o "$A" -j ACCEPT # the hooks below do not add this rule
in_ns a ip6tables -P FORWARD DROP
in_ns a ip6tables -A FORWARD -o "$A" -j ACCEPT
in_ns a sysctl -qw net.ipv6.conf.all.forwarding=1
hooked "the container's relay" \
	"PostUp=iptables -A FORWARD -i $A -j ACCEPT; \
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; ip6tables -A FORWARD -i $A  -j ACCEPT; \
ip6tables -t nat -A POSTROUTING -o eth0 -j MASQUERADE" \
	"PostDown=iptables -D FORWARD -i $A -j ACCEPT; \
iptables -t nat -D POSTROUTING -o eth0 -j MASQUERADE; ip6tables -D FORWARD -i $A -j ACCEPT; \
ip6tables -t nat -D POSTROUTING -o eth0 -j MASQUERADE"
ok "the laptop reaches a host behind the relay by IPv6" pings c fd51::2
holds "ip6tables counts the masqueraded packets" "$(counted ip6tables MASQUERADE)" -ge 1
in_ns a iptables -D FORWARD -o "$A" -j ACCEPT
in_ns a ip6tables -D FORWARD -o "$A" -j ACCEPT
ended "the container's relay"

# --- hooks: a webhook, a rule, a log --------------------------------------------------------------

# events.example.dev is a server in namespace a.
[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
echo "127.0.0.1 events.example.dev" >"$TMP/hosts"
mount --bind "$TMP/hosts" /etc/hosts
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
	-subj /CN=events.example.dev -addext subjectAltName=DNS:events.example.dev \
	-keyout "$TMP/events.key" -out "$TMP/events.pem" 2>/dev/null
spawn a /usr/bin/python3 -c '
import http.server, ssl, sys
class Events(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print(self.path, flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 443), Events)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()' "$TMP/events.pem" "$TMP/events.key" >"$TMP/events" 2>/dev/null
events=$!
wait_for 5 eval "in_ns a ss -Hltn | grep -q :443"
export CURL_CA_BUNDLE=$TMP/events.pem
# shellcheck disable=SC2016 # the shell that runs the hook expands $(date)
stamp='echo "$(date +%s) WireGuard'
ok "hooks with curl, date and ip rule: attach succeeds" ours a "$A" < <(relay \
	"PreUp=ip rule add ipproto tcp dport 22 table 1234" \
	"PostUp=$stamp Started\" >> $TMP/wireguard.log" \
	"PostUp=curl https://events.example.dev/wireguard/started/?key=abcdefg" \
	"PreDown=$stamp Going Down\" >> $TMP/wireguard.log" \
	"PreDown=curl https://events.example.dev/wireguard/stopping/?key=abcdefg" \
	"PostDown=$stamp Stopped\" >> $TMP/wireguard.log" \
	"PostDown=curl https://events.example.dev/wireguard/stopped/?key=abcdefg")
ok "PreUp has added its rule" eval "in_ns a ip rule | grep -q 'ipproto tcp dport 22 lookup 1234'"
ok "hooks with curl, date and ip rule: detach succeeds" down a "$A"
is "the server got the request of each hook" "$(xargs <"$TMP/events")" \
	"/wireguard/started/?key=abcdefg /wireguard/stopping/?key=abcdefg \
/wireguard/stopped/?key=abcdefg"
is "the log has the line of each hook" "$(sed 's/^[0-9]* //' "$TMP/wireguard.log" | paste -sd ,)" \
	"WireGuard Started,WireGuard Going Down,WireGuard Stopped"
kill "$events"

# --- hooks: one list of peers for all nodes, values from commands ---------------------------------

peer a AllowedIPs=192.0.2.1/32 Endpoint=198.51.100.1:51820 >"$TMP/peers.conf"
peer c AllowedIPs=192.0.2.4/32 >>"$TMP/peers.conf"
ok "PostUp = wg addconf, allowed IPs from a file: attach succeeds" ours a "$A" < <(
	interface a Address=192.0.2.1/24 "PostUp=wg addconf %i $TMP/peers.conf" \
		"PostUp=wg set %i peer $(pub c) allowed-ips \$(cat $TMP/%i.ips)"
	echo 192.0.2.4/32,192.0.2.44/32 >"$TMP/$A.ips")
is "the list of peers omits this node and has those allowed IPs" \
	"$(in_ns a wg show "$A" allowed-ips)" \
	"$(pub c)"$'\t'"192.0.2.4/32 192.0.2.44/32"
ok "PostUp = wg addconf, allowed IPs from a file: detach succeeds" down a "$A"
clean "nothing is left" a "$A"
done_testing
