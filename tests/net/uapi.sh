#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests the configuration socket, with wg(8) for common requests, and with raw lines for requests
# that wg never sends.
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

# Sends stdin to the socket, and prints the answer until the daemon closes the connection. Prints
# "silent" if nothing comes for 5 s.
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

# --- at the start ---------------------------------------------------------------------------------

ok "wgxdp NAME returns when the socket listens" in_ns a "$WGXDP" "$A"
is "the socket has mode 0600, in a directory of mode 0755" \
	"$(stat -c '%a %F' "$SOCKETS/$A.sock") $(stat -c %a "$SOCKETS")" "600 socket 755"
ok "the interface is a network device" in_ns a ip link show dev "$A"
is "nothing is set" "$(field dump | cut -f 1,2,4)" "$(printf '(none)\t(none)\toff')"
ok "the link goes up" in_ns a ip link set "$A" up
is "wg show interfaces lists the interface" "$(w show interfaces | tr ' ' '\n' | grep -x "$A")" "$A"

# --- every field ----------------------------------------------------------------------------------

wg genpsk >"$TMP/psk"
ok "wg set sets everything at once" w set "$A" listen-port 51999 fwmark 0x1234 private-key \
	"$TMP/own.key" \
	peer "$(pub p1)" preshared-key "$TMP/psk" endpoint 192.0.2.9:5 persistent-keepalive 25 \
	allowed-ips 10.1.0.0/16,fd01::/64 \
	peer "$(pub p2)" endpoint '[2001:db8::9]:65535' allowed-ips 10.2.0.1/32
is "wg show dump prints every field" "$(field dump)" "$(
	printf '%s\t%s\t51999\t0x1234\n' "$(key own)" "$(pub own)"
	printf '%s\t%s\t192.0.2.9:5\t10.1.0.0/16,fd01::/64\t0\t0\t0\t25\n' \
		"$(pub p1)" "$(cat "$TMP/psk")"
	printf '%s\t(none)\t[2001:db8::9]:65535\t10.2.0.1/32\t0\t0\t0\toff' "$(pub p2)"
)"
is "wg show prints the public key" "$(field public-key)" "$(pub own)"
is "wg show prints the private key" "$(field private-key)" "$(key own)"
is "wg show prints the port" "$(field listen-port)" 51999
is "wg show prints the mark" "$(field fwmark)" 0x1234
is "wg show prints the peers in the order of their addition" "$(field peers)" \
	"$(pub p1)"$'\n'"$(pub p2)"
is "wg show prints the preshared keys" "$(field preshared-keys | cut -f 2)" \
	"$(cat "$TMP/psk")"$'\n(none)'
is "wg show prints the endpoints" "$(field endpoints | cut -f 2)" \
	$'192.0.2.9:5\n[2001:db8::9]:65535'
is "wg show prints the allowed IPs" "$(field allowed-ips | cut -f 2)" \
	$'10.1.0.0/16 fd01::/64\n10.2.0.1/32'
is "wg show prints the handshake times" "$(field latest-handshakes | cut -f 2)" $'0\n0'
is "wg show prints the byte counts" "$(field transfer | cut -f 2 | sort -u)" 0
is "wg show prints the keepalives" "$(field persistent-keepalive | cut -f 2)" $'25\noff'
ok "wg show prints text for people" eval "w show '$A' | grep -q 'listening port: 51999'"
ok "the port is open" eval "in_ns a ss -Hlun | grep -q ':51999 '"

# --- files ----------------------------------------------------------------------------------------

w showconf "$A" >"$TMP/before"
is "wg showconf prints the configuration" "$(cat "$TMP/before")" "[Interface]
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
ok "setconf accepts the output of showconf" w setconf "$A" "$TMP/before"
is "that setconf changes nothing" "$(w showconf "$A")" "$(cat "$TMP/before")"

printf '[Peer]\nPublicKey = %s\nAllowedIPs = 10.3.0.0/24\n' "$(pub p3)" >"$TMP/add"
ok "addconf succeeds" w addconf "$A" "$TMP/add"
is "addconf adds a peer at the end" "$(field peers | tail -n 1) $(field peers | wc -l)" \
	"$(pub p3) 3"

{ interface own ListenPort=51998 && peer p3 AllowedIPs=10.9.0.0/24; } >"$TMP/sync"
ok "syncconf succeeds" w syncconf "$A" "$TMP/sync"
is "syncconf leaves the peers of the file" "$(field allowed-ips)" "$(pub p3)"$'\t'10.9.0.0/24
is "syncconf changes the port" "$(field listen-port)" 51998
ok "setconf of a file without peers succeeds" w setconf "$A" \
	<(printf '[Interface]\nPrivateKey = %s\n' "$(key own)")
