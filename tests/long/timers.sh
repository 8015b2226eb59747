#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
#
# Tests the timers of [W] 6 in real time. Each scenario runs with data over AF_XDP, and with data
# over UDP sockets. The node in b is wireguard-go, wgxdp, or a test node that can fall silent. All
# scenarios run at once, for ten minutes. timers.py has a function for each scenario.
#
#   a0 ═══ b0   a1 ═══ b1   ...   wgxdp in a; the table names the node in b

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd wireguard-go wg jq ping
need_cryptography

#      scenario   path  in b    initiator      "-" in b: the test node
table=("given_up   xdp  -"
	"given_up   udp  -"
	"unanswered xdp  -"
	"unanswered udp  -"
	"expires    xdp  -"
	"expires    udp  -"
	"zeroed     xdp  -"
	"zeroed     udp  -"
	"renewed    xdp  go      a"
	"renewed    udp  go      b"
	"renewed    xdp  wgxdp   b"
	"renewed    udp  wgxdp   a"
	"stopped    xdp  wgxdp"
	"stopped    udp  wgxdp")
keys a b

config() # SELF OTHER NUMBER [ADDRESS]
{
	interface "$1" ListenPort=51820 Address="${4-}"
	peer "$2" AllowedIPs="10.99.0.$3/32" Endpoint="192.0.2.$3:51820"
}

up() # I PATH AT-B
{
	local i=$1 path=$2 other=$3 file
	ns_add "a$i" "b$i"
	join "a$i" eth0 "b$i" eth0
	file=$(config a b 2 10.99.0.1/24 | conf "${ID}a$i")
	spawn "a$i" env LOG_LEVEL=debug "$WGXDP" attach eth0 "$file" --foreground --rx "$path" \
		--tx "$path" \
		>"$TMP/${ID}a$i.log" 2>&1
	wait_for 20 eval "in_ns 'a$i' ss -Hlun sport = 51820 | grep -q ."
	case $other in
	wgxdp) ours "b$i" "${ID}b$i" --rx udp --tx udp < <(config b a 1 10.99.0.2/24) ;;
	go)
		foreign "b$i" "${ID}b$i" < <(config b a 1) || return
		in_ns "b$i" ip address add 10.99.0.2/24 dev "${ID}b$i"
		in_ns "b$i" ip link set "${ID}b$i" mtu 1420 up
		;;
	esac
}

running=()
for i in "${!table[@]}"; do
	read -r scenario path other begins <<<"${table[i]}"
	ok "$scenario, $path, $other in b: both start" up "$i" "$path" "$other"
done
for i in "${!table[@]}"; do
	read -r scenario path other begins <<<"${table[i]}"
	# shellcheck disable=SC2086 # $begins is empty or one word
	/usr/bin/python3 tests/long/timers.py "$scenario" "$ID-a$i" "$ID-b$i" "${ID}a$i" \
		"$TMP/" $begins >"$TMP/tap$i" 2>&1 &
	running[i]=$!
done
for i in "${!table[@]}"; do
	read -r scenario path other begins <<<"${table[i]}"
	what="$scenario, $path"
	[ "$other" = - ] || what+=", $other $begins"
	wait "${running[i]}"
	is "$what: timers.py runs to its end" "$?$(grep -v "^ok \|^not ok " "$TMP/tap$i")" 0
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "$what: ${line#ok }" ;;
		"not ok "*) fail "$what: ${line#not ok }" ;;
		esac
	done <"$TMP/tap$i"
done
done_testing
