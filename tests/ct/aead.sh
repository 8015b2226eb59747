#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 300
#
# aead.sh - tests that the AEAD's running time does not depend on its secrets. TAP.
#
# ct_aead.c marks the secrets as undefined and runs under memcheck, which reports every branch and
# address that depends on them. Then the script adds one leak at a time to a copy of the source.
# memcheck must report each leak; otherwise a clean result would prove nothing.

set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v valgrind >/dev/null || [ ! -e /usr/include/valgrind/memcheck.h ]; then
	echo "1..0 # skip no valgrind"
	exit 0
fi

FOUND=99 # valgrind's exit status if a branch or address depends on a secret
# valgrind 3.19 cannot read clang's DWARF 5.
FLAGS=(-std=gnu11 -O2 -gdwarf-4 -D_GNU_SOURCE -DCT_TEST -Iinclude)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
count=0 failed=0

result() # STATUS WHAT
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		failed=1
		sed 's/^/# /' "$WORK/log"
	fi
}

# Builds the program from the directory SOURCE (user/ or a copy) and runs it under memcheck.
# Returns valgrind's exit status, or 1 if the build fails.
check() # COMPILER SOURCE
{
	local sodium
	read -ra sodium <<<"$(pkg-config --cflags --libs libsodium)"
	"$1" "${FLAGS[@]}" -I"$2" "$2"/crypto/aead*.c tests/ct/ct_aead.c "${sodium[@]}" \
		-o "$WORK/ct_aead" >"$WORK/log" 2>&1 || return 1
	valgrind --quiet --error-exitcode=$FOUND --suppressions=tests/ct/libsodium.supp \
		"$WORK/ct_aead" >"$WORK/log" 2>&1
}

clean() # COMPILER
{
	check "$1" user
	result $? "$1: no branch or address depends on a secret"
	grep '^# ' "$WORK/log"
}

leak() # WHAT FILE SED-SCRIPT
{
	rm -rf "$WORK/user"
	cp -r user "$WORK/user"
	sed -i "$3" "$WORK/user/crypto/$2"
	if cmp -s "user/crypto/$2" "$WORK/user/crypto/$2"; then
		echo "the sed script matches nothing in $2; adapt it to the source" >"$WORK/log"
		result 1 "leak: $1"
		return
	fi
	check gcc "$WORK/user"
	[ $? -eq $FOUND ]
	result $? "memcheck finds a leak: $1"
}

clean gcc
! command -v clang >/dev/null || clean clang

# Each leak is a plausible mistake.
leak "the comparison of tags stops at the first difference" aead_lanes_batch.h \
	'/^static uint64_t tags_differ/,/^}/s/return .*/for (int i = 0; i < AEAD_TAG_LEN; i++) \
		if (a[i] != b[i]) return 1; return 0;/'
leak "the final reduction branches on the carry" aead_poly_scalar.c \
	's/^\tkeep = .*/\tif (g[2] >> 2) __asm__ volatile("");\n&/'
leak "the scalar Poly1305 branches on a carry" aead_poly_scalar.c \
	's/^\tadd_carry(c, h2 \& 3, 0, \&h2);/h2 \&= 3; if (c) \
		__asm__ volatile("inc %0" : "+r"(h2));/'
leak "a table is indexed by the key" aead_poly_scalar.h \
	's/^\treturn load64(key + 8) \& /static const volatile uint8_t table[256]; \
		return (table[key[5]] | load64(key + 8)) \& /'
leak "a plaintext that begins with zero is treated differently" aead_lanes_batch.h \
	's/^\t\tmemcpy(to, job->src .*part);/if (job->src[at - job->head_len] == 0) \
		__asm__ volatile(""); &/'
leak "the result of the tag check is not declared public" aead_lanes_batch.h '/declassify(/d'
leak "libsodium's result is not declared public" aead_libsodium.c '/declassify(&wrong/d'

echo "1..$count"
exit $failed
