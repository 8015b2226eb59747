#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 3600
#
# mutants.sh - shows that the simulation can fail. Each entry of MUTANTS breaks one thing in the
# protocol core, and the simulation must fail with at least one of the first SEEDS seeds (default
# 30).
#
#   user/wg/X.c ──sed──▶ X.c, broken ──▶ X.o ─┐
#   test_simulation.c ─────────────────────────┴─▶ libwgcore.a without its own X.o ──▶ must not pass

cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
TMP=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX")
trap 'rm -rf "$TMP"' EXIT
export SIMULATION_SEEDS=${SEEDS:-30} CMOCKA_MESSAGE_OUTPUT=STDOUT
tests=0 failures=0

# Each mutant has two lines: "FILE: DESCRIPTION", and the sed script that breaks FILE.
MUTANTS='
keypairs.c: a responder sends before its session is confirmed
	s/^\tif (initiator)$/\tif (true)/
peer.h: data is sent under a next session that is not confirmed
	s/if (next \&\& .*/if (next)/
session.c: a counter is used twice
	s/enough ? next + n :/enough ? next :/
session.c: a session never expires
	s/!older_than(s, REJECT_AFTER_TIME_S, now_ns);/true;/
noise.c: an old timestamp is accepted
	s/if (memcmp(timestamp, r->latest_timestamp.*/if (false)/
noise.c: a response that does not authenticate is accepted
	/if (!decrypt_and_hash(&s, &nothing,/s/if (!/if (false \&\& !/
replay.c: a message is accepted twice
	s/return -EALREADY;/return 0;/
handshake.c: the endpoint follows a cookie reply
	s/return cookie_consume(/return device_roamed(d, p, from), cookie_consume(/
handshake.c: the response leaves before its index is known
	/if (keypairs_begin(d, p, hs/s/^/peer_timers_send(d, p, \&msg, sizeof(msg), now_ns);/
handshake.c: the timestamp goes back with the clock
	s/if (unix_ns < least)/if (false)/
handshake.c: the index of a dropped handshake stays
	/indextab_del(d->indices, p->handshake.local_index);/d
keypairs.c: the index of a dropped session stays
	/d->mirror->index_end(d->mirror_ctx, s->local_index);/d
keypairs.c: an unconfirmed session stays beside the next one
	/end_session(d, unconfirmed);/d
keypairs.c: a fourth session stays
	/end_session(d, previous);/d
peer_timers.c: keys are not wiped
	/keypairs_clear(d, p);/d
peer_timers.c: packets stay staged when the handshake is given up
	/d->counts\[REASON_no_session\] += stage_purge/d
cookie.c: a cookie is never used
	s/if (m->has_cookie)$/if (false)/
timers.c: a missing answer causes no handshake
	s/due |= TIMERS_NEW_HANDSHAKE;/;/
timers.c: an initiation is not repeated
	s/return TIMERS_RETRY;/return 0;/
timers.c: a keepalive answers a keepalive
	s/return data \&\& begin_time(t, &t->owed/return begin_time(t, \&t->owed/
timers.c: a packet during a look at the times is lost
	s/^	atomic_exchange_explicit(&t->watched, false.*/	(void)t;/
timers.c: the control thread looks again too late
	s/CHECK_NS OWED_NS/CHECK_NS UNANSWERED_NS/
timers.c: each packet wakes the control thread
	s/^	atomic_exchange_explicit(&t->watched, true.*/	(void)t;/
timers.c: keys are never wiped
	s/due |= TIMERS_ZERO;/;/
heap.c: a deadline in the middle of the heap is lost
	s/^\t\tif (last != p)$/\t\tif (false)/
'

build() # FILE: builds $TMP/simulation with that file from $TMP/wg
{
	local sources=("$TMP/wg/$1")
	case $1 in
	*.h) sources=("$TMP"/wg/*.c) ;;
	esac
	gcc -O1 -std=gnu11 -pthread -D_GNU_SOURCE -I"$TMP" -Iinclude -Iuser -Itests/unit \
		tests/unit/{test_simulation,world,node,network,witness}.c "${sources[@]}" \
		"$BUILD/libwgcore.a" -lcmocka -lsodium -o "$TMP/simulation" >"$TMP/log" 2>&1
}

try() # FILE WHAT SED-SCRIPT
{
	local verdict=ok
	rm -rf "$TMP/wg"
	cp -r user/wg "$TMP/wg"
	sed -i "$3" "$TMP/wg/$1"
	if cmp -s "user/wg/$1" "$TMP/wg/$1"; then
		verdict="not ok"
		echo "# nothing in $1 matches: $3"
	elif ! build "$1"; then
		verdict="not ok"
		sed 's/^/# /' "$TMP/log"
	elif timeout 600 "$TMP/simulation" >"$TMP/log" 2>&1; then
		verdict="not ok"
	else
		grep -aoE '^# seed.*' "$TMP/log" | tail -n 1
	fi
	[ "$verdict" = ok ] || failures=$((failures + 1))
	echo "$verdict $((tests += 1)) - $1: $2"
}

while read -r file what && IFS= read -r how; do
	try "${file%:}" "$what" "${how#?}"
done <<<"${MUTANTS:1}"
echo "1..$tests"
exit $((failures > 0))
