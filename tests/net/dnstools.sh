#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A reload changes the program that sets DNS servers, because systemd-resolved was started, and the
# daemon ends or is killed meanwhile. Then the servers of both programs are removed.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no node
#
# /run is a file system of this test, so that the test can say whether systemd-resolved runs.

cd "$(dirname "$0")/../.." || exit 1
OWN_MOUNTS=yes
. tests/net/lib.sh
need_root
need_cmd ip wg jq

[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
mount -t tmpfs run /run
mkdir -p /run/systemd/resolve
ns_add a b
join a eth0 b eth0
keys a b
A=${ID}a

# The programs record their arguments. resolvectl then runs the commands in the file "then", for
# which $PPID is the daemon.
mkdir "$TMP/bin"
PATH=$TMP/bin:$PATH
for tool in resolvconf resolvectl; do
	cat >"$TMP/bin/$tool" <<-END
		#!/bin/sh
		echo "$tool \$*" >>$TMP/calls
		[ $tool = resolvconf ] || . $TMP/then
	END
	chmod +x "$TMP/bin/$tool"
done
: >"$TMP/then"

config() # SERVER
{
	interface a ListenPort=51820 Address=10.99.0.1/24 DNS="$1"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}
attach() # with resolvconf
{
	rm -f /run/systemd/resolve/stub-resolv.conf
	config 10.99.0.2 | conf "$A" >/dev/null
	in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" --no-watch </dev/null || return
	: >"$TMP/calls"
	config 10.99.0.3 | conf "$A" >/dev/null
	: >/run/systemd/resolve/stub-resolv.conf # from now on, systemd-resolved serves
}
reload() { in_ns a "$WGXDP" reload "$A"; }
calls() { sed "s/$A/wg/g" "$TMP/calls" | paste -sd ,; }

ok "attach succeeds" attach
ok "a reload with another program for DNS succeeds" reload
is "the new program sets the servers, and the old one removes its servers" "$(calls)" \
	"resolvectl dns wg 10.99.0.3,resolvectl domain wg ~.,resolvconf -d wg -f"
: >"$TMP/calls"
ok "detach succeeds" down a "$A"
is "detach removes the servers of the new program only" "$(calls)" "resolvectl revert wg"

# The daemon is killed while the new program sets the servers.
echo "kill -9 \$PPID" >"$TMP/then"
ok "attach succeeds again" attach
refuses "the reload fails, because the daemon is killed" 1 "the daemon ended" reload
: >"$TMP/then"
: >"$TMP/calls"
refuses "detach removes what the daemon left" 0 "had been killed" down a "$A"
is "that detach removes the servers of both programs" "$(calls)" \
	"resolvectl revert wg,resolvconf -d wg -f"
clean "nothing is left" a "$A"

# The next attach takes over what the killed daemon left.
echo "kill -9 \$PPID" >"$TMP/then"
ok "attach succeeds a third time" attach
refuses "the reload fails again" 1 "the daemon ended" reload
: >"$TMP/then"
: >"$TMP/calls"
ok "attach after the kill succeeds" in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" </dev/null
is "that attach removes the servers of the old program and sets those of the new one" \
	"$(calls)" "resolvconf -d wg -f,resolvectl dns wg 10.99.0.3,resolvectl domain wg ~."
: >"$TMP/calls"
ok "detach succeeds again" down a "$A"
is "that detach removes the servers" "$(calls)" "resolvectl revert wg"

# A signal ends the daemon when both programs have been run, but before the reload has ended.
echo "kill \$PPID" >"$TMP/then"
ok "attach succeeds a fourth time" attach
refuses "the reload fails, because the daemon ends" 1 "the daemon ended" reload
wait_for 5 eval "! ip -n $ID-a link show dev $A"
is "the daemon removes the servers of both programs" "$(calls)" \
	"resolvectl dns wg 10.99.0.3,resolvectl domain wg ~.,resolvconf -d wg -f,\
resolvconf -d wg -f,resolvectl revert wg"
clean "nothing is left at the end" a "$A"
done_testing
