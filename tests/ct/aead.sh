#!/bin/bash
# SPDX-License-Identifier: MIT
#
# aead.sh - is the AEAD's time independent of its secrets? TAP.
#
# Builds it with the secrets marked as undefined (ct_aead.c) and runs it under memcheck, once as it
# is and then with one leak each put into a copy of the source: those must be found, or the first
# result is worth nothing.

set -u
cd "$(dirname "$0")/../.." || exit 1
if ! command -v valgrind >/dev/null || [ ! -e /usr/include/valgrind/memcheck.h ]; then
	echo "1..0 # skip no valgrind"
	exit 0
fi

FOUND=99 # exit status of valgrind that says: something depends on a secret
# valgrind 3.19 cannot read clang's DWARF 5
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

# The program, built from user/ in the directory SOURCE, under memcheck; its exit status.
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
	result $? "$1: nothing depends on a secret"
	grep '^# ' "$WORK/log"
}

leak() # WHAT FILE SED-SCRIPT
{
	rm -rf "$WORK/user"
	cp -r user "$WORK/user"
	sed -i "$3" "$WORK/user/crypto/$2"
	if cmp -s "user/crypto/$2" "$WORK/user/crypto/$2"; then
		echo "nothing was changed in $2" >"$WORK/log"
		result 1 "leak: $1"
		return
	fi
	check gcc "$WORK/user"
	[ $? -eq $FOUND ]
	result $? "leak is found: $1"
}

clean gcc
! command -v clang >/dev/null || clean clang

# Each is what an honest mistake would look like.
leak "comparing tags stops at the first difference" aead_lanes_batch.h \
	'/^static uint64_t tags_differ/,/^}/s/return .*/for (int i = 0; i < AEAD_TAG_LEN; i++)\n\t\tif (a[i] != b[i])\n\t\t\treturn 1;\n\treturn 0;/'
leak "the last reduction asks whether there is a carry" aead_poly64.c \
	's/^\tkeep = .*/\tif (g[2] >> 2) __asm__ volatile("");\n&/'
leak "a carry in the scalar Poly1305 is passed over when there is none" aead_poly64.c \
	's/^\t_addcarry_u64(c, h2 \& 3, 0, \&h2);/\th2 \&= 3;\n\tif (c)\n\t\t__asm__ volatile("inc %0" : "+r"(h2));/'
leak "a table is indexed by the key" aead_poly64.h \
	's/^\treturn load64(key + 8) \& /\tstatic const volatile uint8_t table[256];\n\treturn (table[key[5]] | load64(key + 8)) \& /'
leak "a block of zeros is passed over" aead_lanes_batch.h \
	's/^\tmemcpy(w->scratch\[i\], src, len);/\tif (len \&\& src[0] == 0) __asm__ volatile("");\n&/'
leak "the verdict of the tag is not declared public" aead_lanes_batch.h '/declassify(/d'
leak "the reference's verdict is not declared public" aead_libsodium.c '/declassify(&wrong/d'

echo "1..$count"
exit $failed
