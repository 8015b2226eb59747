#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# This test loads every BPF program through this kernel's verifier, and runs all tests of tests/bpf.
# These tests run the programs on tables of frames by BPF_PROG_TEST_RUN, and attach and detach the
# programs. The last part tests how wgxdp attaches TC programs by default: by tcx or, before Linux
# 6.6, by clsact. With BRIEF=1 the tests of tests/bpf are not run.

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd bpftool wg ip tc

BUILD=${BUILD:-$PWD/build}

for object in ingress tunnel reuseport; do
	ok "the verifier accepts $object" \
		bpftool prog loadall "$BUILD/bpf/$object.bpf.o" "/sys/fs/bpf/$ID-$object"
	rm -rf "/sys/fs/bpf/$ID-$object"
done

# Each TAP line of a program becomes a test. cmocka writes "not ok 2 # SKIP name" for a skip.
program() # PATH
{
	local name planned=0 done=0 status=0 line said
	name=$(basename "$1")
	CMOCKA_MESSAGE_OUTPUT=TAP "$1" >"$TMP/tap" 2>&1 || status=$?
	said=$(cat "$TMP/tap")
	while IFS= read -r line; do
		case $line in
		1..*) planned=$((planned + ${line#1..})) ;;
		"not ok "*"# SKIP"*)
			printf 'ok %d - %s # SKIP\n' $((tests += 1)) "$name:${line##*SKIP}"
			;;
		"not ok "*) fail "$name: ${line#*- }" "$said" ;;
		"ok "*) pass "$name: ${line#*- }" ;;
		*) continue ;;
		esac
		case $line in *"ok "*) done=$((done + 1)) ;; esac
	done <<<"$said"
	is "$name: it runs as many tests as it planned" "$done, status $status" "$planned, status 0"
}

for test in "$BUILD"/tests/bpf/test_*; do
	case ${BRIEF-}$test in 1* | *.[do]) ;; *) program "$test" ;; esac
done

# --- how wgxdp attaches TC programs ---------------------------------------------------------------

case $(uname -r) in
5.* | 6.[0-5].*) FILTERS=1 ;;
*) FILTERS=0 ;;
esac
case $(uname -r) in
5.* | 6.[01].*) LACKS="tcx large" ;;
6.[2-5].*) LACKS=tcx ;;
*) LACKS='' ;;
esac
A=${ID}a
ns_add a b
join a eth0 b eth0
keys a

filters() { in_ns a tc filter show dev "$1" "$2" 2>/dev/null | grep -c "$3"; }

ok "attach succeeds" ours a "$A" --rx udp --tx udp < <(interface a ListenPort=51821)
is "the NIC has clsact filters only before Linux 6.6" "$(filters eth0 ingress wgxdp_nic)" $FILTERS
is "the tunnel's ingress has clsact filters only before Linux 6.6" \
	"$(filters "$A" ingress wgxdp_inject)" $FILTERS
is "the tunnel's egress has clsact filters only before Linux 6.6" \
	"$(filters "$A" egress wgxdp_egress)" $FILTERS
is "all three programs are loaded" \
	"$(bpftool prog show | grep -oE 'name wgxdp_(nic|inject|egress)' | sort | xargs)" \
	"name wgxdp_egress name wgxdp_inject name wgxdp_nic"
is "show says what the kernel lacks" \
	"$(show a "$A" '[.path.kernel_lacks[] | split(" ")[0]] | join(" ")')" "$LACKS"
ok "detach succeeds" down a "$A"
is "no filter is left" "$(filters eth0 ingress wgxdp_nic)" 0
clean "nothing is left" a "$A"

done_testing
