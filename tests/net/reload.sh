#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon applies changes of its config file on `wgxdp reload`, on SIGHUP, and automatically. It
# applies only what has changed in the file: settings that were made by wg(8) stay, and no packet of
# an unchanged peer is lost.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: wgxdp 10.99.0.2

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq nft

RELOADS=${RELOADS:-30} FLOW_S=${FLOW_S:-4}
ns_add a b
join a eth0 b eth0
keys a b c d e new psk
A=${ID}a
mkdir "$TMP/etc"
FILE=$TMP/etc/$A.conf

config() # LINE...: prints [Interface], peer b, and then the given lines
{
	interface a ListenPort=51820 Address=10.99.0.1/24 PostUp="echo up >> $TMP/hooks" \
		PostDown="echo down >> $TMP/hooks"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
	printf '%s\n' "$@"
}

place() { cat >"$TMP/etc/fresh" && mv "$TMP/etc/fresh" "$FILE"; } # replaces the file atomically
reload() { in_ns a "$WGXDP" reload "$A" "$@"; }
wgs() { in_ns a wg show "$A" "$@"; }
allowed() { wgs allowed-ips | grep -F "$(pub "$1")" | cut -f 2; } # PEER
has() { wgs peers | grep -qF "$(pub "$1")"; }			  # PEER
logged() { in_ns a "$WGXDP" logs "$A"; }
applied() { show a "$A" .config.applied; }

config | place
umask 077
ok "attach succeeds" in_ns a "$WGXDP" attach eth0 "$FILE" --no-watch </dev/null
ok "attach succeeds in b" ours b "${ID}b" < <(
	interface b ListenPort=51820 Address=10.99.0.2/24
	peer a AllowedIPs=10.99.0.1/32,10.98.0.0/16 Endpoint=192.0.2.1:51820)
ok "there is a session" pinged a 10.99.0.2 5
is "show names the file" "$(show a "$A" .config.path)" "$FILE"
session=$(show b "${ID}b" .peers[0].latest_handshake)

# --- what a reload changes ------------------------------------------------------------------------

config "$(peer c AllowedIPs=10.97.0.0/24 PersistentKeepalive=25 PresharedKey="$(key psk)" \
	Name=carol)" | place
ok "a peer is added" reload
is "the added peer has its allowed IPs" "$(allowed c)" 10.97.0.0/24
is "the added peer has its keepalive" \
	"$(wgs persistent-keepalive | grep -F "$(pub c)" | cut -f 2)" 25
is "the added peer has its preshared key" \
	"$(wgs preshared-keys | grep -F "$(pub c)" | cut -f 2)" "$(key psk)"
is "the added peer has its name" "$(show a "$A" .peers[1].name)" carol
in_ns a wg set "$A" peer "$(pub d)" allowed-ips 10.96.0.0/24
in_ns a wg set "$A" peer "$(pub b)" persistent-keepalive 20
config "$(peer c AllowedIPs=10.97.0.0/25,10.97.1.0/24 Endpoint=192.0.2.9:1)" | place
ok "the peer is changed" reload
is "the changed peer: the allowed IPs are replaced" "$(allowed c)" "10.97.0.0/25 10.97.1.0/24"
is "the changed peer: the endpoint is set" \
	"$(wgs endpoints | grep -F "$(pub c)" | cut -f 2)" 192.0.2.9:1
is "the changed peer: the keepalive is off" \
	"$(wgs persistent-keepalive | grep -F "$(pub c)" | cut -f 2)" off
is "the changed peer: the preshared key is cleared" \
	"$(wgs preshared-keys | grep -F "$(pub c)" | cut -f 2)" "(none)"
is "the changed peer: the routes are those of its allowed IPs" \
	"$(in_ns a ip -o route show dev "$A" | cut -d ' ' -f 1 | paste -sd ' ')" \
	"10.97.0.0/25 10.97.1.0/24 10.99.0.0/24"
is "a peer that wg added stays" "$(allowed d)" 10.96.0.0/24
is "a value that wg set stays" \
	"$(wgs persistent-keepalive | grep -F "$(pub b)" | cut -f 2)" 20
