#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A peer's endpoint follows its newest authenticated packet, whether data goes by XDP or by UDP:
# within IPv4, within IPv6, and from one family to the other. It follows nothing else: no forgery,
# no replay, no cookie reply, no martian source, and no header that was changed on the way. At
# first, the wgxdp node in namespace a roams. Then a test node (roaming.py) sends forged messages.
#
#   ┌─ a: wgxdp ──────────┐               ┌─ b: wgxdp ─────────┐
#   │ 10.99.0.1   eth0    │───────────────│ eth0   10.99.0.2   │
#   │ 192.0.2.1, .11      │               │ 192.0.2.2          │
#   │ port 51820 ▶ 51999  │               │ port 51820         │
#   └─────────────────────┘               └────────────────────┘
#
# The forging tests run at the same time for XDP, between a and b, and for UDP, between c and d,
# which are joined like a and b.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping

endpoint_of_a() { show b "${ID}b" '.peers[0].endpoint'; }

# Succeeds if b's neighbour entry for ADDRESS is not managed, so the kernel does not keep it fresh.
is_released() # ADDRESS
{
	! in_ns b ip -d neighbour show "$(tr -d '[]' <<<"$1")" | grep managed
}

followed() # WANT
{
	in_ns a ping -q -c 1 -W 1 10.99.0.2
	[ "$(endpoint_of_a)" = "$1" ]
}

roam() # OUTER OPTIONS...
{
	local outer=$1 a b moved
	shift
	if [ "$outer" = v4 ]; then
		a=192.0.2.1 b=192.0.2.2 moved=192.0.2.11
	else
		a='[2001:db8::1]' b='[2001:db8::2]' moved='[2001:db8::11]'
	fi
	ours a "${ID}a" "$@" < <(
		interface a ListenPort=51820 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32 Endpoint="$b:51820")
	ours b "${ID}b" "$@" < <(
		interface b ListenPort=51820 Address=10.99.0.2/24
		peer a AllowedIPs=10.99.0.1/32)
	ok "$outer $*: a reaches b" in_ns a ping -q -c 1 -W 2 10.99.0.2
	is "$outer $*: b learns a's endpoint" "$(endpoint_of_a)" "$a:51820"
	in_ns a wg set "${ID}a" listen-port 51999
	ok "$outer $*: b follows a to another port" wait_for 10 followed "$a:51999"
	ok "$outer $*: b reaches a at the other port" in_ns b ping -q -c 3 -i 0.2 -W 5 10.99.0.1
	if [ "$outer" = v4 ]; then
		in_ns a ip address add 192.0.2.11/24 dev eth0
		in_ns a ip address del 192.0.2.1/24 dev eth0
	else
		in_ns a ip address add 2001:db8::11/64 dev eth0 nodad
		in_ns a ip address del 2001:db8::1/64 dev eth0
	fi
	ok "$outer $*: b follows a to another address" wait_for 10 followed "$moved:51999"
	ok "$outer $*: b releases the neighbour entry of the first address" wait_for 10 \
		is_released "$a"
	ok "$outer $*: b reaches a at the other address" in_ns b ping -q -c 3 -i 0.2 -W 5 10.99.0.1
	is "$outer $*: b drops nothing" "$(show b "${ID}b" '.drops | length')" 0
	down a "${ID}a"
	down b "${ID}b"
	in_ns a ip address flush dev eth0 scope global
	in_ns a ip address add 192.0.2.1/24 dev eth0
	in_ns a ip address add 2001:db8::1/64 dev eth0 nodad
}

ns_add a b
join a eth0 b eth0
# Without this, deleting the first address of a subnet also deletes the subnet's other addresses.
in_ns a sysctl -qw net.ipv4.conf.all.promote_secondaries=1
keys a b silent
for outer in v4 v6; do
	roam $outer --rx xdp --tx xdp
	roam $outer --rx udp --tx udp
done

# --- a node that forges ---------------------------------------------------------------------------

need_cryptography

ns_add c d
join c eth0 d eth0
forged_at() # A B PATH
{
	in_ns "$1" ip address add 192.0.2.12/24 dev eth0
	in_ns "$2" ip address add 192.0.2.3/24 dev eth0
	in_ns "$2" ip address add 2001:db8::3/64 dev eth0 nodad
	ok "$3: attach succeeds" ours "$1" "$ID$1" --rx "$3" --tx "$3" < <(
		interface a ListenPort=51820 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32
		peer silent AllowedIPs=10.99.0.3/32 Endpoint=192.0.2.2:9)
	python_begin "$3: " roaming.py "$ID$1" "$ID-$1" "$ID-$2" "$TMP" "$3"
}

forged_at a b xdp
forged_at c d udp
for pair in "a xdp" "c udp"; do
	read -r ns path <<<"$pair"
	python_end "$path: "
	down "$ns" "$ID$ns"
	clean "$path: nothing is left" "$ns" "$ID$ns"
done
done_testing
