#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 180
#
# Runs the commands of two well-known texts: the unofficial WireGuard documentation and OpenBSD's
# wg(4). wgxdp replaces wg-quick and the kernel's WireGuard. docs/verification.md has a row for each
# command, which names the section of this file that tests the command.
#
#   ┌── b: home-server ───┐      ┌─ a: public-server1, which relays ─┐      ┌──── c: laptop ─────┐
#   │ tunnel 192.0.2.3    │      │         tunnel 192.0.2.1          │      │ tunnel 192.0.2.4   │
#   │ 198.51.100.2     eth0 ══ eth0 198.51.100.1    203.0.113.1    eth1 ══ eth0   203.0.113.2    │
#   └─────────────────────┘      └───────────────────────────────────┘      └────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg iperf3 openssl ss

ns_add a b c
A=${ID}a B=${ID}b C=${ID}c

cable eth0 b 198.51.100
cable eth1 c 203.0.113
cd "$TMP" || exit 1
umask 077

pings() { in_ns "$1" ping -q -c 3 -i 0.1 -W 5 "$2"; }

# --- keys -----------------------------------------------------------------------------------------

for tool in wg "$WGXDP"; do
	ok "${tool##*/} genkey > example.key" eval "'$tool' genkey > example.key"
	ok "${tool##*/} pubkey < example.key > example.key.pub" eval \
		"'$tool' pubkey < example.key > example.key.pub"
	is "wg and wgxdp derive the same public key" "$(wg pubkey <example.key)" \
		"$("$WGXDP" pubkey <example.key)"
done
ok "openssl rand -base64 32 makes a private key, as any 32 bytes do" eval \
	"openssl rand -base64 32 > a.key"
for name in b c; do
	wg genkey >"$name.key"
done
for name in a b c; do
	wg pubkey <"$name.key" >"$name.pub"
done

# --- config ---------------------------------------------------------------------------------------

mkdir bin
ln -s /bin/true bin/resolvconf # without a resolvconf, check would warn about DNS=
accepts() # WHAT COUNT < CONFIG: check accepts the config, and prints COUNT warnings
{
	local path
	path=$(conf "$A")
	ok "config: $1: check accepts it" eval \
		"in_ns a env PATH=$TMP/bin:$PATH '$WGXDP' check '$path' >/dev/null 2>err"
	is "config: $1: check prints $2 warnings" "$(grep -c warning err)" "$2"
}

accepts "a client that routes only for itself" 0 <<-X
	[Interface]
	# Name = phone.example-vpn.dev
	Address = 192.0.2.5/32
	PrivateKey = $(key a)
X
accepts "several subnets, IPv6, custom port, MTU" 0 <<-X
	[Interface]
	Address = 192.0.2.1/24,2001:DB8::/64
	ListenPort = 7000
	MTU = 1500
	PrivateKey = $(key a)
X
accepts "a public peer by name, one by address" 0 <<-X
	[Interface]
	PrivateKey = $(key a)
	[Peer]
	# Name = public-server2.example-vpn.dev
	Endpoint = public-server2.example-vpn.dev:51820
	PublicKey = $(pub b)
	AllowedIPs = 192.0.2.2/32
	[Peer]
	Endpoint = 123.124.125.126:51820
	PublicKey = $(pub c)
	AllowedIPs = 192.0.2.3/32,192.0.2.4/32
X
accepts "a relay; its host bits are masked" 2 <<-X
	[Interface]
	PrivateKey = $(key a)
	[Peer]
	# Name = public-server1.example-vpn.tld
	Endpoint = public-server1.example-vpn.tld:51820
	PublicKey = $(pub b)
	# routes traffic to itself and entire subnet of peers as bounce server
	AllowedIPs = 192.0.2.1/24
	PersistentKeepalive = 25
	[Peer]
	PublicKey = $(pub c)
	AllowedIPs = 192.0.3.3/32,192.168.1.1/24
X

# shellcheck disable=SC2016 # the shell that runs PostUp expands $(date)
for line in "DNS = 1.1.1.1,8.8.8.8" "Table = 1234" \
	"PreUp = ip rule add ipproto tcp dport 22 table 1234" \
	'PostUp = echo "$(date +%s) WireGuard Started" >> /var/log/wireguard.log' \
	"PreDown = /bin/example arg1 arg2 %i" \
	"PostDown = curl https://events.example.dev/wireguard/stopped/?key=abcdefg"; do
	accepts "$line" 0 <<-X
		[Interface]
		PrivateKey = $(key a)
		$line
	X
done
printf '[Interface]\nListenPort 12000\n' | conf "$A" >/dev/null
refuses "config: a line without = is refused, as wg refuses it" 78 "$A.conf:2:1: .*no '='" \
	"$WGXDP" check "$A.conf"

