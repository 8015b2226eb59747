#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tunnel interface is created in one namespace and moved to a second, a third, and back, while
# the UDP sockets stay in the first. A tcx program moves with the interface. A clsact filter does
# not, so the daemon attaches it again. In each namespace a packet with a source that does not
# belong to its peer is dropped, and the MTU of a route limits the padding.
#
#   a: eth0 ═══ eth0 :b  wireguard-go 10.99.0.2
#      wg0 10.99.0.1 ──▶ c ──▶ d ──▶ a

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping bpftool tc nft

ns_add a b c d
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b

config()
{
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32,10.98.0.0/24 Endpoint=192.0.2.2:51822
}

stranger() { stranger_b "$B" && in_ns b ip address add 10.98.0.2/32 dev "$B"; }

# Moves the interface to another namespace. The move sets the interface down and removes its
# addresses, so move() adds the address again and sets the interface up.
move() # FROM TO
{
	in_ns "$1" ip link set "$A" netns "$ID-$2" &&
		in_ns "$2" ip address add 10.99.0.1/24 dev "$A" &&
		in_ns "$2" ip link set "$A" up &&
		{ [ "$way" = tcx ] || wait_for 5 filtered "$2"; }
}

# Succeeds if the clsact filter is attached again. move() waits for this, because the kernel stops
# the interface's queues for a moment when it attaches clsact.
filtered() { in_ns "$1" tc filter show dev "$A" egress | grep -q wgxdp_egress; }

# pinged() waits up to 8 s for an answer, because wireguard-go ignores an initiation that comes
# within 20 ms of the previous one, and wgxdp sends the next initiation only 5 s later.
no_loss() { pinged "$1" 10.99.0.2; }
back_no_loss() { pinged b 10.99.0.1; }
mismatches() { show a "$A" '.drops.inject_mismatch // 0'; }
hex() { printf '%s ' "$@"; }

# Removes 10.98.0.0/24 from TC's map, but not from the worker's trie. TC must then drop the packets
# from 10.98.0.2 that the worker accepts.
strict() # NS
{
	local before
	before=$(mismatches)
	# shellcheck disable=SC2046
	bpftool map delete pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0
	in_ns b ping -q -c 3 -i 0.005 -W 0.1 -I 10.98.0.2 10.99.0.1 >/dev/null
	is "TC drops what the worker accepts" $(($(mismatches) - before)) 3
	bpftool map update pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0 value "${slot[@]}"
	ok "TC passes the peer's packets again" no_loss "$1"
}

renamed() # OLD NEW
{
	in_ns a ip link set "$1" down && in_ns a ip link set "$1" name "$2" && in_ns a ip link set \
		"$2" up
}

ok "wireguard-go starts" stranger
if has_tcx; then
	ways="tcx clsact"
else
	ways=clsact
	pass "TC programs by tcx # SKIP this kernel has no tcx (Linux 6.6)"
fi
for way in $ways; do
	[ "$way" = tcx ] || export WGXDP_FORCE_CLSACT=1
	ok "$way: attach succeeds" eval "config | ours a '$A'"
	read -ra slot <<<"$(bpftool -j map lookup pinned "$PINS/$A/allowed4" \
		key 24 0 0 0 10 98 0 0 |
		jq -r '.value | join(" ")')"
	socket=$(in_ns a ss -Hlun 'sport = 51821' | wc -l)
	ok "$way: no ping is lost" no_loss a
	strict a
	at=a
	for to in c d a; do
		ok "$way: the interface moves from $at to $to" move $at $to
		ok "no ping is lost" no_loss $to
		ok "no ping from the other side is lost" back_no_loss
		is "the sockets stay in a" "$(in_ns a ss -Hlun 'sport = 51821' | wc -l)" "$socket"
		strict $to
		is "the path is still XDP" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.why)"')" \
			"xdp xdp null"
		at=$to
	done
	ok "$way: the interface is renamed" renamed "$A" ren0
	ok "no ping is lost" no_loss a
	ok "$way: the interface gets its name back" renamed ren0 "$A"
	ok "no ping is lost" no_loss a
	ok "$way: the interface moves to c, where it is down" eval \
		"in_ns a ip link set '$A' netns '$ID-c'"
	ok "no socket is open while the interface is down" wait_for 5 eval \
		"[ -z \"\$(in_ns a ss -Hlun 'sport = 51821')\" ]"
	ok "detach in a succeeds" down a "$A"
	clean "nothing is left in a" a "$A"
	is "nothing is left in c" "$(in_ns c ip -o link show dev "$A" 2>/dev/null)" ""

	ok "$way: attach succeeds" eval "config | ours a '$A'"
	ok "the interface moves to c and is deleted there" eval \
		"move a c && no_loss c && in_ns c ip link delete '$A'"
	clean "nothing is left in a" a "$A"
	ok "$way: attach succeeds" eval "config | ours a '$A'"
	ok "the interface moves to c, and the daemon is killed" eval \
		"move a c && kill -KILL \$(daemon_pid a '$A')"
	ok "attach in a succeeds at once" eval "config | ours a '$A'"
	ok "no ping is lost" no_loss a
	down a "$A"
	clean "nothing is left in a" a "$A"