is "that setconf removes all peers" "$(field peers)" ""

# --- errors: errno is negative after set, and positive after get ----------------------------------

refused() # WHAT ERRNO LINE...
{
	local what=$1 errno=$2
	shift 2
	is "$what is refused with errno=-$errno" "$(set_lines "$@")" "errno=-$errno"
}

P1="public_key=$(hex p1.pub)"
refused "an unknown key of the device" 22 colour=blue
refused "an unknown key of a peer" 22 "$P1" colour=blue
refused "a short private key" 22 private_key=abcd
refused "a private key that is not hexadecimal" 22 "private_key=${ZEROS:1}g"
refused "a port that is too large" 22 listen_port=65536
refused "a port that is no number" 22 listen_port=http
refused "a negative fwmark" 22 fwmark=-1
refused "replace_peers=false" 22 replace_peers=false
refused "a key of a peer before any peer" 22 allowed_ip=10.0.0.0/8
refused "remove=yes" 22 "$P1" remove=yes
refused "an IPv4 prefix of 33 bits" 22 "$P1" allowed_ip=10.0.0.0/33
refused "an IPv6 prefix of 129 bits" 22 "$P1" allowed_ip=fd00::/129
refused "an allowed IP that is no address" 22 "$P1" allowed_ip=tunnel/24
refused "an endpoint without port" 22 "$P1" endpoint=192.0.2.1
refused "an endpoint by name" 22 "$P1" endpoint=host.example:51820
refused "a keepalive that is too large" 22 "$P1" persistent_keepalive_interval=65536
refused "protocol version 2" 22 "$P1" protocol_version=2
refused "a line without =" 71 "$P1" remove
ok "the peer that those lines made is removed" w set "$A" peer "$(pub p1)" remove
is "get ends with errno=0" "$(printf 'get=1\n\n' | raw | tail -n 2)" "errno=0"
is "an unknown operation closes the connection without an answer" "$(printf 'swap=1\n\n' | raw)" ""
is "two operations on one connection are both answered" \
	"$(printf 'set=1\nfwmark=7\n\nset=1\nfwmark=x\n\n' | raw | grep .)" \
	$'errno=0\nerrno=-22'
is "the first of the two operations takes effect" "$(field fwmark)" 0x7
is "an overlong line closes the connection without an answer" \
	"$( (printf 'set=1\nendpoint='; head -c 100000 /dev/zero | tr '\0' 1; echo) | raw)" ""
is "a connection that sends nothing gets no answer" "$(raw </dev/null)" ""
is "lines before a fault take effect; there is no rollback" \
	"$(set_lines fwmark=8 listen_port=x)$(field fwmark)" \
	errno=-220x8
spawn a python3 -c 'import signal, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("0.0.0.0", 51990))
signal.pause()'
holder=$!
wait_for 5 eval "in_ns a ss -Hlun | grep -q :51990"
refused "a port in use" 98 listen_port=51990
refuses "wg says that the port is in use" 1 "Address already in use" in_ns a wg set "$A" \
	listen-port 51990
kill $holder
wait $holder 2>/dev/null
refuses "wg refuses an interface without daemon" 1 "Unable to (access|modify) interface" in_ns a \
	wg show "${ID}x"

# --- peers ----------------------------------------------------------------------------------------

is "update_only makes no peer" \
	"$(set_lines "$P1" update_only=true allowed_ip=10.0.0.0/8)$(field peers)" errno=0
is "lines after remove have no effect" \
	"$(set_lines "$P1" remove=true allowed_ip=10.0.0.0/8)$(field peers)" errno=0
is "a peer with our own key is ignored" \
	"$(set_lines "public_key=$(hex own.pub)" allowed_ip=10.0.0.0/8)$(field peers)" errno=0
w set "$A" peer "$(pub p1)" allowed-ips 10.1.0.0/16,10.2.0.0/16 \
	peer "$(pub p2)" allowed-ips 10.3.0.0/16
ok "an allowed IP is given to another peer" w set "$A" peer "$(pub p2)" allowed-ips \
	10.3.0.0/16,10.1.0.0/16
is "the allowed IP moves to that peer" "$(field allowed-ips | cut -f 2)" \
	$'10.2.0.0/16\n10.3.0.0/16 10.1.0.0/16'
w set "$A" peer "$(pub p1)" preshared-key "$TMP/psk"
ok "/dev/null clears a preshared key" w set "$A" peer "$(pub p1)" preshared-key /dev/null
is "the preshared key is gone" "$(field preshared-keys | cut -f 2 | sort -u)" "(none)"
ok "the private key becomes that of a peer" w set "$A" private-key "$TMP/p1.key"
is "the peer that had this key is removed" "$(field peers)" "$(pub p2)"
ok "/dev/null clears the private key" w set "$A" private-key /dev/null
is "the private key is gone" "$(field private-key) $(field public-key)" "(none) (none)"
is "zeros clear the private key, too" \
	"$(set_lines "private_key=$(hex own.key)" "private_key=$ZEROS")$(field private-key)" \
	"errno=0(none)"

