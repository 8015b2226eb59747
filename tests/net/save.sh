#!/bin/bash
# SPDX-License-Identifier: MIT
#
# SaveConfig, `wgxdp save` and `wgxdp strip` treat a config file as wg-quick(8) does.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no WireGuard

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg wg-quick jq setpriv

ns_add a b
join a eth0 b eth0
keys a b c d e
A=${ID}a FILE=$TMP/${ID}a.conf

config() # LINE...
{
	interface a ListenPort=51820 Address=10.99.0.1/24 MTU=1400 "$@" PostDown="echo %i"
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820 Name=bob
}
peers() { grep -c '^\[Peer\]' "$FILE"; }

config | conf "$A" >/dev/null
ok "attach succeeds" in_ns a "$WGXDP" attach eth0 "$FILE" --no-watch </dev/null
in_ns a wg set "$A" peer "$(pub c)" allowed-ips 10.98.0.0/24 persistent-keepalive 9
ok "save succeeds" in_ns a "$WGXDP" save "$A"
is "both peers are in the file" "$(peers)" 2
ok "the file has the values that wg set" grep -q "PersistentKeepalive = 9" "$FILE"
ok "what wg does not know is kept" eval "grep -q '^MTU = 1400' $FILE && grep -q '^PostDown' $FILE"
is "the file is private" "$(stat -c %a "$FILE")" 600
in_ns a wg set "$A" peer "$(pub c)" remove
ok "after that, a reload finds no change" in_ns a "$WGXDP" reload "$A"
is "after that reload, the removed peer stays removed" "$(in_ns a wg show "$A" peers)" "$(pub b)"

# The interface's addresses and MTU are saved as wg-quick saves them.
mkdir "$TMP/quick"
same_save() # compares the lines that wg-quick takes from the interface
{
	config | conf "$A" >/dev/null
	cp "$FILE" "$TMP/quick"
	in_ns a "$WGXDP" save "$A" || return
	in_ns a wg-quick save "$TMP/quick/$A.conf" || return
	cmp <(grep -E '^(Address|MTU)' "$FILE") <(grep -E '^(Address|MTU)' "$TMP/quick/$A.conf")
}
in_ns a ip address add 10.94.0.1/16 dev "$A"
in_ns a ip address add 10.93.0.1/32 dev "$A" label "$A:1"
in_ns a ip address add fd94::1/64 dev "$A" nodad
in_ns a ip link set "$A" mtu 1300
ok "addresses and MTU are saved as by wg-quick" same_save
is "the file has the addresses and the MTU of the interface" \
	"$(grep -E '^(Address|MTU)' "$FILE" | paste -sd ,)" \
	"Address = 10.99.0.1/24,Address = 10.94.0.1/16,Address = 10.93.0.1/32,\
Address = fd94::1/64,MTU = 1300"
ok "a reload reads the file" in_ns a "$WGXDP" reload "$A"
is "that reload changes nothing" "$(in_ns a ip -o address show dev "$A" | wc -l)" 4
ns_add c
in_ns a ip link set "$A" netns "$ID-c"
config | conf "$A" >/dev/null
ok "save while the interface is in another namespace" in_ns a "$WGXDP" save "$A"
is "that save keeps the address of the file" "$(grep ^Address "$FILE")" "Address = 10.99.0.1/24"
in_ns a wg set "$A" peer "$(pub c)" allowed-ips 10.98.0.0/24
ok "detach succeeds" down a "$A"
is "without SaveConfig detach writes nothing" "$(peers)" 1

config SaveConfig=true | conf "$A" >/dev/null
ok "attach succeeds with SaveConfig" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null
in_ns a wg set "$A" listen-port 51900 peer "$(pub c)" allowed-ips 10.98.0.0/24
ok "detach succeeds with SaveConfig" down a "$A"
is "the peer is in the file" "$(peers)" 2
ok "the file has the new port, and still SaveConfig" \
	eval "grep -q '^ListenPort = 51900' $FILE && grep -q '^SaveConfig = true' $FILE"
