#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The configuration socket, asked by the real wg(8), and line by line where wg would not send it.
#
#   wg ──┐
#        ├── /var/run/wireguard/NAME.sock ── wgxdp NAME, in a namespace without a NIC
#   raw ─┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg python3

ns_add a
A=${ID}a
keys own p1 p2 p3
hex() { base64 -d <"$TMP/$1" | od -An -v -tx1 | tr -d ' \n'; }
ZEROS=$(printf '0%.0s' {1..64})

w() { in_ns a wg "$@"; }
field() { w show "$A" "$@"; }

# Sends stdin to the socket, prints what comes back until the other side closes. No news in 5 s: "silent".
raw()
{
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.settimeout(5)
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
try:
    while data := s.recv(65536):
        sys.stdout.buffer.write(data)
except socket.timeout:
    print("silent")
' "$SOCKETS/$A.sock"
}

set_lines() { printf '%s\n' set=1 "$@" '' | raw; }

# --- as started -----------------------------------------------------------------------------------

ok "wgxdp NAME returns when the socket listens" in_ns a "$WGXDP" "$A"
is "socket is 0600, in a directory 0755" \
	"$(stat -c '%a %F' "$SOCKETS/$A.sock") $(stat -c %a "$SOCKETS")" "600 socket 755"
ok "it is a network device" in_ns a ip link show dev "$A"
is "nothing is set" "$(field dump | cut -f 1,2,4)" "$(printf '(none)\t(none)\toff')"
ok "link up" in_ns a ip link set "$A" up
is "wg show interfaces" "$(w show interfaces | tr ' ' '\n' | grep -x "$A")" "$A"

# --- every field ----------------------------------------------------------------------------------

wg genpsk >"$TMP/psk"
ok "wg set, everything at once" w set "$A" listen-port 51999 fwmark 0x1234 private-key "$TMP/own.key" \
	peer "$(pub p1)" preshared-key "$TMP/psk" endpoint 192.0.2.9:5 persistent-keepalive 25 \
	allowed-ips 10.1.0.0/16,fd01::/64 \
	peer "$(pub p2)" endpoint '[2001:db8::9]:65535' allowed-ips 10.2.0.1/32
is "wg show dump" "$(field dump)" "$(
	printf '%s\t%s\t51999\t0x1234\n' "$(key own)" "$(pub own)"
	printf '%s\t%s\t192.0.2.9:5\t10.1.0.0/16,fd01::/64\t0\t0\t0\t25\n' "$(pub p1)" "$(cat "$TMP/psk")"
	printf '%s\t(none)\t[2001:db8::9]:65535\t10.2.0.1/32\t0\t0\t0\toff' "$(pub p2)"
)"
is "public-key" "$(field public-key)" "$(pub own)"
is "private-key" "$(field private-key)" "$(key own)"
is "listen-port" "$(field listen-port)" 51999
is "fwmark" "$(field fwmark)" 0x1234
is "peers, as added" "$(field peers)" "$(pub p1)"$'\n'"$(pub p2)"
is "preshared-keys" "$(field preshared-keys | cut -f 2)" "$(cat "$TMP/psk")"$'\n(none)'
is "endpoints" "$(field endpoints | cut -f 2)" $'192.0.2.9:5\n[2001:db8::9]:65535'
is "allowed-ips" "$(field allowed-ips | cut -f 2)" $'10.1.0.0/16 fd01::/64\n10.2.0.1/32'
is "latest-handshakes" "$(field latest-handshakes | cut -f 2)" $'0\n0'
is "transfer" "$(field transfer | cut -f 2 | sort -u)" 0
is "persistent-keepalive" "$(field persistent-keepalive | cut -f 2)" $'25\noff'
ok "wg show for people" eval "w show '$A' | grep -q 'listening port: 51999'"
ok "the port is open" eval "in_ns a ss -Hlun | grep -q ':51999 '"

# --- files ----------------------------------------------------------------------------------------

w showconf "$A" >"$TMP/before"
is "showconf" "$(cat "$TMP/before")" "[Interface]
ListenPort = 51999
FwMark = 0x1234
PrivateKey = $(key own)

[Peer]
PublicKey = $(pub p1)
PresharedKey = $(cat "$TMP/psk")
AllowedIPs = 10.1.0.0/16, fd01::/64
Endpoint = 192.0.2.9:5
PersistentKeepalive = 25

[Peer]
PublicKey = $(pub p2)
AllowedIPs = 10.2.0.1/32
Endpoint = [2001:db8::9]:65535"
ok "setconf of showconf" w setconf "$A" "$TMP/before"
is "... changes nothing" "$(w showconf "$A")" "$(cat "$TMP/before")"

printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.3.0.0/24\n' "$(pub p3)" >"$TMP/add"
ok "addconf" w addconf "$A" "$TMP/add"
is "... adds at the end" "$(field peers | tail -n 1) $(field peers | wc -l)" "$(pub p3) 3"

