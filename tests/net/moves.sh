#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tunnel interface is made in one namespace and moved to another, further, and back; the sockets
# stay where they were born. TC goes with it by tcx, or is put there anew where it is clsact: a source
# that is not its peer's dies wherever the interface is.
#
#   a: eth0 ═══ eth0 :b  wireguard-go 10.99.0.2
#      wg0 10.99.0.1 ──▶ c ──▶ d ──▶ a

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping bpftool tc

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

# A move takes the interface down and its addresses away.
move() # FROM TO [NAME]
{
	in_ns "$1" ip link set "$A" netns "$ID-$2" &&
		in_ns "$2" ip address add 10.99.0.1/24 dev "$A" &&
		in_ns "$2" ip link set "$A" up &&
		{ [ "$way" = tcx ] || wait_for 5 filtered "$2"; }
}

# clsact is put there anew, for which the kernel takes the interface's queues away for a moment.
filtered() { in_ns "$1" tc filter show dev "$A" egress | grep -q wgxdp_egress; }

# An initiation that comes within 20 ms of another is ignored by wireguard-go; the next one is 5 s later.
no_loss() { pinged "$1" 10.99.0.2; }
back_no_loss() { pinged b 10.99.0.1; }
mismatches() { show a "$A" '.drops.inject_mismatch // 0'; }
hex() { printf '%s ' "$@"; }

# The worker's trie says that 10.98.0.2 is the peer's, the map is made to say otherwise.
strict() # NS
{
	local before
	before=$(mismatches)
	# shellcheck disable=SC2046
	bpftool map delete pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0
	in_ns b ping -q -c 3 -i 0.005 -W 0.1 -I 10.98.0.2 10.99.0.1 >/dev/null
	is "... TC refuses what the worker let through" $(($(mismatches) - before)) 3
	bpftool map update pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0 value "${slot[@]}"
	ok "... and passes what it must" no_loss "$1"
}

programs() # NS: which TC programs are there, and how
{
	in_ns "$1" bpftool net show dev "$A" 2>/dev/null | grep -oE '(tcx/|clsact/)?(ingress|egress)\b' | sort | xargs
}

ok "wireguard-go" stranger
for way in tcx clsact; do
	[ $way = tcx ] || export WGXDP_FORCE_CLSACT=1
	ok "$way: attach" eval "config | ours a '$A'"
	read -ra slot <<<"$(bpftool -j map lookup pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0 |
		jq -r '.value | join(" ")')"
	socket=$(in_ns a ss -Hlun 'sport = 51821' | wc -l)
	ok "$way: ping, no loss" no_loss a
	strict a
	at=a
	for to in c d a; do
		ok "$way: from $at to $to" move $at $to
		ok "... ping, no loss" no_loss $to
		ok "... and from the other side" back_no_loss
		is "... the sockets stay" "$(in_ns a ss -Hlun 'sport = 51821' | wc -l)" "$socket"
		strict $to
		is "... by XDP still" "$(show a "$A" '.path | "\(.rx) \(.tx) \(.why)"')" "xdp xdp null"
		at=$to
	done
	ok "$way: renamed" eval "in_ns a ip link set '$A' down && in_ns a ip link set '$A' name ren0 && in_ns a ip link set ren0 up"
	ok "... ping, no loss" no_loss a
	ok "... and back" eval "in_ns a ip link set ren0 down && in_ns a ip link set ren0 name '$A' && in_ns a ip link set '$A' up"
	ok "... ping, no loss" no_loss a
	ok "$way: down in c" eval "in_ns a ip link set '$A' netns '$ID-c'"
	ok "... no socket while it is down" wait_for 5 eval \
		"[ -z \"\$(in_ns a ss -Hlun 'sport = 51821')\" ]"
	ok "... detach from a" down a "$A"
	clean "... nothing left" a "$A"
	is "... nor in c" "$(in_ns c ip -o link show dev "$A" 2>/dev/null)" ""

	ok "$way: attach" eval "config | ours a '$A'"
	ok "... moved to c, deleted there" eval "move a c && no_loss c && in_ns c ip link delete '$A'"
	clean "... nothing left" a "$A"
	ok "$way: attach" eval "config | ours a '$A'"
	ok "... moved to c, killed there" eval "move a c && kill -KILL \$(daemon_pid a '$A')"
	ok "... attach in a at once" eval "config | ours a '$A'"
	ok "... ping, no loss" no_loss a
	down a "$A"
	clean "... nothing left" a "$A"
done

# --- torn off -------------------------------------------------------------------------------------

# What somebody detaches by force is there again within a second.
links() # its tcx links
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
mismatch() # one packet whose source is the peer's for the worker, not for TC
{
	local before
	before=$(mismatches)
	in_ns b ping -q -c 1 -W 0.2 -I 10.98.0.2 10.99.0.1 >/dev/null
	[ $(($(mismatches) - before)) -eq 1 ]
}
refused_by_tc() # a message that is none, in the map
{
	local before
	before=$(malformed)
	in_ns b bash -c 'printf x >/dev/udp/192.0.2.1/51821'
	[ $(($(malformed) - before)) -eq 1 ]
}
malformed()
{
	bpftool -j map lookup pinned "$PINS/$A/drops" key 1 0 0 0 | jq '[.formatted.values[].value.packets] | add'
}
for way in tcx clsact; do
	unset WGXDP_FORCE_CLSACT
	[ $way = tcx ] || export WGXDP_FORCE_CLSACT=1
	ok "$way: attach, rx udp" eval "config | ours a '$A' --rx udp"
	bpftool map delete pinned "$PINS/$A/allowed4" key 24 0 0 0 10 98 0 0
	ok "... a session" no_loss a
	ok "... the tunnel's TC refuses" mismatch
	ok "... and the NIC's" refused_by_tc
	[ $way = clsact ] || is "... three links" "$(links | wc -w)" 3
	ok "... both torn off" tear_off $way "$A"
	[ $way = tcx ] || ok "... from the NIC, too" tear_off $way eth0
	ok "... the tunnel's is there again" wait_for 5 mismatch
	ok "... and the NIC's" wait_for 5 refused_by_tc
	ok "... ping, no loss" no_loss a
	down a "$A"
	clean "... nothing left" a "$A"
	is "... nor a qdisc" "$(in_ns a tc qdisc show dev eth0 clsact)" ""
done
unset WGXDP_FORCE_CLSACT
way=tcx

# A namespace that goes takes the interface with it.
ok "attach" eval "config | ours a '$A'"
ok "moved to d" move a d
ok "d is deleted" ip netns delete "$ID-d"
clean "the interface goes, and nothing is left" a "$A"

done_testing
