#!/bin/bash
# SPDX-License-Identifier: MIT
#
# attach --chain shares the NIC with other XDP programs through libxdp's dispatcher. If sharing is
# not possible, the attach fails and leaves nothing behind; it never uses the NIC exclusively.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip bpftool clang

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b
SOMEBODY=/sys/fs/bpf/$ID-somebody
trap 'rm -f "$SOMEBODY"; cleanup' EXIT

CONF=$(conf_a | conf "$A")

attach() { in_ns a "$WGXDP" attach eth0 "$CONF" "$@"; }
on_nic() { in_ns a ip -d -j link show dev eth0 | jq -r '.[0].xdp.prog.name // empty'; }
debris() # prints what libxdp has pinned for eth0
{
	local index
	index=$(in_ns a ip -j link show dev eth0 | jq '.[0].ifindex')
	find /sys/fs/bpf/xdp -name "dispatch-$index-*" 2>/dev/null
}

refuses "--chain is refused with --rx udp" 2 '--chain.*--rx udp' attach --chain --rx udp
refuses "--chain takes no value" 2 'takes no value' attach --chain=yes

# --- kernels with and without EXT programs --------------------------------------------------------

nothing() # WHAT
{
	clean "$1: nothing is left" a "$A"
	is "$1: libxdp has nothing pinned" "$(debris)" ""
}

if bpftool feature probe kernel | grep -q 'program_type ext is available'; then
	WHY='leave out --chain'
else
	WHY='eth0: this kernel refuses BPF programs of type EXT.*leave out --chain'
fi

status=0
attach --chain >"$TMP/chain" 2>&1 </dev/null || status=$?
if [ $status -eq 0 ]; then
	is "alone: the program sits in a dispatcher" "$(on_nic)" xdp_dispatcher
	ok "alone: detach succeeds" down a "$A"
else
	refuses "alone: attach is refused" 1 "$WHY" attach --chain
	for path in xdp udp; do
		refuses "--tx $path: attach is refused" 1 "$WHY" attach --chain --tx $path
	done
	refuses "--rx xdp: attach is refused" 1 "$WHY" attach --chain --rx xdp
	refuses "generic: attach is refused" 1 "$WHY" attach --chain --xdp-mode generic
fi
nothing "alone"

# --- another program without a dispatcher ---------------------------------------------------------

clang -target bpf -O2 -g -x c -c - -o "$TMP/somebody.o" <<-EOC
	__attribute__((section("xdp"), used)) int somebody(void *c) { return 2; }
	char gpl[] __attribute__((section("license"), used)) = "GPL";
EOC
ok "another program is loaded" bpftool prog load "$TMP/somebody.o" "$SOMEBODY"
ok "the other program is on the NIC" in_ns a bpftool net attach xdpdrv pinned "$SOMEBODY" dev eth0
refuses "beside another program: attach is refused" 1 'eth0: ' attach --chain
is "beside another program: that program stays" "$(on_nic)" somebody
in_ns a bpftool net detach xdpdrv dev eth0
nothing "beside another program"

# --- without --chain ------------------------------------------------------------------------------

ok "without --chain: attach succeeds" attach
is "without --chain: the program is on the NIC itself" "$(on_nic)" wgxdp_ingress
ok "without --chain: detach succeeds" down a "$A"
nothing "without --chain"

done_testing
