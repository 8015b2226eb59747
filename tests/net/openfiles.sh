#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The limit of open files: the daemon raises its soft limit, programs that it starts get the soft
# limit of the caller, a hard limit that is too low is refused, and each error that a lack of
# descriptors causes names the limit.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no node

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq bash

ns_add a b
join a eth0 b eth0
keys a b
A=${ID}a LOG=$TMP/limits

config() # HOOK...: "PostUp=command"
{
	interface a ListenPort=51820 Address=10.99.0.1/24 "$@"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}

# Each hook logs its kind, its soft limit and its hard limit.
hooks=()
for kind in PreUp PostUp PreDown PostDown; do
	hooks+=("$kind=echo $kind \$(ulimit -Sn) \$(ulimit -Hn) >> $LOG")
done
CONF=$(config "${hooks[@]}" | conf "$A")

limited() # SOFT HARD COMMAND...: runs the command in namespace a with these limits
{
	local soft=$1 hard=$2
	shift 2
	(ulimit -Sn "$soft" && ulimit -Hn "$hard" && in_ns a "$@" </dev/null)
}
seen() { tr '\n' ' ' <"$LOG" | sed 's/ $//'; }
limits_of() { awk '/^Max open files/ { print $4, $5 }' "/proc/$1/limits"; }
open_files() { find "/proc/$1/fd" -mindepth 1 | wc -l; }

# --- a low soft limit -----------------------------------------------------------------------------

# The program that sets the DNS servers is a stand-in, which logs its limits.
mkdir "$TMP/bin"
cat >"$TMP/bin/resolvconf" <<END
#!/bin/bash
echo resolvconf \$(ulimit -Sn) \$(ulimit -Hn) >>$LOG
END
chmod 755 "$TMP/bin/resolvconf"

ok "a soft limit of 20: attach succeeds" limited 20 4000 "$WGXDP" attach eth0 "$CONF"
is "the path is XDP" "$(show a "$A" '.path | "\(.rx) \(.tx)"')" "xdp xdp"
daemon=$(daemon_pid a "$A")
is "the daemon's soft limit is the hard limit" "$(limits_of "$daemon")" "4000 4000"
holds "the daemon has more open files than the soft limit of its caller" \
	"$(open_files "$daemon")" -gt 20
is "hooks have the limits of the caller" "$(seen)" "PreUp 20 4000 PostUp 20 4000"
: >"$LOG"
kill "$daemon"
ok "a signal ends the daemon" wait_for 10 no_leftovers a "$A"
is "hooks that the daemon starts have the limits of the caller" "$(seen)" \
	"PreDown 20 4000 PostDown 20 4000"
clean "nothing is left" a "$A"

: >"$LOG"
config DNS=10.99.0.53 | conf "${ID}d" >/dev/null
ok "a soft limit of 20 and DNS: attach succeeds" limited 20 4000 env PATH="$TMP/bin:$PATH" \
	"$WGXDP" attach eth0 "$TMP/${ID}d.conf"
is "the program for DNS has the limits of the caller" "$(sort -u "$LOG")" "resolvconf 20 4000"
ok "detach succeeds" down a "${ID}d"
clean "nothing is left" a "${ID}d"

ok "a soft limit of 20: wgxdp IFACE succeeds" limited 20 4000 "$WGXDP" "$A"
is "the daemon's soft limit is the hard limit" "$(limits_of "$(daemon_pid a "$A")")" "4000 4000"
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

# --- a low hard limit -----------------------------------------------------------------------------

TOO_LOW='hard limit of open files \(.ulimit -Hn.\) is 20,.* at least 256;.* LimitNOFILE=256'
: >"$LOG"
refuses "a hard limit of 20: attach is refused" 1 "$TOO_LOW" limited 20 20 "$WGXDP" attach eth0 \
	"$CONF"
refuses "the same in the foreground" 1 "$TOO_LOW" limited 20 20 "$WGXDP" attach --foreground eth0 \
	"$CONF"
refuses "a hard limit of 20: wgxdp IFACE is refused" 1 "$TOO_LOW" limited 20 20 "$WGXDP" "$A"
is "no hook ran" "$(seen)" ""
clean "nothing is left" a "$A"
ok "a hard limit of 256: attach succeeds" limited 256 256 "$WGXDP" attach eth0 "$CONF"
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

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

config | conf "$A" >/dev/null
NAMED='limit of open files is 256; raise it by .ulimit -n., or by LimitNOFILE='
left=
for free in $(seq 1 32); do
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
