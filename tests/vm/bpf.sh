#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 900
#
# Every BPF program through this kernel's verifier, and all of tests/bpf: tables of frames by
# BPF_PROG_TEST_RUN, attach and detach, TC by tcx or, before Linux 6.6, by clsact.

. "$(dirname "$0")/../net/lib.sh"
need_root
need_cmd bpftool

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

done_testing