printf '[Interface]\nListenPort = 51998\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = 10.9.0.0/24\n' \
	"$(key own)" "$(pub p3)" >"$TMP/sync"
ok "syncconf" w syncconf "$A" "$TMP/sync"
is "... leaves what the file says" "$(field allowed-ips)" "$(pub p3)"$'\t'10.9.0.0/24
is "... on the new port" "$(field listen-port)" 51998
ok "setconf of an empty interface" w setconf "$A" <(printf '[Interface]\nPrivateKey = %s\n' "$(key own)")
is "... removes all peers" "$(field peers)" ""

# --- errors: negative after set, positive after get ------------------------------------------------

refused() # WHAT ERRNO LINE...
{
	local what=$1 errno=$2
	shift 2
	is "$what: errno=-$errno" "$(set_lines "$@")" "errno=-$errno"
}

P1="public_key=$(hex p1.pub)"
refused "unknown device key" 22 colour=blue
refused "unknown peer key" 22 "$P1" colour=blue
refused "short private key" 22 private_key=abcd
refused "private key that is not hex" 22 "private_key=${ZEROS:1}g"
refused "port too large" 22 listen_port=65536
refused "port that is no number" 22 listen_port=http
refused "negative fwmark" 22 fwmark=-1
refused "replace_peers=false" 22 replace_peers=false
refused "peer key before any peer" 22 allowed_ip=10.0.0.0/8
refused "remove=yes" 22 "$P1" remove=yes
refused "IPv4 prefix of 33 bits" 22 "$P1" allowed_ip=10.0.0.0/33
refused "IPv6 prefix of 129 bits" 22 "$P1" allowed_ip=fd00::/129
refused "no address" 22 "$P1" allowed_ip=tunnel/24
refused "endpoint without port" 22 "$P1" endpoint=192.0.2.1
refused "endpoint by name" 22 "$P1" endpoint=host.example:51820
refused "keepalive too large" 22 "$P1" persistent_keepalive_interval=65536
refused "protocol version 2" 22 "$P1" protocol_version=2
refused "line without =" 71 "$P1" remove
ok "the peer made by those lines is gone again" w set "$A" peer "$(pub p1)" remove
is "get ends in errno=0" "$(printf 'get=1\n\n' | raw | tail -n 2)" "errno=0"
is "unknown operation: closed without a word" "$(printf 'swap=1\n\n' | raw)" ""
is "two operations on one connection" "$(printf 'set=1\nfwmark=7\n\nset=1\nfwmark=x\n\n' | raw | grep .)" \
	$'errno=0\nerrno=-22'
is "... and the first held" "$(field fwmark)" 0x7
is "an overlong line" "$( (printf 'set=1\nendpoint='; head -c 100000 /dev/zero | tr '\0' 1; echo) | raw)" ""
is "a probe that says nothing" "$(raw </dev/null)" ""
is "no rollback: what came before the fault holds" "$(set_lines fwmark=8 listen_port=x)$(field fwmark)" \
	errno=-220x8
spawn a python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 51990))
time.sleep(20)'
holder=$!
wait_for 5 eval "in_ns a ss -Hlun | grep -q :51990"
refused "port in use" 98 listen_port=51990
refuses "... as wg says it" 1 "Address already in use" in_ns a wg set "$A" listen-port 51990
kill $holder
wait $holder 2>/dev/null
refuses "wg, interface without daemon" 1 "Unable to (access|modify) interface" in_ns a wg show "${ID}x"

# --- peers ----------------------------------------------------------------------------------------

is "update_only makes no peer" "$(set_lines "$P1" update_only=true allowed_ip=10.0.0.0/8)$(field peers)" errno=0
is "lines after remove have no effect" "$(set_lines "$P1" remove=true allowed_ip=10.0.0.0/8)$(field peers)" errno=0
is "a peer with our own key is ignored" \
	"$(set_lines "public_key=$(hex own.pub)" allowed_ip=10.0.0.0/8)$(field peers)" errno=0
w set "$A" peer "$(pub p1)" allowed-ips 10.1.0.0/16,10.2.0.0/16 peer "$(pub p2)" allowed-ips 10.3.0.0/16
ok "an allowed IP given to another peer" w set "$A" peer "$(pub p2)" allowed-ips 10.3.0.0/16,10.1.0.0/16
is "... moves" "$(field allowed-ips | cut -f 2)" $'10.2.0.0/16\n10.3.0.0/16 10.1.0.0/16'
w set "$A" peer "$(pub p1)" preshared-key "$TMP/psk"
ok "preshared key cleared by /dev/null" w set "$A" peer "$(pub p1)" preshared-key /dev/null
is "... is gone" "$(field preshared-keys | cut -f 2 | sort -u)" "(none)"
ok "private key of a peer taken as ours" w set "$A" private-key "$TMP/p1.key"
is "... removes that peer" "$(field peers)" "$(pub p2)"
ok "private key cleared by /dev/null" w set "$A" private-key /dev/null
is "... is gone" "$(field private-key) $(field public-key)" "(none) (none)"
is "zeros clear it too" "$(set_lines "private_key=$(hex own.key)" "private_key=$ZEROS")$(field private-key)" "errno=0(none)"

