#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Endpoints that are given by a name, against a DNS server whose records change (dns.py):
#
#   moved   the server restarts at another address, and DNS follows: reached within TTL + 15 s
#   turns   each answer is another address: a live session stays where it is
#   roamed  the server moves and DNS does not follow: the endpoint stays where the server was heard
#   boot    there is no DNS server at first: the tunnel comes up, the name is pending, then heals
#   nobody  the name does not exist: attach fails
#
#   ┌─ a: wgxdp, a tunnel a case ─┐         ┌─ b: wgxdp, a tunnel a case ──┐
#   │ 192.0.2.1              eth0 │─────────│ eth0   192.0.2.2, .12, .22...│
#   │ DNS at 127.0.0.1            │         │ ports 51801...               │
#   └─────────────────────────────┘         └──────────────────────────────┘
#
# The cases run at the same time, because each of them waits for the 15 s of silence.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq unshare mount

# Commands see this file as /etc/resolv.conf. Case boot has a file of its own.
cases=(moved turns roamed boot)
etc=$TMP
printf 'nameserver 127.0.0.1\n' >"$etc/resolv.conf"
printf 'nameserver 127.0.0.9\n' >"$etc/resolv.boot"
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

client() # CASE KEEPALIVE [RESOLV_CONF]
{
	local path
	path=$(conf "$ID$1" < <(
		interface a Address="$(net_of "$1").1/24"
		peer b AllowedIPs="$(net_of "$1").2/32" Endpoint="$1.test:$(port_of "$1")" \
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

case_moved()
{
	local began
	record moved.test 2 all 192.0.2.12
	server moved ''
	client moved 1
	ok "moved: the name leads to the server" wait_for 5 met moved
	is "moved: show has the name" "$(peer_of moved .endpoint_name)" \
		"moved.test:$(port_of moved)"
	in_ns b "$WGXDP" detach "${ID}smoved"
	in_ns b ip address del 192.0.2.12/24 dev eth0
	in_ns b ip address add 192.0.2.13/24 dev eth0
	server moved ''
	record moved.test 2 all 192.0.2.13
	began=$EPOCHREALTIME
	# 5 s, the least time between lookups, take the place of the TTL.
	ok "moved: the server is reached at its other address" \
		wait_for 22 in_ns a ping -q -c 1 -W 1 "$(net_of moved).2"
	diag "moved: after $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
	ok "moved: the endpoint is that address" is_at moved 192.0.2.13
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
	is "turns: an endpoint set by hand ends the name" \
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
	# Four lookups are 15 s of silence.
	ok "roamed: the name is looked up again and again" wait_for 24 asked_at_least roamed \
		$(($(asked roamed) + 4))
	ok "roamed: the endpoint stays where the server was heard" is_at roamed 192.0.2.2
	ok "roamed: the server is reached there" in_ns a ping -q -c 1 -W 2 "$(net_of roamed).2"
}

case_boot()
{
	local pending='endpoint: boot\.test:[0-9]+ \(name pending: no DNS server can be reached, '
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
	ok "boot: the name heals by itself" wait_for 10 met boot
	ok "boot: the endpoint is the answer" is_at boot 192.0.2.42
	is "boot: nothing is pending any more" "$(peer_of boot .endpoint_name_why)" null
}

case_nobody()
{
	local path
	path=$(conf "${ID}nobody" < <(
		interface a Address=10.99.99.1/24
		peer b Endpoint=nobody.test:1 AllowedIPs=10.99.99.2/32))
	refuses "nobody: attach names the line and the name" 1 \
		':[0-9]+: nobody\.test: there is no such name; look at the Endpoint' \
		in_a_with_dns "$etc/resolv.conf" "$WGXDP" attach "$path" --rx udp --tx udp
	is "nobody: no interface is left" "$(in_ns a ip -o link show "${ID}nobody" 2>/dev/null)" ""
}

# Runs the case in a process of its own, with files of its own, and keeps its results.
begin_case() # CASE
{
	mkdir "$TMP/$1"
	cp "$TMP"/*.key "$TMP"/*.pub "$TMP/$1"
	(
		trap - EXIT
		# shellcheck disable=SC2030 # only the case has this directory
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
for host in 12 22 24 32 42; do
	in_ns b ip address add 192.0.2.$host/24 dev eth0
done
# Without this, deleting the first address of a subnet deletes its others as well.
in_ns b sysctl -qw net.ipv4.conf.all.promote_secondaries=1
keys a b
mkdir "$records"
: >"$questions"
spawn a /usr/bin/python3 "$LIB/dns.py" 127.0.0.1 "$records" "$questions"
wait_for 5 eval "in_ns a ss -Hlun | grep -q 127.0.0.1:53"
running=()
for name in "${cases[@]}" nobody; do
	begin_case "$name"
done
wait "${running[@]}"
for name in "${cases[@]}" nobody; do
	end_case "$name"
done
for name in "${cases[@]}"; do
	down a "$ID$name"
	down b "${ID}s$name"
done
done_testing
