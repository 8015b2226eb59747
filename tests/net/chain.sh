#!/bin/bash
# SPDX-License-Identifier: MIT
#
# attach --chain: the NIC is shared with other XDP programs by libxdp's dispatcher, or the attach
# fails and leaves nothing. It never goes on alone.
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
# What libxdp pins for eth0, of whichever number.
debris() { find /sys/fs/bpf/xdp -name "dispatch-$(in_ns a ip -j link show dev eth0 | jq '.[0].ifindex')-*" 2>/dev/null; }

refuses "--chain with --rx udp" 2 '--chain.*--rx udp' attach --chain --rx udp
refuses "--chain takes no value" 2 'takes no value' attach --chain=yes

# --- a kernel that has it, or has not -------------------------------------------------------------

nothing() # WHAT
{
	clean "$1: nothing left" a "$A"
	is "$1: nothing pinned by libxdp" "$(debris)" ""
}

if bpftool feature probe kernel | grep -q 'program_type ext is available'; then
	WHY='leave out --chain'
else
	WHY='eth0: this kernel refuses BPF programs of type EXT.*leave out --chain'
fi

status=0
attach --chain >"$TMP/chain" 2>&1 </dev/null || status=$?
if [ $status -eq 0 ]; then
	is "alone: it sits in a dispatcher" "$(on_nic)" xdp_dispatcher
	ok "alone: detach" down a "$A"
else
	refuses "alone: refused" 1 "$WHY" attach --chain
	for path in xdp udp; do
		refuses "--tx $path: refused" 1 "$WHY" attach --chain --tx $path
	done
	refuses "--rx xdp: refused" 1 "$WHY" attach --chain --rx xdp
	refuses "generic: refused" 1 "$WHY" attach --chain --xdp-mode generic
fi
nothing "alone"

# --- somebody's program without a dispatcher ------------------------------------------------------

clang -target bpf -O2 -g -x c -c - -o "$TMP/somebody.o" <<-EOC
	__attribute__((section("xdp"), used)) int somebody(void *c) { return 2; }
	char gpl[] __attribute__((section("license"), used)) = "GPL";
EOC
ok "somebody's program" bpftool prog load "$TMP/somebody.o" "$SOMEBODY"
ok "is on the NIC" in_ns a bpftool net attach xdpdrv pinned "$SOMEBODY" dev eth0
refuses "beside somebody: refused" 1 'eth0: ' attach --chain
is "somebody stays" "$(on_nic)" somebody
in_ns a bpftool net detach xdpdrv dev eth0
nothing "beside somebody"

# --- without --------------------------------------------------------------------------------------

ok "without --chain: attach" attach
is "by XDP" "$(on_nic)" wgxdp_ingress
ok "without --chain: detach" down a "$A"
nothing "without --chain"

done_testing
