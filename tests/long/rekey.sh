#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# Sessions are renewed after 120 seconds of real time while traffic flows both ways, and no packet
# is lost: with wireguard-go and with wgxdp, each side as initiator, by XDP and by UDP. All pairs
# run at once.
#
#   a0 ═══ b0   a1 ═══ b1   ...   each a pair of nodes: wgxdp at a, wireguard-go or wgxdp at b

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd wireguard-go wg jq ping
need_cryptography

LASTS=${LASTS:-132} # seconds
#      path  other     who begins
pairs=("xdp  go        a"
	"xdp  go        b"
	"udp  go        a"
	"udp  go        b"
	"xdp  wgxdp     a"
	"udp  wgxdp     a")
keys a b

config() # SIDE INITIATOR [ADDRESS]: only the initiator knows the other's endpoint
{
	local other=b n=2
	[ "$1" = a ] || { other=a n=1; }
	interface "$1" ListenPort=5182$((3 - n)) Address="${3-}"
	if [ "$1" = "$2" ]; then
		peer "$other" AllowedIPs="10.99.0.$n/32" Endpoint="192.0.2.$n:5182$n"
	else
		peer "$other" AllowedIPs="10.99.0.$n/32"
	fi
}

up() # I PATH OTHER BEGINS
{
	local i=$1 path=$2 other=$3 begins=$4
	ns_add "a$i" "b$i"
	join "a$i" eth0 "b$i" eth0
	ours "a$i" "${ID}a$i" --rx "$path" --tx "$path" < <(config a "$begins" 10.99.0.1/24) ||
		return
	if [ "$other" = wgxdp ]; then
		ours "b$i" "${ID}b$i" --rx "$path" --tx "$path" < <(config b "$begins" 10.99.0.2/24)
		return
	fi
	foreign "b$i" "${ID}b$i" < <(config b "$begins") || return
	in_ns "b$i" ip address add 10.99.0.2/24 dev "${ID}b$i"
	in_ns "b$i" ip link set "${ID}b$i" mtu 1420 up
}

handshake() { in_ns "a$1" wg show "${ID}a$1" latest-handshakes | cut -f 2; }

flows=() first=()
for i in "${!pairs[@]}"; do
	read -r path other begins <<<"${pairs[i]}"
	what="$path, $other, $begins begins"
	# shellcheck disable=SC2086
	ok "$what: both start" up "$i" $path $other $begins
	address=10.99.0.2
	[ "$begins" = a ] || address=10.99.0.1
	is "$what: all pings are answered" "$(answers 10 "$begins$i" $address)" 10
	first[i]=$(handshake "$i")
	flows[i]="$ID-a$i:10.99.0.1,$ID-b$i:10.99.0.2"
done
/usr/bin/python3 tests/net/flow.py "$LASTS" "${flows[@]}" >"$TMP/flow" 2>&1
for i in "${!pairs[@]}"; do
	read -r path other begins <<<"${pairs[i]}"
	what="$path, $other, $begins begins"
	is "$what: $(sed -n "$((i + 2))p" "$TMP/flow" | cut -d' ' -f1,2) each way" \
		"$(sed -n "$((i + 2))p" "$TMP/flow" | cut -d' ' -f3-)" "lost 0 0"
	holds "$what: the session is renewed after 120 seconds or a little more" \
		$(($(handshake "$i") - first[i])) -ge 119
	is "$what: the path stays the same" \
		"$(show "a$i" "${ID}a$i" '.path | "\(.rx) \(.tx) \(.why)"')" "$path $path null"
done

done_testing
