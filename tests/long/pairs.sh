#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 10800
#
# pairs.sh - runs the behaviour tests with options for paths, offloads and the AEAD. Each row of
# ROWS is a set of options, and any two options of different kinds occur together in at least one
# row.
#
#   row of ROWS ─▶ ATTACH_OPTIONS ─▶ $TMP/wgxdp, which the tests run ─▶ wgxdp attach OPTIONS ...
#
# If a test itself passes an option to wgxdp, this option comes after those of the row and prevails.
#
# Tests in ANY_PATH do not depend on the path of packets, so they run with all options of a row.
# Tests in OWN_PATH choose --rx and --tx themselves or check which path packets take, so they run
# with only the other options of the row. Set TESTS to run only some of the tests.

. "$(dirname "$0")/../net/lib.sh"
shopt -s extglob
need_root

ROWS='
--rx=auto --tx=auto --gso --gro --uso --reply-wait --aead=auto
--rx=auto --tx=udp --no-gso --no-gro --no-uso --reply-wait --aead=libsodium
--rx=udp --tx=xdp --gso --no-gro --uso --reply-wait --aead=libsodium
--rx=xdp --tx=xdp --no-gso --gro --no-uso --reply-wait --aead=auto
--rx=xdp --tx=auto --no-gso --no-gro --uso --reply-wait --aead=libsodium
--rx=udp --tx=udp --gso --gro --no-uso --no-reply-wait --aead=auto
--rx=xdp --tx=udp --gso --no-gro --uso --no-reply-wait --aead=auto
--rx=udp --tx=auto --no-gso --gro --no-uso --no-reply-wait --aead=libsodium
--rx=auto --tx=xdp --no-gso --gro --no-uso --no-reply-wait --aead=libsodium
'
ANY_PATH='faults hostile layer3 multicast nat offloads reload rps setup staging swarm unreachable'
OWN_PATH='accounting fulltunnel interop keys matrix moves nicchoice outer roaming sticky
	tunnel_loop'

# Prints the pairs of options that the rows hold, each once.
pairs_of_rows()
{
	awk '{ for (i = 1; i <= NF; i++) for (j = i + 1; j <= NF; j++) print $i, $j }' \
		<<<"$ROWS" | sort -u
}

# Prints every pair of options of two different kinds.
all_pairs()
{
	awk -v ways='rx=auto rx=xdp rx=udp,tx=auto tx=xdp tx=udp' \
		-v switches='gso no-gso,gro no-gro,uso no-uso,reply-wait no-reply-wait' \
		-v aead='aead=auto aead=libsodium' '
		BEGIN {
			n = split(ways "," switches "," aead, kind, ",")
			for (i = 1; i <= n; i++) for (j = i + 1; j <= n; j++) {
				a = split(kind[i], first, " ")
				b = split(kind[j], second, " ")
				for (k = 1; k <= a; k++) for (l = 1; l <= b; l++)
					print "--" first[k], "--" second[l]
			}
		}' | sort -u
}

BUILT=$(realpath "$WGXDP")
export BUILT
cat >"$TMP/wgxdp" <<'EOF'
#!/bin/sh
if [ "$1" = attach ]; then
	shift
	set -- attach $ATTACH_OPTIONS "$@"
fi
exec "$BUILT" "$@"
EOF
chmod +x "$TMP/wgxdp"

run() # OPTIONS TEST
{
	case " ${TESTS-$2} " in
	*" $2 "*) ;;
	*) return ;;
	esac
	if WGXDP=$TMP/wgxdp ATTACH_OPTIONS=$1 "$LIB/$2.sh" >"$TMP/log" 2>&1; then
		pass "$2.sh:$1"
	else
		fail "$2.sh:$1" "$(grep -v '^ok' "$TMP/log")"
	fi
}

ok "the rows hold every pair of options" cmp <(pairs_of_rows) <(all_pairs)

reaches_wgxdp()
{
	ATTACH_OPTIONS=--no-such-option "$TMP/wgxdp" attach eth0 /dev/null 2>&1 |
		grep -q -e --no-such-option
}
ok "the options of a row reach wgxdp" reaches_wgxdp
while read -r row; do
	# --gso, --gro, --uso and --reply-wait stand for the defaults. wgxdp has no such options.
	options=" ${row// --@(gso|gro|uso|reply-wait)/}"
	for name in $ANY_PATH; do
		run "$options" "$name"
	done
	for name in $OWN_PATH; do
		run "${options/ --rx=* --tx=+([a-z])/}" "$name"
	done
done < <(grep . <<<"$ROWS")

done_testing
