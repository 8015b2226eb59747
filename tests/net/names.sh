#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Endpoints that are given by a name, with a DNS server whose records change (dns.py):
#
#   moved   the server restarts at another address, and DNS follows: the client reaches the server
#           within TTL + 15 s
#   turns   each answer has another address: the endpoint of a live session does not change
#   roamed  the server moves and DNS does not follow: the client keeps using the new address
#   full    like moved, but the route to the DNS server leads into the tunnel that is down
#   boot    there is no DNS server at first: the tunnel comes up, and the name is resolved later
#   nobody  the name does not exist: attach fails
#   screen  on a terminal attach counts down the seconds that it waits for DNS
#
#   ┌ a: wgxdp, a tunnel per case ┐         ┌─ b: wgxdp, a tunnel per case ┐
#   │ 192.0.2.1              eth0 │─────────│ eth0   192.0.2.2, .12, .22...│
#   │ DNS at 127.0.0.1            │         │ ports 51801...               │
#   │                             │         │ DNS at 198.51.100.1          │
#   └─────────────────────────────┘         └──────────────────────────────┘
#
# The cases run at the same time, because several of them wait until the server has been silent for
# 15 s.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq unshare mount script

# in_a_with_dns() mounts one of the files $etc/resolv.* over /etc/resolv.conf. The cases boot, full
# and screen have files of their own, which name other DNS servers.
cases=(moved turns roamed full boot)
etc=$TMP
printf 'nameserver 127.0.0.1\n' >"$etc/resolv.conf"
printf 'nameserver 127.0.0.9\n' >"$etc/resolv.boot"
printf 'nameserver 198.51.100.1\n' >"$etc/resolv.full"
records=$TMP/records
questions=$TMP/questions

in_a_with_dns() # FILE COMMAND...
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount --propagation slave bash -c \
		'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$@"
}

record() # NAME TTL all|one ADDRESS...
{
	echo "${@:2}" >"$records/$1.new"
	mv "$records/$1.new" "$records/$1"
}

port_of() # CASE
{
	local i
	for i in "${!cases[@]}"; do
		[ "${cases[i]}" = "$1" ] && echo $((51801 + i))
	done
}

net_of() { echo "10.99.$(($(port_of "$1") - 51800))"; } # CASE

client() # CASE KEEPALIVE [RESOLV_CONF [ALLOWED_IPS [FIELD=VALUE]]]
{
	local path
	path=$(conf "$ID$1" < <(
		interface a Address="$(net_of "$1").1/24" "${@:5}"
		peer b AllowedIPs="${4-$(net_of "$1").2/32}" Endpoint="$1.test:$(port_of "$1")" \
			PersistentKeepalive="$2"))
	in_a_with_dns "${3-$etc/resolv.conf}" "$WGXDP" attach "$path" --rx udp --tx udp \
		</dev/null
}

server() # CASE KEEPALIVE
{
	in_ns b "$WGXDP" attach --rx udp --tx udp "$(conf "${ID}s$1" < <(
		interface b ListenPort="$(port_of "$1")" Address="$(net_of "$1").2/24"
		peer a AllowedIPs="$(net_of "$1").1/32" PersistentKeepalive="$2"))" </dev/null
}

peer_of() { show a "$ID$1" ".peers[0] | $2"; }                    # CASE FILTER
is_at() { [ "$(peer_of "$1" .endpoint)" = "$2:$(port_of "$1")" ]; } # CASE ADDRESS
met() { [ "$(peer_of "$1" .latest_handshake)" -gt 0 ]; }            # CASE
asked() { grep -c "^$1.test A$" "$questions"; }                # CASE
asked_at_least() { [ "$(asked "$1")" -ge "$2" ]; }

# Restarts the server of the case at 192.0.2.TO instead of 192.0.2.FROM. The client must follow.
move() # CASE FROM TO
{
	local began
	ok "$1: the name leads to the server" wait_for 5 met "$1"
	is "$1: show has the name" "$(peer_of "$1" .endpoint_name)" "$1.test:$(port_of "$1")"
	in_ns b "$WGXDP" detach "${ID}s$1"
	in_ns b ip address del "192.0.2.$2/24" dev eth0
	in_ns b ip address add "192.0.2.$3/24" dev eth0
	server "$1" ''
	record "$1.test" 2 all "192.0.2.$3"
	began=$EPOCHREALTIME
	# The endpoint can change only after 15 s without a packet of the server. Lookups are at
	# least 5 s apart, although the TTL is 2 s.
	ok "$1: the server is reached at its other address" \
		wait_for 22 in_ns a ping -q -c 1 -W 1 "$(net_of "$1").2"
	diag "$1: after $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
	ok "$1: the endpoint is that address" is_at "$1" "192.0.2.$3"
}