done

# --- programs that others detach ------------------------------------------------------------------

# If another user detaches a program, the daemon attaches it again within a second.
links() # prints the ids of the daemon's tcx links
{
	local info
	for info in /proc/"$(daemon_pid a "$A")"/fdinfo/*; do
		grep -q 'link_type:.*\(tcx\|\b11\)$' "$info" && awk '/link_id/ { print $2 }' "$info"
	done 2>/dev/null
}
tear_off() # WAY NIC
{
	local id
	if [ "$1" = clsact ]; then
		in_ns a tc qdisc del dev "$2" clsact
		return
	fi
	for id in $(links); do bpftool link detach id "$id" || return; done
}
mismatch() # succeeds if TC drops a packet that the worker accepts
{
	local before
	before=$(mismatches)
	in_ns b ping -q -c 1 -W 0.2 -I 10.98.0.2 10.99.0.1 >/dev/null
	[ $(($(mismatches) - before)) -eq 1 ]
}
refused_by_tc() # succeeds if TC on the NIC drops a datagram that is no WireGuard message
{
	local before
	before=$(malformed)
	in_ns b bash -c 'printf x >/dev/udp/192.0.2.1/51821'
	[ $(($(malformed) - before)) -eq 1 ]
}
malformed()
{
	bpftool -j map lookup pinned "$PINS/$A/drops" key 1 0 0 0 |
		jq '[.formatted.values[].value.packets] | add'
}
for way in $ways; do
	unset WGXDP_FORCE_CLSACT
	[ "$way" = tcx ] || export WGXDP_FORCE_CLSACT=1
	ok "$way: attach --rx udp succeeds" eval "config | ours a '$A' --rx udp"
	bpftool map delete pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0
	ok "no ping is lost" no_loss a
	ok "TC on the tunnel drops a packet from a wrong source" mismatch
	ok "TC on the NIC drops a malformed datagram" refused_by_tc
	[ "$way" = clsact ] || is "the daemon has three links" "$(links | wc -w)" 3
	ok "the programs are detached by force" tear_off "$way" "$A"
	[ "$way" = tcx ] || ok "the NIC's filter is removed by force" tear_off "$way" eth0
	ok "TC on the tunnel drops such packets again" wait_for 5 mismatch
	ok "TC on the NIC drops malformed datagrams again" wait_for 5 refused_by_tc
	ok "no ping is lost" no_loss a
	down a "$A"
	clean "nothing is left in a" a "$A"
	is "no qdisc is left" "$(in_ns a tc qdisc show dev eth0 clsact)" ""
done
unset WGXDP_FORCE_CLSACT
way=${ways%% *}

# In each namespace, no packet is padded beyond the MTU of a route that was just added. A ping of
# 1297 bytes is padded to the route's MTU, 1299, so the outer packet has 1359 bytes. If the ping
# were padded to the interface's MTU, 1300, b would drop the outer packet of 1360 bytes. The daemon
# learns of the route by an event. On a busy machine the first pings, 20 ms apart, may be faster
# than the event.
large() # NS: prints how many of five pings of 1297 bytes, sent within 80 ms, are answered
{
	in_ns "$1" ping -q -c 5 -i 0.02 -W 0.2 -s 1269 10.98.0.2 | grep -oP '\d+(?= received)'
}
in_ns b nft -f - <<-END
	table ip t {
		chain c {
			type filter hook prerouting priority -300
			ip length 1360 counter drop
		}
	}
END
ok "attach succeeds" eval "config | ours a '$A'"
at=a
for to in a c d; do
	[ $to = $at ] || ok "the interface moves to $to" move $at $to
	ok "no ping is lost" no_loss $to
	ok "$to: an address without peer is unreachable" eval "in_ns $to ping -c 1 -W 2 10.99.0.77 |
		grep -q 'From 10.99.0.1 .*Host Unreachable'"
	in_ns $to ip link set "$A" mtu 1300
	for _ in 1 2 3; do
		in_ns $to ip route add 10.98.0.2/32 dev "$A" mtu 1299
		holds "$to: large pings by a new route with MTU 1299 are answered" \
			"$(large $to)" -ge 2
		in_ns $to ip route change 10.98.0.2/32 dev "$A"
		holds "$to: without that MTU such pings are padded too far" "$(large $to)" -le 3
		in_ns $to ip route del 10.98.0.2/32 dev "$A"
	done
	at=$to
done

# When a namespace is deleted, the kernel deletes the interface in it.
ok "d is deleted" ip netns delete "$ID-d"
clean "the interface is gone, and nothing is left" a "$A"

done_testing
