#!/bin/bash
# SPDX-License-Identifier: MIT
#
# If the daemon runs out of file descriptors, the error names the limit of open files, and nothing
# is left behind.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no node

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq bash

ns_add a b
join a eth0 b eth0
keys a b
A=${ID}a

# --- few free descriptors -------------------------------------------------------------------------

# A daemon in the foreground keeps the descriptors that it inherits. So FREE of them are free, up to
# the limit.
cat >"$TMP/few.py" <<'END'
import os, resource, sys
LIMIT = 256
resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
while os.dup(0) < LIMIT - 1 - int(sys.argv[1]):
    pass
for fd in range(3, LIMIT - int(sys.argv[1])):
    os.set_inheritable(fd, True)
os.execv(sys.argv[2], sys.argv[2:])
END
with_few() # FREE OPTION...: prints the last line that attach prints
{
	local free=$1
	shift
	in_ns a /usr/bin/python3 "$TMP/few.py" "$free" "$WGXDP" attach --foreground eth0 \
		"$TMP/$A.conf" "$@" 2>&1 | tail -1
	return "${PIPESTATUS[0]}"
}

conf_a | conf "$A" >/dev/null
NAMED='limit of open files is 256; raise it by .ulimit -n., or by LimitNOFILE='
left=
for free in 1 2 4 6 7 8 9 11 13 17 20 26 30 31 32; do
	refuses "$free free descriptors: the error names the limit" 1 "$NAMED" with_few "$free"
	wait_for 10 no_leftovers a "$A" || left+=" $free"
done
for free in 8 26 34 35 36 37 50; do
	refuses "$free free descriptors and --rx xdp: the error names the limit" 1 "$NAMED" \
		with_few "$free" --rx xdp --tx xdp
	wait_for 10 no_leftovers a "$A" || left+=" $free"
done
is "nothing is left" "$left" ""

done_testing
