#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A default route through the tunnel. attach makes the same settings as wg-quick(8) for the same
# file. wgxdp restores them when other programs remove them, lets no packet out unencrypted
# meanwhile, and undoes all of them at the end.
#
#   ┌────────── a ──────────┐            ┌─────────────── b ───────────────┐
#   │ wgxdp                 │            │ wgxdp, the server               │
#   │ 192.0.2.1        eth0 ════════ eth0 192.0.2.2                        │
#   │ default via 192.0.2.2 │            │ lo 203.0.113.9, 2001:db8:9::9   │
#   └───────────────────────┘            └─────────────────────────────────┘
#
# The two addresses of lo stand for the internet. nftables in b counts packets to these addresses
# that arrive on eth0, because they were sent unencrypted.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wg-quick nft ping jq

ns_add a b c
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
internet

# Replaces resolvconf(8), which wg-quick and attach run, by a script that records its arguments.
mkdir "$TMP/bin"
cat >"$TMP/bin/resolvconf" <<-END
	#!/bin/sh
	{ echo "resolvconf \$*"; [ "\$1" != -a ] || cat; } >>$TMP/dns
END
chmod +x "$TMP/bin/resolvconf"
PATH=$TMP/bin:$PATH

{
	interface a ListenPort=51821 Address=10.99.0.1/24,fd99::1/64 \
		DNS=10.99.0.2,fd99::2,corp.example,example.com
	peer b AllowedIPs=0.0.0.0/0,::/0 Endpoint=192.0.2.2:51822
	section Peer "PublicKey = $(wg genkey | wg pubkey)" AllowedIPs=10.98.0.0/16,10.99.0.77/32
} | conf "$A" >/dev/null
ok "attach succeeds in b" ours b "$B" < <(
	interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
	peer a AllowedIPs=10.99.0.1/32,fd99::1/128)

# --- the same settings as wg-quick ----------------------------------------------------------------

state() # prints the network settings of namespace a
{
	local table
	in_ns a ip -j address show dev "$A" |
		jq -c '.[] | .mtu, (.addr_info[] | {family, local, prefixlen, scope})'
	in_ns a ip -j route show table all dev "$A" | jq -c '.[]'
	in_ns a ip -6 -j route show table all dev "$A" | jq -c '.[]'
	in_ns a ip -j rule | jq -c '.[]'
	in_ns a ip -6 -j rule | jq -c '.[]'
	in_ns a cat /proc/sys/net/ipv4/conf/all/src_valid_mark
	in_ns a wg show "$A" fwmark
	for table in $(in_ns a nft list tables | cut -d ' ' -f 2- | sort | tr ' ' :); do
		in_ns a nft list table "${table%:*}" "${table#*:}" |
			sed 's/wg-quick-/wgxdp-/; /chain leak/,/}/d' | grep -v '^$'
	done
	cat "$TMP/dns"
}
host_state() # prints the host's settings that attach changes and detach must restore
{
	in_ns a ip -j rule
	in_ns a ip -6 -j rule
	in_ns a nft list ruleset
	in_ns a cat /proc/sys/net/ipv4/conf/all/src_valid_mark
	in_ns a ip route show table all
	find "$RUN" -name "$A*"
}
before=$(host_state)

if ip link add "${ID}k" type wireguard 2>/dev/null; then
	ip link delete "${ID}k"
	diag "the kernel has WireGuard, so wg-quick ignores a userspace implementation"
else
	ok "wg-quick up succeeds" env WG_QUICK_USERSPACE_IMPLEMENTATION=wgxdp \
		nsenter --net="/run/netns/$ID-a" wg-quick up "$TMP/$A.conf"
	by_quick=$(state)
	ok "wg-quick down succeeds" in_ns a wg-quick down "$TMP/$A.conf"
	in_ns a sysctl -qw net.ipv4.conf.all.src_valid_mark=0 # wg-quick does not reset it
	dns_of_quick=$(cat "$TMP/dns")
	: >"$TMP/dns"
	wait_for 5 eval "! ip -n $ID-a link show dev $A"
fi
up() { in_ns a "$WGXDP" attach "$TMP/$A.conf" "$@" </dev/null; }
ok "attach succeeds" up
[ ! -v by_quick ] || is "attach makes the same settings as wg-quick" "$(state)" "$by_quick"

# --- traffic ------------------------------------------------------------------------------------

reached() { pinged a 203.0.113.9 2 && pinged a 2001:db8:9::9 2; }
ok "the internet is reached" reached
is "data leaves by XDP" "$(show a "$A" .path.tx)" xdp
is "no packet to the internet is unencrypted" "$(clear_packets)" 0
ok "the local network is reached" in_ns a ping -q -c 1 -W 2 192.0.2.2
is "no packet loops" "$(show a "$A" '.drops.loop // 0')" 0

# --- what others remove comes back, and nothing leaks ---------------------------------------------

cat >"$TMP/send.py" <<-END
	import socket
	v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	while True:
	    for s, to in (v4, "203.0.113.9"), (v6, "2001:db8:9::9"):
	        try:
	            s.sendto(b"secret", (to, 9))
	        except OSError:
	            pass
END
kept=$(state | grep -v resolvconf)
whole() { [ "$(state | grep -v resolvconf)" = "$kept" ]; }
spawn a nice -n 19 /usr/bin/python3 "$TMP/send.py"
sender=$!
removed() # WHAT CONDITION COMMAND...
{
	local begin=${EPOCHREALTIME/./}
	"${@:3}" >/dev/null 2>&1
	ok "$1: the setting is restored" wait_for 10 eval "in_ns a $2"
	diag "$1: the setting is restored after $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
}
removed "ip rule flush" "ip rule | grep -q 32767" ip -n "$ID-a" rule flush
removed "ip -6 rule flush" "ip -6 rule | grep -q 32766" ip -n "$ID-a" -6 rule flush
removed "deletion of the tunnel's rule" "ip rule | grep -q 51820" \
	ip -n "$ID-a" rule delete not fwmark 51820 table 51820
