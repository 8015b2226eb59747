#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Several users compete for the XDP hook of one NIC: two wgxdp interfaces, and other programs. No
# program is ever displaced. An interface that must wait uses the UDP socket, and show names the
# program on the hook. The interface uses XDP when the hook becomes free, and loses no packet.
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
A1=${ID}a.1 A2=${ID}a2 B1=${ID}b1 B2=${ID}b2 # A1 has a '.', which bpffs refuses
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

# Starts 200 pings. all_came fails if any of them is lost.
pinging() { pinged a "$1" 200 0.01 & }
all_came() { wait $!; }

received_by() { show a "$1" ".path.rx_packets.$2"; }
grows() # WHAT INTERFACE WAY COMMAND...: COMMAND succeeds; its packets arrive by WAY (xsk, udp)
{
	local what=$1 interface=$2 way=$3 before
	shift 3
	before=$(received_by "$interface" "$way")
	ok "$what" "$@"
	holds "the packets arrive by $way" $(($(received_by "$interface" "$way") - before)) -ge 10
}

ok "wireguard-go 1 starts" stranger 1
ok "wireguard-go 2 starts" stranger 2

# --- two wgxdp interfaces -------------------------------------------------------------------------

ok "the first interface attaches" attach 1
is "the first uses XDP" "$(path "$A1")" "xdp xdp null"
ok "the second interface attaches" attach 2
is "the second uses UDP" "$(path "$A2" | cut -d' ' -f1,2)" "udp udp"
ok "show says that the first has XDP" eval "why '$A2' | grep -qF '$A1'"
before=$(in_ns a wg show "$A1" transfer)
grows "no ping is lost" "$A2" udp no_loss 10.99.2.2
is "the first carries none of these packets" "$(in_ns a wg show "$A1" transfer)" "$before"
before=$(in_ns a wg show "$A2" transfer)
grows "no ping of the first is lost" "$A1" xsk no_loss 10.99.1.2
is "the second carries none of these packets" "$(in_ns a wg show "$A2" transfer)" "$before"
is "each interface has its own port" "$(for n in 1 2; do
	in_ns a wg show "${ID}a$([ $n = 1 ] && echo .1 || echo 2)" listen-port
	name=B$n && in_ns b wg show "${!name}" endpoints | cut -d: -f2
done | xargs)" "51801 51801 51802 51802"
refuses "--rx xdp is refused for the second" 1 "$A1" eval "down a '$A2' && attach 2 --rx xdp"
ok "the second attaches again" attach 2
pinging 10.99.2.2
ok "the first is detached" down a "$A1"
ok "the second uses XDP" wait_for 5 is_path "$A2" "xdp xdp null"
ok "no packet was lost meanwhile" all_came
grows "no ping is lost" "$A2" xsk no_loss 10.99.2.2
ok "the first attaches again" attach 1
ok "show says why the first uses UDP" eval "why '$A1' | grep -qF '$A2'"
ok "the second's daemon is killed" eval "kill -KILL $(daemon_pid a "$A2")"
ok "the first uses XDP" wait_for 5 is_path "$A1" "xdp xdp null"
grows "no ping is lost" "$A1" xsk no_loss 10.99.1.2
ok "detach of the dead second succeeds" down a "$A2"
is "nothing of the second is left" "$(find "$RUN" "$SOCKETS" "$PINS" -maxdepth 1 -name "$A2*")" ""
is "the first keeps XDP" "$(path "$A1")" "xdp xdp null"

# --- a queue that has an AF_XDP socket ------------------------------------------------------------

down a "$A1"
ok "the first attaches and only sends by XDP" attach 1 --rx udp --tx xdp
is "show reports this path of the first" "$(path "$A1")" \
	"udp xdp received data goes through the UDP sockets because of --rx udp"
ok "the second attaches to a queue with a socket" attach 2
is "the second uses UDP, because the queue has a socket" "$(path "$A2" | cut -d' ' -f1,2)" "udp udp"
ok "show says why the second uses UDP" eval "why '$A2' | grep -q 'AF_XDP sockets on queue 0'"
ok "the second leaves no XDP program on the NIC" eval \
	"! in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