# --- start and stop -------------------------------------------------------------------------------

conf "$A" >/dev/null <<-X
	[Interface]
	# Name = public-server1.example-vpn.tld
	Address = 192.0.2.1/24
	ListenPort = 51820
	PrivateKey = $(key a)
	[Peer]
	# Name = home-server.example-vpn.dev
	PublicKey = $(pub b)
	AllowedIPs = 192.0.2.3/32
	[Peer]
	# Name = laptop.example-vpn.dev
	PublicKey = $(pub c)
	AllowedIPs = 192.0.2.4/32
X

client() # NS ADDRESS ENDPOINT
{
	conf "$ID$1" <<-X
		[Interface]
		Address = $2/32
		PrivateKey = $(key "$1")
		[Peer]
		# Name = public-server1.example-vpn.tld
		Endpoint = $3:51820
		PublicKey = $(pub a)
		AllowedIPs = 192.0.2.1/24
		PersistentKeepalive = 25
	X
}

client b 192.0.2.3 198.51.100.1 >/dev/null
client c 192.0.2.4 203.0.113.1 >/dev/null
in_ns a sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.proxy_arp=1
ok "wg-quick up, on the relay: attach" in_ns a "$WGXDP" attach eth0,eth1 "$TMP/$A.conf"
ok "wg-quick up, on a client: attach" in_ns b "$WGXDP" attach "$TMP/$B.conf"
ok "wg-quick up, on another client: attach" in_ns c "$WGXDP" attach "$TMP/$C.conf"

# --- testing --------------------------------------------------------------------------------------

ok "a client reaches the relay directly" pings b 198.51.100.1
ok "a client reaches the relay through the tunnel" pings b 192.0.2.1
ok "the laptop reaches the relay through the tunnel" pings c 192.0.2.1
ok "a client reaches a peer behind the relay" pings b 192.0.2.4
ok "the peer behind the relay reaches the client" pings c 192.0.2.3
spawn a iperf3 -s -1 >/dev/null 2>&1
wait_for 5 eval "in_ns a ss -Hltn | grep -q :5201"
ok "iperf -c 192.0.2.1" in_ns b iperf3 -c 192.0.2.1 -t 1

# --- inspect --------------------------------------------------------------------------------------

for command in "wg show" "wg show all" "wg show $A" "wg show $A allowed-ips" "ip address show $A" \
	"ip link show $A" "ip address show" "ip address show eth0" "ip route show table main" \
	"ip route show table local" "ip route get 192.0.2.3" "$WGXDP show $A"; do
	# shellcheck disable=SC2086 # $command is split into words
	in_ns a $command >said 2>&1
	is "${command##*/}" "$?" 0
	case $command in
	*eth0) ok "the output has the address" grep -q 198.51.100.1 said ;;
	*) ok "the output has $A" grep -q "$A\|$(pub b)" said ;;
	esac
done

# --- by hand --------------------------------------------------------------------------------------

ok "wg-quick down: detach" in_ns b "$WGXDP" detach "$B"
clean "nothing is left" b "$B"
ok "ip link add dev wg0 type wireguard: wgxdp wg0" in_ns b "$WGXDP" "$B"
ok "ip address add dev wg0 192.0.2.3/32" in_ns b ip address add dev "$B" 192.0.2.3/32
ok "ip link set wg0 up" in_ns b ip link set "$B" up
ok "ip route add 192.0.2.3/32 dev wg0" in_ns b ip route add 192.0.2.3/32 dev "$B"
ok "ip route delete 192.0.2.3/32 dev wg0" in_ns b ip route delete 192.0.2.3/32 dev "$B"
ok "ip route add 192.0.2.0/24 dev wg0" in_ns b ip route add 192.0.2.0/24 dev "$B"
ok "wg set" in_ns b wg set "$B" private-key b.key peer "$(pub a)" endpoint 198.51.100.1:51820 \
	allowed-ips 192.0.2.1/24
ok "the client set by hand reaches the relay" pings b 192.0.2.1
ok "wg set wg0 private-key FILE, while wg0 is up" in_ns b wg set "$B" private-key c.key
is "the interface has the other key" "$(in_ns b wg show "$B" public-key)" "$(pub c)"
printf '[Peer]\nPublicKey = %s\nAllowedIPs = 192.0.2.9/32\n' "$(pub b)" >peers.conf
printf '[Peer]\nPublicKey = %s\nAllowedIPs = 192.0.2.8/32\n' "$(pub c)" >>peers.conf
ok "wg addconf wg0 peers.conf, one list for everybody" in_ns b wg addconf "$B" peers.conf
is "the interface's own key is left out of the peers" "$(in_ns b wg show "$B" peers | sort)" \
	"$(sort a.pub b.pub)"
