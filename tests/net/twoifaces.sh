#!/bin/bash
# SPDX-License-Identifier: MIT
#
# One NIC, and more than one who wants its XDP: two interfaces of ours, and other people's programs.
# Nobody's program is ever displaced; who must wait goes by UDP, says for whom, and takes XDP over
# when it becomes free, without losing a packet.
#
#   a: wgxdp 10.99.1.1 ┐                        ┌ wireguard-go 10.99.1.2 :b
#                      ╞ eth0 ════════════ eth0 ╡
#      wgxdp 10.99.2.1 ┘                        └ wireguard-go 10.99.2.2

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping bpftool clang

ns_add a b
join a eth0 b eth0
# shellcheck disable=SC2034 # used as ${!name}
A1=${ID}a.1 A2=${ID}a2 B1=${ID}b1 B2=${ID}b2 # '.' is no character for a pin's name
keys a b

attach() # 1|2 OPTIONS...
{
	local i=$1 name=A$1
	shift
	ours a "${!name}" "$@" < <(
		interface a ListenPort="5180$i" Address="10.99.$i.1/24"
		peer b AllowedIPs="10.99.$i.2/32" Endpoint="192.0.2.2:5181$i")
}

stranger() # 1|2
{
	local name=B$1
	foreign b "${!name}" < <(
		interface b ListenPort="5181$1"
		peer a AllowedIPs="10.99.$1.1/32") &&
		in_ns b ip address add "10.99.$1.2/24" dev "${!name}" &&
		in_ns b ip link set "${!name}" mtu 1420 up
}

path() { show a "$1" '.path | "\(.rx) \(.tx) \(.why)"'; }
why() { show a "$1" .path.why; }
is_path() { [ "$(path "$1")" = "$2" ]; }
no_loss() { pinged a "$1"; }

# Pings that begin now; what is done meanwhile must not cost one of them.
pinging() { pinged a "$1" 200 0.01 & }
all_came() { wait $!; }

received_by() { show a "$1" ".path.rx_packets.$2"; }
grows() # WHAT INTERFACE xsk|udp COMMAND...: data came that way
{
	local what=$1 interface=$2 way=$3 before
	shift 3
	before=$(received_by "$interface" "$way")
	ok "$what" "$@"
	holds "... by $way" $(($(received_by "$interface" "$way") - before)) -ge 10
}

ok "wireguard-go 1" stranger 1
ok "wireguard-go 2" stranger 2

# --- two of ours --------------------------------------------------------------------------------

ok "the first" attach 1
is "... has XDP" "$(path "$A1")" "xdp xdp null"
ok "the second" attach 2
is "... goes by udp" "$(path "$A2" | cut -d' ' -f1,2)" "udp udp"
ok "... and says whose XDP it met" eval "why '$A2' | grep -qF '$A1'"
before=$(in_ns a wg show "$A1" transfer)
grows "... pings, no loss" "$A2" udp no_loss 10.99.2.2
is "... nothing of it by the first" "$(in_ns a wg show "$A1" transfer)" "$before"
before=$(in_ns a wg show "$A2" transfer)
grows "the first still by XDP" "$A1" xsk no_loss 10.99.1.2
is "... nothing of it by the second" "$(in_ns a wg show "$A2" transfer)" "$before"
is "... each has its own port" "$(for n in 1 2; do
	in_ns a wg show "${ID}a$([ $n = 1 ] && echo .1 || echo 2)" listen-port
	name=B$n && in_ns b wg show "${!name}" endpoints | cut -d: -f2
done | xargs)" "51801 51801 51802 51802"
refuses "the second with --rx xdp" 1 "$A1" eval "down a '$A2' && attach 2 --rx xdp"
ok "the second again" attach 2
pinging 10.99.2.2
ok "the first is detached" down a "$A1"
ok "... the second takes XDP over" wait_for 5 is_path "$A2" "xdp xdp null"
ok "... and no packet was lost" all_came
grows "... pings, no loss" "$A2" xsk no_loss 10.99.2.2
ok "the first comes back" attach 1
ok "... goes by udp, and says why" eval "why '$A1' | grep -qF '$A2'"
ok "the second is killed" eval "kill -KILL $(daemon_pid a "$A2")"
ok "... the first takes XDP over" wait_for 5 is_path "$A1" "xdp xdp null"
grows "... pings, no loss" "$A1" xsk no_loss 10.99.1.2
ok "detach of the dead" down a "$A2"
is "... nothing left of it" "$(find "$RUN" "$SOCKETS" "$PINS" -maxdepth 1 -name "$A2*")" ""
is "... nor taken from the living" "$(path "$A1")" "xdp xdp null"

