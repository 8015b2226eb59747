#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
#
# Every BPF program through this kernel's verifier, and all of tests/bpf: tables of frames by
# BPF_PROG_TEST_RUN, attach and detach. And which TC wgxdp takes when nobody forces it: tcx or, before
# Linux 6.6, clsact.

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd bpftool wg ip tc

BUILD=${BUILD:-$PWD/build}

for object in ingress tunnel reuseport; do
	ok "$object: the verifier takes it" \
		bpftool prog loadall "$BUILD/bpf/$object.bpf.o" "/sys/fs/bpf/$ID-$object"
	rm -rf "/sys/fs/bpf/$ID-$object"
done

# The lines of a program become ours. cmocka writes "not ok 2 # SKIP name".
program() # PATH
{
	local name planned=0 done=0 status=0 line said
	name=$(basename "$1")
	CMOCKA_MESSAGE_OUTPUT=TAP "$1" >"$TMP/tap" 2>&1 || status=$?
	said=$(cat "$TMP/tap")
	while IFS= read -r line; do
		case $line in
		1..*) planned=$((planned + ${line#1..})) ;;
		"not ok "*"# SKIP"*) printf 'ok %d - %s # SKIP\n' $((tests += 1)) "$name:${line##*SKIP}" ;;
		"not ok "*) fail "$name: ${line#*- }" "$said" ;;
		"ok "*) pass "$name: ${line#*- }" ;;
		*) continue ;;
		esac
		case $line in *"ok "*) done=$((done + 1)) ;; esac
	done <<<"$said"
	is "$name: ran what it planned" "$done, status $status" "$planned, status 0"
}

for test in "$BUILD"/tests/bpf/test_*; do
	case $test in *.[do]) ;; *) program "$test" ;; esac
done

# --- TC, as wgxdp finds it ------------------------------------------------------------------------

case $(uname -r) in
6.[0-5].*) FILTERS=1 ;;
*) FILTERS=0 ;;
esac
A=${ID}a
ns_add a b
join a eth0 b eth0
keys a

filters() { in_ns a tc filter show dev "$1" "$2" 2>/dev/null | grep -c "$3"; }

ok "attach" ours a "$A" --rx udp --tx udp < <(interface a ListenPort=51821)
is "clsact filters on the NIC" "$(filters eth0 ingress wgxdp_nic)" $FILTERS
is "... on the tunnel, ingress" "$(filters "$A" ingress wgxdp_inject)" $FILTERS
is "... egress" "$(filters "$A" egress wgxdp_egress)" $FILTERS
is "all three programs are loaded" \
	"$(bpftool prog show | grep -oE 'name wgxdp_(nic|inject|egress)' | sort | xargs)" \
	"name wgxdp_egress name wgxdp_inject name wgxdp_nic"
ok "detach" down a "$A"
is "no filter left" "$(filters eth0 ingress wgxdp_nic)" 0
clean "nothing left" a "$A"

done_testing
