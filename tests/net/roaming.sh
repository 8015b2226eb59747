#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The endpoint of a peer follows its newest authenticated packet, on both paths, v4 and v6, and from
# one to the other; and nothing else: no forgery, replay, cookie reply, martian, no header that was
# altered on its way. First two nodes, then a node of wgpeer.py in b that forges (roaming.py).
#
#   ┌─ a: wgxdp ──────────┐               ┌─ b: wgxdp ─────────┐
#   │ 10.99.0.1   eth0    │───────────────│ eth0   10.99.0.2   │
#   │ 192.0.2.1, .11      │               │ 192.0.2.2          │
#   │ port 51820 ▶ 51999  │               │ port 51820         │
#   └─────────────────────┘               └────────────────────┘
#
# The forger is at b; for the other path, at the same time, c and d are as a and b.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping

endpoint_of_a() { show b "${ID}b" '.peers[0].endpoint'; }

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
	ok "$outer $*: ping" in_ns a ping -q -c 1 -W 2 10.99.0.2
	is "$outer $*: b learned where a is" "$(endpoint_of_a)" "$a:51820"
	in_ns a wg set "${ID}a" listen-port 51999
	ok "$outer $*: another port" wait_for 3 followed "$a:51999"
	ok "$outer $*: and back through it" in_ns b ping -q -c 3 -i 0.2 -W 1 10.99.0.1
	if [ "$outer" = v4 ]; then
		in_ns a ip address add 192.0.2.11/24 dev eth0
		in_ns a ip address del 192.0.2.1/24 dev eth0
	else
		in_ns a ip address add 2001:db8::11/64 dev eth0 nodad
		in_ns a ip address del 2001:db8::1/64 dev eth0
	fi
	ok "$outer $*: another address" wait_for 3 followed "$moved:51999"
	ok "$outer $*: and back to it" in_ns b ping -q -c 3 -i 0.2 -W 1 10.99.0.1
	is "$outer $*: one session did it all" "$(show b "${ID}b" '.drops | length')" 0
	down a "${ID}a"
	down b "${ID}b"
	in_ns a ip address flush dev eth0 scope global
	in_ns a ip address add 192.0.2.1/24 dev eth0
	in_ns a ip address add 2001:db8::1/64 dev eth0 nodad
}

ns_add a b
join a eth0 b eth0
# Else the deletion of the first address of a subnet deletes the others as well.
in_ns a sysctl -qw net.ipv4.conf.all.promote_secondaries=1
keys a b silent
for outer in v4 v6; do
	roam $outer --rx xdp --tx xdp
	roam $outer --rx udp --tx udp
done

# --- one that forges ------------------------------------------------------------------------------

need_cryptography

# Both paths at once, each between two namespaces of its own.
ns_add c d
join c eth0 d eth0
forged_at() # A B PATH
{
	in_ns "$1" ip address add 192.0.2.12/24 dev eth0
	in_ns "$2" ip address add 192.0.2.3/24 dev eth0
	in_ns "$2" ip address add 2001:db8::3/64 dev eth0 nodad
	ok "$3: attach" ours "$1" "$ID$1" --rx "$3" --tx "$3" < <(
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
	clean "$path: nothing left" "$ns" "$ID$ns"
done
done_testing