ok "ip route delete 192.0.2.0/24 dev wg0" in_ns b ip route delete 192.0.2.0/24 dev "$B"
ok "ip address delete dev wg0 192.0.2.3/32" in_ns b ip address delete dev "$B" 192.0.2.3/32
ok "ip link set wg0 down" in_ns b ip link set "$B" down
ok "ip link delete dev wg0" in_ns b ip link delete dev "$B"
clean "nothing is left" b "$B"
down c "$C"
down a "$A"

# --- wg(4): two interfaces on one machine, each in a routing domain of its own --------------------

ns_add d
D=${ID}d
for name in "$A" "$D"; do # each daemon runs in the foreground, so that it logs to a file
	spawn a env WG_PROCESS_FOREGROUND=1 "$WGXDP" "$name" >"$name.log" 2>&1
done
ok "wg1 and wg2 run in one namespace" wait_for 10 eval "wg show '$A' && wg show '$D'"
ok "ifconfig wg1 wgport 111 wgkey ... wgpeer ... wgendpoint 127.0.0.1 222" in_ns a wg set "$A" \
	listen-port 111 private-key b.key peer "$(pub c)" \
	endpoint 127.0.0.1:222 allowed-ips 192.168.5.2/32
ok "ifconfig wg2 the other way round" in_ns a wg set "$D" \
	listen-port 222 private-key c.key peer "$(pub b)" \
	endpoint 127.0.0.1:111 allowed-ips 192.168.5.1/32
ok "rdomain 1: wg1 moves" in_ns a ip link set "$A" netns "$ID-b"
ok "rdomain 2: wg2 moves" in_ns a ip link set "$D" netns "$ID-d"
in_ns b ip address add 192.168.5.1/24 dev "$A"
in_ns d ip address add 192.168.5.2/24 dev "$D"
in_ns b ip link set "$A" up

says() # WHAT REGEX: exactly one line of wg1's log matches, within eight seconds
{
	wait_for 8 grep -qE -- "$2" "$A.log"
	is "$1" "$(grep -cE -- "$2" "$A.log")" 1
	: >"$A.log"
}

PEER="peer $(pub c | sed 's/[+/]/\\&/g')"
ok "ifconfig wg1 debug" "$WGXDP" set "$A" debug on
: >"$A.log"
in_ns b ping -q -c 1 -W 1 192.168.5.2 >said
says "wg1 logs that wg2, which is down, does not answer" \
	"Handshake for $PEER \(127\.0\.0\.1:222\) did not complete after 5 seconds, retrying$"
in_ns d ip link set "$D" up
# wg1 repeats its initiation only every 5 s, so the first pings may not be answered.
ok "route -T1 exec ping 192.168.5.2" wait_for 10 pings b 192.168.5.2
is "netstat -ln: ss -lun" "$(in_ns a ss -Hlun | grep -oE ':(111|222) ' | sort -u | xargs)" \
	":111 :222"
in_ns d ip address add 192.168.5.99/24 dev "$D"
: >"$A.log"
in_ns d ping -q -c 1 -W 1 -I 192.168.5.99 192.168.5.1 >said
says "wg1 logs a packet whose source is not wg2's" \
	"Packet has unallowed src IP \(192\.168\.5\.99\) from $PEER \(127\.0\.0\.1:222\)$"
in_ns a wg set "$D" private-key a.key
in_ns d ping -q -c 1 -W 1 192.168.5.1 >said
says "wg1 logs an initiation from an unknown key" \
	"Invalid handshake initiation from 127\.0\.0\.1:222$"
in_ns a wg set "$D" peer "$(pub b)" remove peer "$(pub c)" endpoint 127.0.0.1:111 allowed-ips \
	192.168.5.1/32
in_ns d ping -q -c 1 -W 1 192.168.5.1 >said
says "wg1 logs an initiation that is meant for another key" \
	"Invalid initiation MAC from 127\.0\.0\.1:222$"
ok "ifconfig wg1 -debug" "$WGXDP" set "$A" debug off
in_ns a wg set "$D" private-key c.key peer "$(pub c)" remove peer "$(pub b)" endpoint \
	127.0.0.1:111 allowed-ips 192.168.5.1/32
: >"$A.log"
in_ns d ping -q -c 1 -W 1 -I 192.168.5.99 192.168.5.1 >said
ok "wg2 reaches wg1 again" wait_for 10 pings d 192.168.5.1
is "with debug off nothing is logged" "$(cat "$A.log")" ""
is "wgpubkey" "$(in_ns a wg show "$A" public-key)" "$(pub b)"
in_ns b ip link delete "$A"
in_ns d ip link delete "$D"
clean "nothing is left" a "$A"

done_testing
