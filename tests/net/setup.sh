#!/bin/bash
# SPDX-License-Identifier: MIT
#
# After a successful attach, all requested settings are in place. If a setting cannot be made,
# attach fails, names the setting, and undoes everything.
#
#   a: eth0 ═══ eth0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq

ns_add a b c
join a eth0 b eth0
A=${ID}a
keys a b

fails() # WHAT REGEX SED-EDIT [NS]: checks that attach fails with REGEX and leaves nothing
{
	local ns=${4:-a}
	conf_a | sed "$3" | conf "$A" >/dev/null
	refuses "$1: attach fails" "@(1|78)" "$2" in_ns "$ns" "$WGXDP" attach \
		${4:+--rx udp --tx udp} "$TMP/$A.conf"
	clean "$1: nothing is left" "$ns" "$A"
}

mtu_of() { in_ns "$1" ip -j link show "$A" | jq '.[0].mtu'; }

# --- an MTU too small for IPv6 --------------------------------------------------------------------

fails "MTU = 1000 with an IPv6 address" "$A\.conf:[0-9:]+: MTU = 1000: IPv6 needs at least 1280" \
	's/^Address.*/Address = 10.99.0.1\/24, fd42::2\/64\nMTU = 1000/'
fails "MTU = 1279 with an allowed IP of IPv6" "MTU = 1279: IPv6 needs at least 1280" \
	's/^Address.*/&\nMTU = 1279/; s/^AllowedIPs.*/AllowedIPs = fd42::1\/128/'
ok "MTU = 1280 with IPv6: attach succeeds" \
	eval "conf_a | sed 's/^Address.*/Address = fd42::2\/64\nMTU = 1280/;
	s/^AllowedIPs.*/AllowedIPs = fd42:1::\/64/' | ours a '$A'"
is "the interface has the MTU 1280" "$(mtu_of a)" 1280
is "the interface has the IPv6 address" "$(in_ns a ip -j -6 address show dev "$A" scope global |
	jq -r '.[0].addr_info[0].local')" fd42::2
ok "the interface has the IPv6 route" in_ns a ip -6 route show fd42:1::/64 dev "$A"
ok "MTU = 1280 with IPv6: detach succeeds" down a "$A"

# --- error messages of the kernel -----------------------------------------------------------------

in_ns c sysctl -qw net.ipv6.conf.default.disable_ipv6=1 net.ipv6.conf.all.disable_ipv6=1
fails "an IPv6 address while IPv6 is disabled" 'fd42::1/64: .*IPv6 is disabled' \
	's/^Address.*/Address = 10.99.0.1\/24, fd42::1\/64/' c
fails "an allowed IP of IPv6 while IPv6 is disabled" 'fd42:1::/64: .*IPv6 is disabled' \
	's/^AllowedIPs.*/AllowedIPs = 10.99.0.2\/32, fd42:1::\/64/' c

# --- changes by another program -------------------------------------------------------------------

# Another program removes the addresses from the interface again and again.
caught=0
for _ in $(seq 20); do
	spawn a ip -force -batch <(yes "address flush dev $A") >/dev/null 2>&1
	meddler=$!
	conf_a "AllowedIPs=$(seq -s, -f '10.98.%g.0/24' 0 250)" | conf "$A" >/dev/null
	if ! in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" >"$TMP/out" 2>&1; then
		grep -q 'is missing now' "$TMP/out" && caught=1
	else
		down a "$A" >/dev/null 2>&1
	fi
	kill $meddler
	wait $meddler 2>/dev/null
	[ $caught -eq 0 ] || break
done
is "attach fails if somebody removes an address meanwhile" $caught 1
clean "the failed attach leaves nothing" a "$A"

# --- the MTU of a tunnel without endpoints --------------------------------------------------------

# The MTU of the tunnel must not come from a route that stays on this host, even if there is no
# endpoint or the endpoint is on this host.
lonely() { in_ns "$1" "$WGXDP" attach --rx udp --tx udp "$TMP/$A.conf"; }
interface a Address=192.0.2.1/24 | conf "$A" >/dev/null
ok "no endpoint: attach succeeds" lonely c
is "no endpoint: the MTU is not that of the route to the tunnel's own address" "$(mtu_of c)" 1420
ok "no endpoint: detach succeeds" down c "$A"
in_ns c ip link set lo up
conf_a | sed 's/^Endpoint.*/Endpoint = 127.0.0.1:51822/' | conf "$A" >/dev/null
ok "an endpoint on this host: attach succeeds" lonely c
is "an endpoint on this host: the MTU is not that of the loopback" "$(mtu_of c)" 1420
ok "an endpoint on this host: detach succeeds" down c "$A"
in_ns a ip route add 203.0.113.0/24 via 192.0.2.2 mtu 1400
conf_a | sed 's/^Endpoint.*/Endpoint = 203.0.113.1:51822/' | conf "$A" >/dev/null
ok "an endpoint behind a route with an MTU: attach succeeds" \
	in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf"
is "an endpoint behind a route with an MTU: the MTU is the route's less 80" "$(mtu_of a)" 1320
ok "an endpoint behind a route with an MTU: detach succeeds" down a "$A"
clean "nothing is left at the end" a "$A"

# --- a file system that cannot be written to ------------------------------------------------------

read_only()
{
	# shellcheck disable=SC2016 # the inner shell expands "$@"
	in_ns a unshare -m sh -c 'mount -t tmpfs -o ro none /run && exec "$@"' - \
		"$WGXDP" attach eth0 "$TMP/$A.conf"
}
refuses "attach fails if /run is read-only" 1 'Read-only file system' read_only
omits "the message does not advise to run as root" root

done_testing