# --- a queue that has an AF_XDP socket already ----------------------------------------------------

down a "$A1"
ok "the first only sends by XDP" attach 1 --rx udp --tx xdp
is "... so" "$(path "$A1")" "udp xdp null"
ok "the second meets its socket" attach 2
is "... goes by udp" "$(path "$A2" | cut -d' ' -f1,2)" "udp udp"
ok "... and says why" eval "why '$A2' | grep -q 'queue 0.*AF_XDP socket'"
ok "... XDP is not left there" eval "! in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
pinging 10.99.2.2
ok "the first is detached" down a "$A1"
ok "... the second takes the queue" wait_for 5 is_path "$A2" "xdp xdp null"
ok "... and no packet was lost" all_came
grows "... pings, no loss" "$A2" xsk no_loss 10.99.2.2
ok "detach" down a "$A2"
ok "the first once more" attach 1

# --- torn off by force, and somebody else's -----------------------------------------------------

clang -target bpf -O2 -g -x c -c - -o "$TMP/somebody.o" <<-EOF
	__attribute__((section("xdp"), used)) int somebody(void *c) { return 2; }
	char gpl[] __attribute__((section("license"), used)) = "GPL";
EOF
SOMEBODY=/sys/fs/bpf/$ID-somebody
trap 'rm -f "$SOMEBODY"; cleanup' EXIT
ok "somebody's program" bpftool prog load "$TMP/somebody.o" "$SOMEBODY"
somebody_comes() { in_ns a bpftool net attach xdpdrv pinned "$SOMEBODY" dev eth0; }
somebody_goes() { in_ns a bpftool net detach xdpdrv dev eth0; }

our_link()
{
	bpftool -j link | jq ".[] | select(.type == \"xdp\" and .prog_id == $(in_ns a ip -j -d link show dev eth0 |
		jq '.[0].xdp.prog.id')) | .id"
}

pinging 10.99.1.2
ok "our program is torn off" bpftool link detach id "$(our_link)"
ok "... and somebody's put there" somebody_comes
ok "... what show says" wait_for 5 eval "why '$A1' | grep -q somebody"
is "... rx and tx are udp" "$(path "$A1" | cut -d' ' -f1,2)" "udp udp"
ok "... and traffic went on" all_came
grows "... and does" "$A1" udp no_loss 10.99.1.2
ok "... somebody's is still there" eval "in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
pinging 10.99.1.2
ok "somebody's program leaves" somebody_goes
ok "... XDP is taken again" wait_for 5 is_path "$A1" "xdp xdp null"
ok "... and no packet was lost" all_came
grows "... pings, no loss" "$A1" xsk no_loss 10.99.1.2
ok "torn off, and nobody there" bpftool link detach id "$(our_link)"
ok "... taken again" wait_for 5 eval "is_path '$A1' 'xdp xdp null' && in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
grows "... pings, no loss" "$A1" xsk no_loss 10.99.1.2
ok "detach" down a "$A1"
ok "somebody's program first" somebody_comes
ok "... attach" attach 1
ok "... goes by udp, and says whose it is" eval "why '$A1' | grep -q somebody"
refuses "... --rx xdp" 1 somebody eval "attach 2 --rx xdp"
ok "... leaves" somebody_goes
ok "... XDP is taken" wait_for 5 is_path "$A1" "xdp xdp null"

# --- the NIC itself comes and goes --------------------------------------------------------------

ok "the NIC is deleted" in_ns b ip link delete eth0
ok "... show says so" wait_for 5 eval "why '$A1' | grep -q 'eth0.*deleted'"
join a eth0 b eth0
ok "... made anew: XDP again" wait_for 5 is_path "$A1" "xdp xdp null"
grows "... pings, no loss" "$A1" xsk no_loss 10.99.1.2
ok "the NIC is renamed" eval "in_ns a ip link set eth0 down && in_ns a ip link set eth0 name wan0 && in_ns a ip link set wan0 up"
ok "... show says so" wait_for 5 eval "[ \"\$(show a '$A1' .path.nic)\" = wan0 ]"
grows "... pings, no loss" "$A1" xsk no_loss 10.99.1.2
ok "detach" down a "$A1"
in_ns a ip link set wan0 down
in_ns a ip link set wan0 name eth0
clean "nothing left" a "$A1"

done_testing
