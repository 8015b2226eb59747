#!/bin/bash
# SPDX-License-Identifier: MIT
#
# If a destination has no peer, or its peer was removed or has no endpoint, the sender gets an ICMP
# or ICMPv6 "unreachable" at a limited rate. The sender is this host or a host behind it. The error
# comes from the host's own address on the sender's side. If the host masquerades forwarded packets
# (second round), the error quotes the packet as the sender sent it.
#
#   ┌──── c ────┐            ┌────────────── a ──────────────┐
#   │ 10.1.0.2  eth0 ════ eth1 forwards   wgxdp 10.99.0.1     │
#   │ fd01::2   │            │                  fd99::1      eth0 ════ b: no node
#   └───────────┘            └───────────────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq ping nft
need_cryptography

ns_add a b c
join a eth0 b eth0
ip link add eth1 netns "$ID-a" type veth peer name eth0 netns "$ID-c"
for end in "a eth1 1" "c eth0 2"; do
	read -r ns nic host <<<"$end"
	in_ns "$ns" ip address add "10.1.0.$host/24" dev "$nic"
	in_ns "$ns" ip address add "fd01::$host/64" dev "$nic" nodad
	in_ns "$ns" ip link set "$nic" up
done
in_ns c ip route add default via 10.1.0.1
in_ns c ip -6 route add default via fd01::1
# With mld_qrv=1 the kernel does not repeat its multicast reports, which would be counted as
# no_peer.
in_ns a sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.mld_qrv=1
wait_for 5 in_ns c ping -q -c 1 -W 1 10.1.0.1
wait_for 5 in_ns c ping -q -c 1 -W 1 fd01::1
A=${ID}a
keys a lost gone

told_from() # ADDRESS TO: ping in c prints that ADDRESS reports TO as unreachable
{
	in_ns c ping -c 1 -W 2 "$2" | grep -qE \
		"From $1 icmp_seq=1 Destination (Host U|unreachable: Address u)nreachable"
}

for path in xdp udp; do
	[ $path = xdp ] || in_ns a nft -f - <<-END
		table inet translate {
			chain out {
				type nat hook postrouting priority srcnat
				oifname "$A" iifname eth1 counter masquerade random
			}
		}
	END
	ok "$path: attach succeeds" ours a "$A" --rx $path --tx $path < <(
		interface a ListenPort=51820 Address=10.99.0.1/24,fd99::1/64
		peer lost AllowedIPs=10.99.0.3/32,fd99::3/128
		peer gone AllowedIPs=10.99.0.4/32,fd99::4/128 Endpoint=192.0.2.2:9)
	ok "$path: ping behind the host names the host" told_from 10.1.0.1 10.99.0.77
	ok "$path: and so does ping by IPv6" told_from fd01::1 fd99::77
	python_tap "$path: " unreachable.py "$A" "$ID-a" "$ID-c" "$TMP"
	[ $path = xdp ] || ok "$path: packets were masqueraded" eval \
		"in_ns a nft list ruleset | grep -q 'packets [1-9].*masquerade'"
	down a "$A"
	clean "$path: nothing is left" a "$A"
done

done_testing