case_moved()
{
	record moved.test 2 all 192.0.2.12
	server moved ''
	client moved 1
	move moved 12 13
}

# The routing rules are those of wg-quick(8) for a default route.
case_full()
{
	record full.test 2 all 192.0.2.52
	server full ''
	client full 1 "$etc/resolv.full" 0.0.0.0/0 FwMark=51820 Table=off
	in_ns a ip route add default dev "${ID}full" table 51820
	# The main table comes first, so that the packets of other cases are never routed into this
	# tunnel.
	in_ns a ip rule add pref 100 lookup main suppress_prefixlength 0
	in_ns a ip rule add pref 101 not fwmark 51820 lookup 51820
	move full 52 53
}

case_turns()
{
	local met_at
	record turns.test 1 one 192.0.2.22 192.0.2.24
	server turns 1
	client turns 1
	ok "turns: one of the addresses leads to the server" wait_for 5 met turns
	met_at=$(peer_of turns '[.latest_handshake, .endpoint]|tostring')
	ok "turns: the name is looked up again and again" wait_for 22 asked_at_least turns 5
	is "turns: the session stays at its address" \
		"$(peer_of turns '[.latest_handshake, .endpoint]|tostring')" "$met_at"
	in_ns a wg set "${ID}turns" peer "$(pub b)" endpoint 192.0.2.2:9
	is "turns: an endpoint set by wg replaces the name" \
		"$(peer_of turns '[.endpoint, .endpoint_name]|tostring')" '["192.0.2.2:9",null]'
}

case_roamed()
{
	record roamed.test 1 all 192.0.2.32
	server roamed 1
	client roamed ''
	ok "roamed: the name leads to the server" wait_for 5 in_ns a ping -q -c 1 -W 1 \
		"$(net_of roamed).2"
	in_ns b ip address del 192.0.2.32/24 dev eth0
	ok "roamed: the server is followed to its other address" wait_for 5 is_at roamed 192.0.2.2
	in_ns b wg set "${ID}sroamed" peer "$(pub a)" persistent-keepalive off
	# Lookups are at least 5 s apart, so the fourth lookup comes after 15 s without a packet of
	# the server. Only then could an answer replace the endpoint.
	ok "roamed: the name is looked up again and again" wait_for 24 asked_at_least roamed \
		$(($(asked roamed) + 4))
	ok "roamed: the endpoint stays where the server was heard" is_at roamed 192.0.2.2
	ok "roamed: the server is reached at that address" \
		in_ns a ping -q -c 1 -W 2 "$(net_of roamed).2"
}

case_boot()
{
	local pending='endpoint: boot\.test:[0-9]+ \(unresolved: no DNS server can be reached, '
	record boot.test 60 all 192.0.2.42
	server boot ''
	ok "boot: attach comes up without DNS" client boot 1 "$etc/resolv.boot"
	cp "$TMP/out" "$TMP/boot.out"
	is "boot: attach says that it waits, and what is missing" \
		"$(grep -cE 'waiting up to [0-9]+ s for DNS|:[0-9]+: boot.test: no DNS server' \
			"$TMP/boot.out")" 2
	is "boot: the peer has no endpoint" "$(peer_of boot .endpoint)" ""
	ok "boot: show says that the name is pending" eval "in_ns a '$WGXDP' show ${ID}boot |
		grep -E '$pending(next try in [0-9]+ s|trying again)'"
	printf 'nameserver 127.0.0.1\n' >"$etc/resolv.boot"
	ok "boot: the name is resolved later" wait_for 10 met boot
	ok "boot: the endpoint is the address from DNS" is_at boot 192.0.2.42
	is "boot: nothing is pending any more" "$(peer_of boot .endpoint_name_why)" null
	record four.test 60 all 192.0.2.22 2001:db8:99::2
	record six.test 60 all 192.0.2.24 2001:db8::2
	sed -i 's/boot\.test/four.test/' "$TMP/${ID}boot.conf"
	ok "boot: the file with another name is read again" in_ns a "$WGXDP" reload "${ID}boot"
	ok "boot: the other name is used at once; an IPv6 address without route is not used" \
		wait_for 3 is_at boot 192.0.2.22
	sed -i 's/four\.test/six.test/' "$TMP/${ID}boot.conf"
	ok "boot: the file is read again" in_ns a "$WGXDP" reload "${ID}boot"
	ok "boot: an IPv6 address with a route is preferred" \
		wait_for 3 is_at boot '[2001:db8::2]'
}