config | sed '/^PrivateKey/d; s/51820$/51824/; /^Endpoint/s/51824/51820/' | place
ok "a file without the private key and peer c, and with another port, is applied" reload
is "the private key is not cleared" "$(wgs public-key)" "$(pub a)"
is "the peer is removed" "$(wgs peers | wc -l)" 2
is "the port is the new one" "$(wgs listen-port)" 51824
config "FwMark=1" | sed '$d; /ListenPort/s/$/\nFwMark = 0x11/' | place
ok "a file with the old port, and with a mark, is applied" reload
is "the port and the mark are set" "$(wgs listen-port) $(wgs fwmark)" "51820 0x11"
config | sed 's|10.99.0.1/24|&, 10.94.0.1/24\nMTU = 1300|' | place
addresses() { in_ns a ip -o -4 address show dev "$A" | grep -c '10.9[49]'; }
ok "a file with another address and another MTU is applied" reload
is "the address and the MTU are set" "$(addresses) $(in_ns a \
	ip -o link show dev "$A" | grep -o 'mtu [0-9]*')" "2 mtu 1300"
config | place
ok "reload --exact succeeds" reload --exact
is "the address and the MTU are those of the file" "$(addresses) $(in_ns a \
	ip -o link show dev "$A" | grep -o 'mtu [0-9]*')" "1 mtu 1420"
ok "only peer b is left" eval "has b && ! has d"
is "peer b's keepalive is that of the file" "$(wgs persistent-keepalive | cut -f 2)" off
is "no session has ended" "$(show b "${ID}b" .peers[0].latest_handshake)" "$session"
is "no hook has run again" "$(cat "$TMP/hooks")" up

# A link-local endpoint is accepted before its link exists, and works when the link appears.
config "$(peer c AllowedIPs=10.97.0.0/24 Endpoint='[fe80::1%eth9]:51820')" | place
ok "a file with an endpoint on a link that does not exist is applied" reload
missed()
{
	in_ns a "$WGXDP" show "$A" |
		grep -F "endpoint: [fe80::1%eth9]:51820 (unresolved: there is no such interface"
}
ok "show says that the endpoint's link does not exist" wait_for 5 missed
ip link add eth9 netns "$ID-a" type veth peer name eth9 netns "$ID-b"
on_eth9() { wgs endpoints | grep -qF "[fe80::1%eth9]:51820"; }
ok "when the link appears, the endpoint is set" wait_for 8 on_eth9
in_ns a ip link delete eth9
ip link add eth8 netns "$ID-a" type veth peer name eth8 netns "$ID-b"
config | place
ok "a file without that peer is applied" reload

# A reload keeps a port and a mark that wg has set and that neither the old nor the new file has.
# `reload --exact` removes them, as `wg syncconf` does.
config | sed '/^ListenPort/d' | place
ok "a file without a port is applied" reload
for change in reload exactly syncconf; do
	in_ns a wg set "$A" listen-port 51999 fwmark 7
	case $change in
	reload) reload ;;
	exactly) reload --exact ;;
	syncconf) in_ns a wg syncconf "$A" <("$WGXDP" strip "$FILE") ;;
	esac
	want="0 off"
	[ $change = reload ] && want="1 0x7"
	port=$(wgs listen-port)
	is "$change: wg's port and mark are kept or removed" \
		"$((port == 51999)) $(wgs fwmark)" "$want"
done
reload --exact
is "the port that the kernel chose is kept" "$(wgs listen-port)" "$port"
config | place
ok "a file with a port again is applied" reload --exact

# --- what a reload refuses ------------------------------------------------------------------------

config "[Peer]" "PublicKey=nonsense" | place
refuses "reload refuses a file with a fault" 1 "$A.conf:[0-9:]*: PublicKey" reload
ok "show reports the fault" eval "show a $A .config.error | grep -q PublicKey"
is "nothing has changed" "$(wgs peers)" "$(pub b)"
config | sed 's/^ListenPort.*/ListenPort = 51830/' | place
spawn a /usr/bin/python3 -c 'import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("", 51830)); time.sleep(60)'
thief=$!
wait_for 5 eval 'in_ns a ss -Hlun | grep -q 51830'
refuses "reload fails if the port is in use" 1 "ListenPort = 51830: Address already in use" reload
is "the port has not changed" "$(wgs listen-port)" 51820
kill "$thief"
refuses "reload refuses an interface that does not exist" \
	1 "no wgxdp serves" in_ns a "$WGXDP" reload "${ID}x"
refuses "reload refuses a wrong option" 2 "usage" in_ns a "$WGXDP" reload "$A" --hard
config | place
pid=$(daemon_pid a "$A")
config "$(peer c)" | place
kill -HUP "$pid"
ok "SIGHUP reloads" wait_for 5 has c
# Peer c may exist before the reload ends, because a reload changes the host after the peers.
ok "after SIGHUP show no longer reports a fault" \
	wait_for 5 eval "show a $A .config.error | grep -qx null"
ok "detach succeeds" down a "$A"
is "PostDown has run" "$(tail -1 "$TMP/hooks")" down

# --- automatic reloads ----------------------------------------------------------------------------