ok "attach reads the file again" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null
is "the interface has both peers of the file" "$(in_ns a wg show "$A" peers | wc -l)" 2
chmod 755 "$TMP"
cp "$WGXDP" "$TMP/wgxdp"
refuses "save fails without root" 1 "run the command as root" \
	in_ns a setpriv --reuid 65534 --clear-groups "$TMP/wgxdp" save "$A"
chmod 700 "$TMP"
refuses "save fails for an interface that nobody serves" 1 "no wgxdp serves" "$WGXDP" save "${A}x"

# Save and detach wait until the daemon has applied an edit, and so keep the edit. The first edit
# has so many addresses that `wgxdp reload` needs some time to set them.
MANY=3000
many() { seq 1 $MANY | awk '{ printf ",10.92.%d.%d/32", $1 / 256, $1 % 256 }'; }
place() { conf "$A.new" >/dev/null && mv "$TMP/$A.new.conf" "$FILE"; } # replaces $FILE atomically
config SaveConfig=true | sed "/^Address/s|\$|$(many)|" | place
in_ns a "$WGXDP" reload "$A" &
reload=$!
wait_for 5 eval "in_ns a ip address show dev $A | grep -q 10.92.0.1/32"
ok "save succeeds during a reload" in_ns a "$WGXDP" save "$A"
ok "that reload succeeds" wait "$reload"
is "the saved file has all addresses of the edit" "$(grep -o '10\.92\.' "$FILE" | wc -l)" "$MANY"
is "the interface has all addresses of the edit" \
	"$(in_ns a ip -o address show dev "$A" | grep -c '10\.92\.')" "$MANY"
edit() # PEER: adds PEER to the file; the daemon notices this after half a second
{
	{ config SaveConfig=true && peer "$1" AllowedIPs=10.98.1.0/24; } | place
}
in_ns a wg set "$A" peer "$(pub c)" allowed-ips 10.98.0.0/24
edit d
ok "save succeeds directly after an edit" in_ns a "$WGXDP" save "$A"
is "the saved file has the peer of the edit, and the peer that wg set" \
	"$(grep -cF -e "$(pub c)" -e "$(pub d)" "$FILE")" 2
edit e
ok "detach succeeds directly after an edit" down a "$A"
is "the file has the peers of the edit" \
	"$(peers) $(grep -cF -e "$(pub b)" -e "$(pub e)" "$FILE")" "2 2"
ok "attach succeeds again" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null

# The daemon answers several saves that wait for the same reload together. All of them succeed. The
# allowed IPs make a save take long enough to meet another one.
in_ns a wg set "$A" peer "$(pub c)" allowed-ips \
	"10.91.0.0/32$(seq 1 5000 | awk '{ printf ",10.91.%d.%d/32", $1 / 256, $1 % 256 }')"
edit d
saves=()
for i in 1 2 3 4; do
	spawn a "$WGXDP" save "$A" 2>"$TMP/save$i"
	saves+=($!)
done
failed=0
for save in "${saves[@]}"; do
	wait "$save" || failed=$((failed + 1))
done
is "four saves at once succeed" "$failed $(cat "$TMP"/save?)" "0 "
is "the file has the peer of the edit that they waited for" "$(grep -cF "$(pub d)" "$FILE")" 1
in_ns a wg set "$A" peer "$(pub c)" remove

# An edit that is taken back before the daemon applies it does not keep save waiting. The edit is
# repeated until save waits.
edit e
spawn a "$WGXDP" save "$A" 2>"$TMP/warnings"
save=$!
wait_for 5 eval "touch $FILE; in_ns a ss -xH | grep -qF /run/wgxdp/$A.sock"
mv "$FILE" "$TMP/gone"
status=0
wait "$save" || status=$?
is "save fails if the file is removed" "$status" 1
ok "save then says that there is no file" grep -q "No such file" "$TMP/warnings"
mv "$TMP/gone" "$FILE"