removed "flush of the tunnel's table" \
	"ip route show table 51820 | grep -q ." ip -n "$ID-a" route flush table 51820
removed "flush of the tunnel's IPv6 table" "ip -6 route show table 51820 | grep -q ." \
	ip -n "$ID-a" -6 route flush table 51820
removed "nft flush ruleset" "nft list chain ip6 wgxdp-$A leak" in_ns a nft flush ruleset
removed "flush of an nftables table" "nft list table ip wgxdp-$A | grep -q nexthop" \
	in_ns a nft flush table ip "wgxdp-$A"

# wgxdp also notices a flush that happens while it restores the tables.
for _ in 1 2 3; do
	in_ns a nft flush ruleset
	wait_for 10 in_ns a nft list chain ip "wgxdp-$A" leak
	in_ns a nft flush table ip "wgxdp-$A"
	in_ns a nft flush table ip6 "wgxdp-$A"
done
ok "tables that are flushed while wgxdp restores them are restored" wait_for 20 whole

removed "flush of the addresses" \
	"ip address show dev $A | grep -q fd99" ip -n "$ID-a" address flush dev "$A"
removed "link down and up" "ip route show table 51820 | grep -q ." \
	eval "ip -n '$ID-a' link set '$A' down; ip -n '$ID-a' link set '$A' up"
kill "$sender"
ok "all settings are as before" wait_for 5 whole
ok "the log reports what was restored" eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'restored what another program removed'"
is "no packet has left unencrypted" "$(clear_packets)" 0
ok "the internet is reached" reached

# While the tunnel interface is in another namespace, wgxdp removes the rules and tables that attach
# made. Packets of namespace a then bypass the tunnel.
in_ns a ip link set "$A" netns "$ID-c"
ok "in another namespace: the rules are undone" wait_for 5 eval "! in_ns a ip rule | grep -q 51820"
ok "in another namespace: the tables are undone" \
	wait_for 5 eval "! in_ns a nft list ruleset | grep -q ."
in_ns c ip link set "$A" netns "$ID-a"
in_ns a ip link set "$A" up
back() { in_ns a ip rule && in_ns a ip route show table 51820 && in_ns a nft list ruleset; }
ok "moved back: rules, routes and tables are restored" \
	wait_for 5 eval 'back | grep -c "51820 *$\|default dev\|chain leak" | grep -qx 4'

# If another program adds a routing rule, wgxdp removes its nftables guard against leaks, because
# the added rule decides which packets may leave unencrypted. If wgxdp has restored many settings
# before, it may need up to 3 s to remove the guard (user/host/keep.h).
in_ns a ip rule add to 203.0.113.9 lookup main
ok "another program's rule lets packets out" wait_for 10 pinged a 203.0.113.9 1
holds "those packets are unencrypted" "$(clear_packets)" -gt 0
in_ns a ip rule delete to 203.0.113.9 lookup main

# --- detach undoes all settings -------------------------------------------------------------------

gone() { [ "$(host_state)" = "$before" ]; }
ok "detach succeeds" down a "$A"
is "detach undoes all settings" "$(host_state)" "$before"
dns=$(tail -n 5 "$TMP/dns")
[ ! -v by_quick ] || is "DNS is set and unset as by wg-quick" "$dns" "$dns_of_quick"

ok "attach succeeds by the UDP sockets" up --rx udp --tx udp
ok "the internet is reached" reached
kill -9 "$(daemon_pid a "$A")"
wait_for 5 eval "! ip -n $ID-a link show dev $A"
ok "detach after kill -9 succeeds" down a "$A"
is "detach after kill -9 undoes all settings" "$(host_state)" "$before"
is "detach after kill -9 unsets DNS" "$(tail -n 1 "$TMP/dns")" "$(echo "$dns" | tail -n 1)"
ok "attach succeeds" up
kill -9 "$(daemon_pid a "$A")"
wait_for 5 eval "! ip -n $ID-a link show dev $A"
sed -i 's/^DNS.*/Table = 1234/' "$TMP/$A.conf"
ok "attach after kill -9 succeeds, now with a numbered table" up
rules=$(in_ns a ip rule | wc -l)/$(in_ns a ip -6 rule | wc -l)
is "the settings of the dead daemon are gone" "$rules $(in_ns a nft list ruleset)" "3/2 "
is "the routes are in the numbered table" \
	"$(in_ns a ip route show table 1234 | cut -d ' ' -f 1 | xargs)" \
	"default 10.98.0.0/16 10.99.0.77"
ok "detach succeeds" down a "$A"

# --- DNS that cannot be set -----------------------------------------------------------------------

sed -i 's/^Table.*/DNS = 10.99.0.2/' "$TMP/$A.conf"
printf '#!/bin/sh\necho no such thing >&2; exit 3\n' >"$TMP/bin/resolvconf"
refuses "resolvconf fails: the error quotes its output" 1 \
	'resolvconf failed with status 3: no such thing' up
is "resolvconf fails: all settings are undone" "$(host_state)" "$before"
rm "$TMP/bin/resolvconf"
if ! command -v resolvconf >/dev/null && [ ! -e /run/systemd/resolve/stub-resolv.conf ]; then
	refuses "without resolvconf: the error says what to install" 1 'install the package' up
	is "without resolvconf: all settings are undone" "$(host_state)" "$before"
fi
ok "detach succeeds in b" down b "$B"

done_testing