ok "replaced by overlapping prefixes" w set "$A" peer "$(pub p2)" \
	allowed-ips 0.0.0.0/0,::/0,10.0.0.0/8,10.0.0.0/9,fd00::/8
is "... all there" "$(field allowed-ips | cut -f 2 | tr ' ' '\n' | sort | xargs)" \
	"0.0.0.0/0 10.0.0.0/8 10.0.0.0/9 ::/0 fd00::/8"
ok "replaced again" w set "$A" peer "$(pub p2)" allowed-ips 0.0.0.0/1,8000::/1
is "... cleanly" "$(field allowed-ips | cut -f 2)" "0.0.0.0/1 8000::/1"
ok "host bits are masked" w set "$A" peer "$(pub p2)" allowed-ips 10.1.2.3/8
is "... so" "$(field allowed-ips | cut -f 2)" "10.0.0.0/8"

# --- many -----------------------------------------------------------------------------------------

{
	printf '[Peer]\nPublicKey = %s\n' "$(pub p3)"
	for i in {1..255}; do
		printf 'AllowedIPs = '
		printf "10.88.$i.%d, " {0..254}
		printf '10.88.%d.255\nAllowedIPs = ' "$i"
		printf "fd88::$i:%d, " {0..254}
		printf 'fd88::%d:255\n' "$i"
	done
} >"$TMP/many"
ok "255 x 256 x 2 allowed IPs" w addconf "$A" "$TMP/many"
is "... all listed" "$(field allowed-ips | grep -F "$(pub p3)" | cut -f 2 | wc -w)" $((255 * 256 * 2))
is "... none twice" "$(field allowed-ips | grep -F "$(pub p3)" | cut -f 2 | tr ' ' '\n' | sort -u | wc -l)" \
	$((255 * 256 * 2))
ok "... removed with their peer" w set "$A" peer "$(pub p3)" remove
is "... all" "$(field allowed-ips)" "$(pub p2)"$'\t'10.0.0.0/8

w set "$A" peer "$(pub p2)" remove
for i in {1..40}; do
	printf '[Peer]\nPublicKey = %s\nAllowedIPs = ' "$(wg genkey | wg pubkey)"
	printf "10.$i.0.%d/32, " {1..51}
	printf '10.%d.0.52/32\n' "$i"
done >"$TMP/forty"
ok "40 peers with 52 each" w addconf "$A" "$TMP/forty"
is "... in the order in which they were added" "$(field peers)" "$(sed -n 's/^PublicKey = //p' "$TMP/forty")"
is "... all listed" "$(field allowed-ips | cut -f 2 | wc -w)" $((40 * 52))
third=$(field peers | sed -n 3p)
ok "changing the third" w set "$A" peer "$third" persistent-keepalive 5
is "... leaves it third" "$(field peers | sed -n 3p)" "$third"

{
	printf '[Interface]\n'
	for i in {1..30}; do
		printf '[Peer]\nPublicKey = %s\n' "$(wg genkey | wg pubkey)"
	done
	printf 'AllowedIPs = 10.7.0.0/16, fd07::/64\n'
} >"$TMP/thirty"
ok "30 peers of which the last has any" w setconf "$A" "$TMP/thirty"
is "... 29 with none" "$(field allowed-ips | cut -f 2 | grep -c '(none)')" 29
is "... the last with two" "$(field allowed-ips | tail -n 1 | cut -f 2)" "10.7.0.0/16 fd07::/64"

w setconf "$A" /dev/stdin <<<"[Interface]"
is "394 allowed IPs by the socket" "$(set_lines "$P1" "$(printf 'allowed_ip=10.4.%d.0/24\n' {0..196})" \
	"$(printf 'allowed_ip=fd04::%x/128\n' {0..196})")" errno=0
is "... 394 listed" "$(field allowed-ips | cut -f 2 | wc -w)" 394
is "six of them removed, one by one" "$(set_lines "$P1" allowed_ip=-10.4.{0,7,196}.0/24 \
	allowed_ip=-fd04::{0,7,c4}/128)" errno=0
is "... 388 left" "$(field allowed-ips | cut -f 2 | wc -w)" 388
is "a bare minus of what another prefix holds changes nothing" \
	"$(set_lines "$P1" allowed_ip=-10.4.1.0/25)$(field allowed-ips | cut -f 2 | wc -w)" errno=0388

ok "link deleted" in_ns a ip link delete "$A"
clean "nothing is left" a "$A"
done_testing