# If the daemon ends before detach asks for its configuration, or while detach waits, there is
# nothing to save. The tunnel is down then, so PostDown runs.
ends() # WHAT HOOK: the daemon ends after the PreDown command HOOK has run
{
	local before daemon detach
	rm -f "$TMP/down"
	config SaveConfig=true PreDown="$2" PostDown="echo x >> $TMP/down" | conf "$A" >/dev/null
	ok "$1: attach succeeds" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null
	before=$(cat "$FILE")
	daemon=$(head -1 "/run/wgxdp/$A.lock")
	spawn a "$WGXDP" detach "$A" 2>"$TMP/warnings"
	detach=$!
	if [[ $2 = kill* ]]; then
		wait_for 5 eval "in_ns a ss -xH | grep -qF /run/wgxdp/$A.sock"
		kill -9 "$daemon"
	fi
	ok "$1: detach succeeds" wait "$detach"
	ok "$1: detach warns" grep -q "has ended, so changes" "$TMP/warnings"
	is "$1: the file is unchanged" "$(cat "$FILE")" "$before"
	is "$1: PostDown has run once" "$(cat "$TMP/down")" x
	clean "$1: nothing is left" a "$A"
}
down a "$A" >/dev/null 2>&1
ends "the interface is deleted" \
	"ip link delete %i; while [ -e /run/wgxdp/%i.sock ]; do sleep 0.1; done"
ends "the daemon is killed" "kill -STOP \$(head -1 /run/wgxdp/%i.lock)"
config SaveConfig=true | conf "$A" >/dev/null
ok "attach succeeds after that" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null

# A file with an edit that could not be applied is not overwritten.
spawn a /usr/bin/python3 -c "import socket, time
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(('', 51999))
time.sleep(600)"
other=$!
wait_for 5 eval "in_ns a ss -uanH | grep -q :51999"
{ config SaveConfig=true && peer d AllowedIPs=10.98.1.0/24; } |
	sed "/^ListenPort/s/51820/51999/" | place
before=$(cat "$FILE")
refuses "save fails directly after an edit that cannot be applied" 1 \
	"ListenPort = 51999.*not overwritten.*save again" in_ns a "$WGXDP" save "$A"
refuses "save also fails later" 1 "ListenPort = 51999.*not overwritten" in_ns a "$WGXDP" save "$A"
refuses "detach after that says why it does not save" 0 "ListenPort = 51999.*not overwritten" \
	down a "$A"
is "the file still has the edit" "$(cat "$FILE")" "$before"
kill "$other"
wait "$other" 2>/dev/null
clean "nothing is left after that" a "$A"
config SaveConfig=true | conf "$A" >/dev/null
ok "attach succeeds with the port of before" in_ns a "$WGXDP" attach eth0 "$FILE" </dev/null

mkdir "$TMP/elsewhere" && mv "$FILE" "$TMP/elsewhere" && ln -s nowhere/x "$FILE"
refuses "a file that is gone is not saved, but the tunnel is down" 0 "hooks of the last" \
	down a "$A"
clean "nothing is left" a "$A"
rm "$FILE"

# --- strip ----------------------------------------------------------------------------------------

same_strip() { cmp <("$WGXDP" strip "$FILE") <(wg-quick strip "$FILE"); }

cp "$TMP/elsewhere/$A.conf" "$FILE"
ok "strip prints what wg-quick prints" same_strip
printf '%s\n' '# first' '' '  [interface]  # comment' ' privatekey = x = y # z' \
	'ADDRESS=10.0.0.1' 'DNS' 'MTU # = 5' 'Tabl = 3' '[Peer] ' 'Address = stays' \
	$'\tPostUp = stays \t' '[Interface]' 'saveconfig = true' '# MTU = 7' '=' 'last' >"$FILE"
printf 'no newline = 1 ' >>"$FILE"
ok "strip prints what wg-quick prints for an odd file" same_strip
: >"$FILE"
ok "strip prints what wg-quick prints for an empty file" same_strip
refuses "strip refuses a missing file" 1 "no such|No such" "$WGXDP" strip "$TMP/missing.conf"
done_testing