pinging 10.99.2.2
ok "the first is detached" down a "$A1"
ok "the second takes the queue" wait_for 5 is_path "$A2" "xdp xdp null"
ok "no packet was lost meanwhile" all_came
grows "no ping is lost" "$A2" xsk no_loss 10.99.2.2
ok "detach succeeds" down a "$A2"
ok "the first attaches once more" attach 1

# --- a program that is detached by force, and a foreign program -----------------------------------

clang -target bpf -O2 -g -x c -c - -o "$TMP/somebody.o" <<-EOF
	__attribute__((section("xdp"), used)) int somebody(void *c) { return 2; }
	char gpl[] __attribute__((section("license"), used)) = "GPL";
EOF
SOMEBODY=/sys/fs/bpf/$ID-somebody
trap 'rm -f "$SOMEBODY"; cleanup' EXIT
ok "another program is loaded" bpftool prog load "$TMP/somebody.o" "$SOMEBODY"
somebody_comes() { in_ns a bpftool net attach xdpdrv pinned "$SOMEBODY" dev eth0; }
somebody_goes() { in_ns a bpftool net detach xdpdrv dev eth0; }

our_link()
{
	local program
	program=$(in_ns a ip -j -d link show dev eth0 | jq '.[0].xdp.prog.id')
	bpftool -j link | jq ".[] | select(.type == \"xdp\" and .prog_id == $program) | .id"
}

pinging 10.99.1.2
ok "wgxdp's program is detached by force" bpftool link detach id "$(our_link)"
ok "the other program is attached instead" somebody_comes
ok "show names the other program" wait_for 5 eval "why '$A1' | grep -q somebody"
is "rx and tx are udp" "$(path "$A1" | cut -d' ' -f1,2)" "udp udp"
ok "no packet was lost meanwhile" all_came
grows "no ping is lost" "$A1" udp no_loss 10.99.1.2
ok "the other program is still attached" eval "in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
pinging 10.99.1.2
ok "the other program is detached" somebody_goes
ok "the first uses XDP again" wait_for 5 is_path "$A1" "xdp xdp null"
ok "no packet was lost meanwhile" all_came
grows "no ping is lost" "$A1" xsk no_loss 10.99.1.2
ok "wgxdp's program is detached by force, and no other is attached" bpftool link detach id \
	"$(our_link)"
ok "the program is attached again" wait_for 5 eval \
	"is_path '$A1' 'xdp xdp null' && in_ns a ip -d link show dev eth0 | grep -q prog/xdp"
grows "no ping is lost" "$A1" xsk no_loss 10.99.1.2
ok "detach succeeds" down a "$A1"
ok "the other program is attached first" somebody_comes
ok "the first attaches" attach 1
ok "show names the other program" eval "why '$A1' | grep -q somebody"
refuses "--rx xdp is refused" 1 somebody eval "attach 2 --rx xdp"
ok "the other program is detached" somebody_goes
ok "the first uses XDP" wait_for 5 is_path "$A1" "xdp xdp null"

# --- the NIC is deleted or renamed ----------------------------------------------------------------

ok "the NIC is deleted" in_ns b ip link delete eth0
ok "show says that the NIC was deleted" wait_for 5 eval "why '$A1' | grep -q 'eth0.*deleted'"
join a eth0 b eth0
ok "the NIC is made again, and the first uses XDP" wait_for 5 is_path "$A1" "xdp xdp null"
grows "no ping is lost" "$A1" xsk no_loss 10.99.1.2
ok "the NIC is renamed" eval "in_ns a ip link set eth0 down &&
	in_ns a ip link set eth0 name wan0 && in_ns a ip link set wan0 up"
ok "show has the new name of the NIC" wait_for 5 eval "[ \"\$(show a '$A1' .path.nic)\" = wan0 ]"
grows "no ping is lost" "$A1" xsk no_loss 10.99.1.2
ok "detach succeeds" down a "$A1"
in_ns a ip link set wan0 down
in_ns a ip link set wan0 name eth0
clean "nothing is left" a "$A1"

done_testing
