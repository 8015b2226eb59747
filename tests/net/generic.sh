#!/bin/bash
# SPDX-License-Identifier: MIT
#
# XDP in generic mode: single datagrams come by AF_XDP. A train of datagrams is one frame there,
# which takes the UDP socket: each of its messages is received and counted, whatever the size.
#
#   ┌───────── a ─────────┐               ┌────── b ─────┐
#   │ wgxdp 10.99.0.1     │               │ generic.py   │
#   │ :51821         eth0 ═════════════ eth0  10.99.0.2  │
#   └─────────────────────┘               └──────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq
need_cryptography

A=${ID}a
keys a b
ns_add a b
join a eth0 b eth0
attach() # OPTION...
{
	ours a "$A" "$@" < <(
		interface a ListenPort=51821 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32)
}

ok "auto: attach" attach --rx xdp
is "auto: native mode" "$(show a "$A" .path.xdp_mode)" native
python_tap "native: " generic.py "$A" "$ID-a" "$ID-b" "$TMP" native
ok "auto: detach" down a "$A"

# The daemon cannot recognise joined datagrams where the kernel has no BTF.
without_btf() # OPTION...
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount sh -c 'mount -t tmpfs none /sys/kernel/btf && exec "$@"' sh \
		"$WGXDP" attach eth0 "$TMP/$A.conf" --xdp-mode generic "$@"
}

WHY="eth0: cannot attach XDP in generic mode: .*because the kernel has no BTF .*; use --rx udp"
refuses "without BTF: forced XDP is refused" 1 "$WHY" without_btf --rx xdp
clean "without BTF: nothing is left" a "$A"
ok "without BTF: attach" without_btf
is "without BTF: data takes UDP" "$(show a "$A" '.path | "\(.rx) \(.xdp_mode)"')" "udp null"
ok "without BTF: show says why" eval "show a '$A' .path.why | grep -q '$WHY'"
ok "without BTF: detach" down a "$A"

ok "generic: attach" attach --rx xdp --xdp-mode generic
is "generic: show" "$(show a "$A" .path.xdp_mode)" generic
ok "generic: the log says which data takes the UDP sockets" eval \
	"in_ns a '$WGXDP' logs '$A' | grep -q 'generic mode; datagrams that GRO has merged'"
python_tap "generic: " generic.py "$A" "$ID-a" "$ID-b" "$TMP" generic
ok "generic: detach" down a "$A"
clean "nothing is left" a "$A"
done_testing