config | place
ok "attach succeeds, and follows the file" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null
config "$(peer c)" | place
ok "a file that was replaced is applied" wait_for 5 has c
config "$(peer d)" >"$FILE"
ok "a file that was written in place is applied" wait_for 5 eval "has d && ! has c"
config "[Pear]" | place
ok "show reports a fault" wait_for 5 eval "show a $A .config.error | grep -q Pear"
ok "a file with a fault changes nothing" has d
interface a ListenPort=51820 | place
ok "a file without any of the peers is not applied automatically" \
	wait_for 5 eval "show a $A .config.error | grep -q reload"
ok "the peer that such a file lacks stays" has d
ok "wgxdp reload applies that file" reload
is "after wgxdp reload all peers are gone" "$(wgs peers)" ""
ok "detach succeeds" down a "$A"

# The file is mounted like a Kubernetes ConfigMap: it is a link into ..data, and ..data is a link
# that is replaced.
version() { mkdir "$TMP/etc/..$1" && cat >"$TMP/etc/..$1/$A.conf"; }
swap() { ln -s "..$1" "$TMP/etc/..next" && mv -T "$TMP/etc/..next" "$TMP/etc/..data"; }
config | version 1
config "$(peer c)" | version 2
config "$(peer d)" | version 3
swap 1 && ln -sf "..data/$A.conf" "$FILE"
ok "attach succeeds with a link" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null
swap 2
ok "a swapped link is followed" wait_for 5 has c
swap 3 && rm -r "$TMP/etc/..2"
ok "a second swap is followed" wait_for 5 eval "has d && ! has c"
rm "$FILE"

# --- under load -----------------------------------------------------------------------------------

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
fds() { find "/proc/$pid/fd" -mindepth 1 | wc -l; }
maps() { show a "$A" '.peers[] | select(.name == "bob") | .allowed_ips[]'; }

pid=$(daemon_pid a "$A")
config "$(peer c)" >"$FILE" && reload && pinged a 10.99.0.2 5 >/dev/null
before=$(show a "$A" '"\(.dropped) \(.lost | length)"') fd=$(fds) handshake=$(show b "${ID}b" \
	.peers[0].latest_handshake)
/usr/bin/python3 tests/net/flow.py "$FLOW_S" "$ID-a:10.99.0.1,$ID-b:10.99.0.2" >"$TMP/flow" 2>&1 &
flow=$!
wait_for 5 grep -q begun "$TMP/flow"
failed=0
for ((i = 1; i <= RELOADS; i++)); do
	[ "$i" -ne 10 ] || size=$(rss)
	config "$(peer c AllowedIPs=10.97.$((i % 250)).0/24)" "$(peer d AllowedIPs=10.96.0.0/24)" \
		"$( ((i % 2)) || peer e AllowedIPs=10.95.0.0/16)" >"$FILE"
	reload || failed=$((failed + 1))
done
wait "$flow"
is "$RELOADS reloads succeed" "$failed" 0
ok "the last reload is in effect" eval "[ '$(allowed c)' = 10.97.$((RELOADS % 250)).0/24 ]"
is "no datagram of the untouched peer is lost" "$(grep -o 'lost.*' "$TMP/flow")" "lost 0 0"
is "nothing is dropped" "$(show a "$A" '"\(.dropped) \(.lost | length)"')" "$before"
is "that peer's session is the same" "$(show b "${ID}b" .peers[0].latest_handshake)" "$handshake"
is "no descriptor is left" "$(fds)" "$fd"
limit=2048
grep -q libasan "/proc/$pid/maps" && limit=65536 # ASan keeps freed memory for a while
if grep -q libtsan "/proc/$pid/maps"; then
	pass "the memory has hardly grown # SKIP TSan's own memory grows ($(($(rss) - size)) KiB)"
else
	holds "the memory has hardly grown" "$(($(rss) - size))" -lt $limit
fi

# --- in another namespace -------------------------------------------------------------------------

moved() # ADDRESS
{
	interface a ListenPort=51820 Address="$1/24"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}
ns_add m
in_ns a ip link set "$A" netns "$ID-m"
ok "the interface is in another namespace" \
	wait_for 5 eval "logged | grep -q 'moved to another namespace'"
moved 10.99.0.8 >"$FILE"
ok "a reload in that namespace succeeds" reload
in_ns m ip link set "$A" netns "$ID-a"
in_ns a ip link set "$A" up
ok "back again: the interface has the new address" \
	wait_for 5 eval "in_ns a ip address show dev '$A' | grep -q 10.99.0.8/24"
moved 10.99.0.1 >"$FILE"
ok "the old address returns" reload

ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

# --- very many routes -----------------------------------------------------------------------------