case_nobody()
{
	local path
	path=$(conf "${ID}nobody" < <(
		interface a Address=10.99.99.1/24
		peer b Endpoint=nobody.test:1 AllowedIPs=10.99.99.2/32))
	refuses "nobody: attach names the line and the name" 1 \
		':[0-9]+: nobody\.test: there is no such name; check the Endpoint' \
		in_a_with_dns "$etc/resolv.conf" "$WGXDP" attach "$path" --rx udp --tx udp
	is "nobody: no interface is left" "$(in_ns a ip -o link show "${ID}nobody" 2>/dev/null)" ""
}

case_screen()
{
	local path
	path=$(conf "${ID}screen" < <(
		interface a Address=10.99.98.1/24
		peer b Endpoint=screen.test:1 AllowedIPs=10.99.98.2/32))
	echo 'nameserver 127.0.0.9' >"$TMP/resolv.conf"
	in_a_with_dns "$TMP/resolv.conf" timeout -s INT 4 \
		script -qefc "$WGXDP attach --rx udp --tx udp '$path'" "$TMP/typescript" \
		</dev/null >/dev/null
	is "screen: attach counts down" \
		"$(grep -aoE 'screen\.test: waiting [98] s for DNS' "$TMP/typescript")" \
		"screen.test: waiting 9 s for DNS"$'\n'"screen.test: waiting 8 s for DNS"
	ok "screen: no interface is left" wait_for 10 \
		eval "! in_ns a ip -o link show '${ID}screen'"
}

# Runs the case in a process of its own, with its own files. end_case reports the case's results.
begin_case() # CASE
{
	mkdir "$TMP/$1"
	cp "$TMP"/*.key "$TMP"/*.pub "$TMP/$1"
	(
		trap - EXIT
		# shellcheck disable=SC2030 # TMP changes only in this case's subshell
		TMP=$TMP/$1
		pass() { echo "ok $1"; }
		fail()
		{
			echo "not ok $1"
			diag "${@:2}"
		}
		"case_$1"
	) >"$TMP/$1.results" 2>"$TMP/$1.messages" &
	running+=($!)
}

# shellcheck disable=SC2031
end_case() # CASE
{
	local line
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "${line#ok }" ;;
		"not ok "*) fail "${line#not ok }" "$(cat "$TMP/$1.messages")" ;;
		*) echo "$line" ;;
		esac
	done <"$TMP/$1.results"
}

ns_add a b
join a eth0 b eth0
for host in 12 22 24 32 42 52; do
	in_ns b ip address add 192.0.2.$host/24 dev eth0
done
# promote_secondaries keeps the other addresses of a subnet when the first one is deleted.
in_ns b sysctl -qw net.ipv4.conf.all.promote_secondaries=1
keys a b
mkdir "$records"
: >"$questions"
in_ns b ip address add 198.51.100.1/32 dev lo
in_ns a ip route add default via 192.0.2.2
spawn a /usr/bin/python3 "$LIB/dns.py" 127.0.0.1 "$records" "$questions"
spawn b /usr/bin/python3 "$LIB/dns.py" 198.51.100.1 "$records" "$questions"
wait_for 5 eval "in_ns a ss -Hlun | grep -q 127.0.0.1:53"
wait_for 5 eval "in_ns b ss -Hlun | grep -q 198.51.100.1:53"
running=()
for name in "${cases[@]}" nobody screen; do
	begin_case "$name"
done
wait "${running[@]}"
for name in "${cases[@]}" nobody screen; do
	end_case "$name"
done
for name in "${cases[@]}"; do
	down a "$ID$name" &
	running+=($!)
	down b "${ID}s$name" &
	running+=($!)
done
wait "${running[@]}"
done_testing