ok "allowed IPs are replaced by overlapping prefixes" w set "$A" peer "$(pub p2)" \
	allowed-ips 0.0.0.0/0,::/0,10.0.0.0/8,10.0.0.0/9,fd00::/8
is "all new allowed IPs are listed" "$(field allowed-ips | cut -f 2 | tr ' ' '\n' | sort | xargs)" \
	"0.0.0.0/0 10.0.0.0/8 10.0.0.0/9 ::/0 fd00::/8"
ok "the allowed IPs are replaced again" w set "$A" peer "$(pub p2)" allowed-ips 0.0.0.0/1,8000::/1
is "no earlier allowed IP is left" "$(field allowed-ips | cut -f 2)" "0.0.0.0/1 8000::/1"
ok "an allowed IP with host bits is accepted" w set "$A" peer "$(pub p2)" allowed-ips 10.1.2.3/8
is "the host bits of the allowed IP are masked" "$(field allowed-ips | cut -f 2)" "10.0.0.0/8"

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
ok "255 x 256 x 2 allowed IPs are added" w addconf "$A" "$TMP/many"
is "all allowed IPs are listed" "$(field allowed-ips | grep -F "$(pub p3)" | cut -f 2 | wc -w)" \
	$((255 * 256 * 2))
is "no allowed IP is listed twice" \
	"$(field allowed-ips | grep -F "$(pub p3)" | cut -f 2 | tr ' ' '\n' | sort -u | wc -l)" \
	$((255 * 256 * 2))
ok "the peer with these allowed IPs is removed" w set "$A" peer "$(pub p3)" remove
is "the allowed IPs of the removed peer are gone" "$(field allowed-ips)" "$(pub p2)"$'\t'10.0.0.0/8

w set "$A" peer "$(pub p2)" remove
for i in {1..40}; do
	printf '[Peer]\nPublicKey = %s\nAllowedIPs = ' "$(wg genkey | wg pubkey)"
	printf "10.$i.0.%d/32, " {1..51}
	printf '10.%d.0.52/32\n' "$i"
done >"$TMP/forty"
ok "40 peers with 52 allowed IPs each are added" w addconf "$A" "$TMP/forty"
is "the peers are listed in the order of their addition" "$(field peers)" \
	 "$(sed -n 's/^PublicKey = //p' "$TMP/forty")"
is "all allowed IPs are listed" "$(field allowed-ips | cut -f 2 | wc -w)" $((40 * 52))
third=$(field peers | sed -n 3p)
ok "the third peer is changed" w set "$A" peer "$third" persistent-keepalive 5
is "the changed peer is still the third" "$(field peers | sed -n 3p)" "$third"

{
	printf '[Interface]\n'
	for i in {1..30}; do
		printf '[Peer]\nPublicKey = %s\n' "$(wg genkey | wg pubkey)"
	done
	printf 'AllowedIPs = 10.7.0.0/16, fd07::/64\n'
} >"$TMP/thirty"
ok "30 peers are set, and only the last has allowed IPs" w setconf "$A" "$TMP/thirty"
is "29 peers have no allowed IPs" "$(field allowed-ips | cut -f 2 | grep -c '(none)')" 29
is "the last peer has two allowed IPs" \
	"$(field allowed-ips | tail -n 1 | cut -f 2)" "10.7.0.0/16 fd07::/64"

w setconf "$A" /dev/stdin <<<"[Interface]"
is "394 allowed IPs are set by the socket" "$(set_lines "$P1" \
	"$(printf 'allowed_ip=10.4.%d.0/24\n' {0..196})" \
	"$(printf 'allowed_ip=fd04::%x/128\n' {0..196})")" errno=0
is "394 allowed IPs are listed" "$(field allowed-ips | cut -f 2 | wc -w)" 394
is "six allowed IPs are removed one by one" "$(set_lines "$P1" allowed_ip=-10.4.{0,7,196}.0/24 \
	allowed_ip=-fd04::{0,7,c4}/128)" errno=0
is "388 allowed IPs are left" "$(field allowed-ips | cut -f 2 | wc -w)" 388
answer=$(set_lines "$P1" allowed_ip=-10.4.1.0/25)
is "removing a prefix that another one covers changes nothing" \
	"$answer, $(field allowed-ips | cut -f 2 | wc -w) are left" "errno=0, 388 are left"

ok "the link is deleted" in_ns a ip link delete "$A"
clean "nothing is left" a "$A"
done_testing