# While the daemon adds or deletes 50,000 routes, in the order of their destinations, it must still
# answer requests. The test sends a request after the first route has changed, and checks that the
# answer comes before the last route changes. If the test is too slow for this, it tries again.
MANY=50000 LAST=$((MANY - 1))
many() # FIRST-OCTET: the usual config, and a peer with MANY allowed IPs
{
	config "$(peer c AllowedIPs="$(seq 0 $LAST | awk -v net="$1" '{
		printf "%s%d.%d.%d.%d", comma, net, $1 / 65536, $1 / 256 % 256, $1 % 256
		comma = "," }')")"
}
routed() { in_ns a ip route get "$1" 2>/dev/null | grep -qF "dev $A "; } # ADDRESS
routes() { in_ns a ip -4 -o route show dev "$A" | cut -d . -f 1 | sort | uniq -c | xargs; }
address() { echo "$1.$(($2 / 65536)).$(($2 / 256 % 256)).$(($2 % 256))"; } # FIRST-OCTET NUMBER
begun() # COMMAND...: waits until COMMAND succeeds; fails if the reload in the background ends first
{
	until "$@"; do
		kill -0 "$reload" 2>/dev/null || return
	done
}
served=0 served_later=0
# Sets served if a request is answered while routes are added, and served_later if a request is
# answered while routes are deleted.
try()
{
	many 20 | place
	reload &
	reload=$!
	begun routed "$(address 20 0)" && logged >/dev/null && ! routed "$(address 20 $LAST)" &&
		served=1
	wait "$reload" || return
	config | place
	reload &
	reload=$!
	begun eval "! routed '$(address 20 0)'" && logged >/dev/null &&
		routed "$(address 20 $LAST)" && served_later=1
	wait "$reload"
}
config | place
ok "attach succeeds" in_ns a "$WGXDP" attach eth0 "$FILE" --no-watch </dev/null
for ((i = 0; i < 10 && !(served && served_later); i++)); do
	try || break
done
is "requests are answered while routes are added and deleted" "$served $served_later" "1 1"
is "all these routes are deleted" "$(routes)" "1 10"

# If the file is edited during a reload, the edit is applied after that reload.
many 20 | place
reload &
reload=$!
begun routed "$(address 20 0)"
many 21 | place
ok "a reload during the reload succeeds" reload
ok "the first reload has succeeded" wait "$reload"
is "the routes are those of the second edit" "$(routes)" "1 10 $MANY 21"

# If a route cannot be added, the reload fails, and the daemon restores the earlier routes.
in_ns a ip route add blackhole "$(address 22 1000)"
many 22 | place
refuses "a reload fails if there is another route" 1 "route to 22.0.3.232/32: there is one" reload
is "the routes are the earlier ones" "$(routes)" "1 10 $MANY 21"
in_ns a ip route delete blackhole "$(address 22 1000)"
ok "without the other route, the reload succeeds" reload
is "the routes are the new ones" "$(routes)" "1 10 $MANY 22"

# If the interface is moved away during a reload, the daemon removes the rules and nftables
# tables of the new file, because they would block unencrypted packets of the host. When the
# interface is back, the file is applied.
closed() { in_ns a ip rule | grep 'fwmark\|suppress' || in_ns a nft list tables | grep wgxdp; }
many 20 | sed 's|^AllowedIPs = 20|AllowedIPs = 0.0.0.0/0, 20|' | place
reload >/dev/null 2>&1 &
reload=$!
begun routed "$(address 20 0)"
in_ns a ip link set "$A" netns "$ID-m"
ok "the interface is moved during a reload" wait_for 60 eval "logged | grep -q 'are undone'"
is "no rule and no nftables table is left" "$(closed)" ""
wait "$reload"
in_ns m ip link set "$A" netns "$ID-a"
in_ns a ip link set "$A" up
back() { [ "$(routes)" = "1 10 $MANY 20" ] && [ -n "$(closed)" ]; }
ok "back again: the file is applied" wait_for 60 back
config | place
ok "a file without the default route is applied" reload
is "no failure to read the routes is logged" "$(logged | grep 'cannot be read')" ""
is "again, no rule and no nftables table is left" "$(closed)$(routes)" "1 10"

# A detach during a reload ends the daemon.
many 20 | place
reload 2>"$TMP/error" &
reload=$!
begun routed "$(address 20 0)"
ok "detach succeeds during a reload" down a "$A"
wait "$reload" || # unless the reload ended first
	is "that reload says that the daemon has ended" "$(cat "$TMP/error")" \
		"wgxdp: $A: the daemon ended before its answer was complete"
clean "nothing is left" a "$A"
done_testing
