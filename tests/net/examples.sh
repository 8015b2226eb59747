#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The examples of README.md and of the manuals run as written, except for names, keys and paths. The
# output of `wgxdp show` must match README.md. The manual must document exactly the members of `show
# --json`, and every drop reason.
#
#   ┌────────── a ──────────┐            ┌────── b ──────┐
#   │ README's wg0          │            │ its laptop    │
#   │ 10.7.0.1              │            │ 10.7.0.2      │
#   │ 198.51.100.1     eth0 ════════ eth0 198.51.100.2   │
#   └───────────────────────┘    veth    └───────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq ip ping bash

TOP=$(cd "$(dirname "$0")/../.." && pwd)
A=${ID}a B=${ID}b
keys a b
ns_add a b
ip link add eth0 netns "$ID-a" type veth peer name eth0 netns "$ID-b"
in_ns a ip address add 198.51.100.1/24 dev eth0
in_ns b ip address add 198.51.100.2/24 dev eth0
in_ns a ip link set eth0 up
in_ns b ip link set eth0 up
wait_for 5 in_ns a ping -q -c 1 -W 1 198.51.100.2

# --- README ---------------------------------------------------------------------------------------

# Prints the block of README.md that begins with LINE, up to the next line that is not indented.
block() # LINE
{
	awk -v first="    $1" '$0 == first { on = 1 } on && /^[^ ]/ { exit } on' "$TOP/README.md" |
		sed 's/^    //' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# Replaces names, keys and figures that differ from host to host or from run to run.
steady()
{
	sed -E -e "s/\b($A|wg0)\b/IFACE/" -e 's/^(peer|  public key): .*/\1: KEY/' \
		-e 's/(latest handshake:) .*/\1 SOME TIME AGO/' -e 's/; [a-z0-9_]+$/; AEAD/' \
		-e 's/^  config: .*/  config: FILE/'
}

block "[Interface]" | sed -e "s|^PrivateKey = .*|PrivateKey = $(key a)|" \
	-e "s|^PublicKey = .*|PublicKey = $(pub b)|" | conf "$A" >/dev/null
is "README: the config has ten lines" "$(wc -l <"$TMP/$A.conf")" 10
ok "README: wgxdp attach eth0 wg0" in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" </dev/null
ok "the laptop attaches" ours b "$B" <<-EOC
	[Interface]
	PrivateKey = $(key b)
	ListenPort = 51820
	Address = 10.7.0.2/24
	[Peer]
	PublicKey = $(pub a)
	AllowedIPs = 10.7.0.1/32
	Endpoint = 198.51.100.1:51820
EOC
is "ten pings are answered" "$(answers 10 b 10.7.0.1)" 10
in_ns a ping -q -c 2 -i 0.1 -W 1 10.7.0.77 >/dev/null
{ printf '\1\0\0\0' && head -c 144 /dev/zero; } >"$TMP/initiation" # the mac1 is all zeros
for _ in 1 2 3; do
	in_ns b bash -c "cat '$TMP/initiation' >/dev/udp/198.51.100.1/51820"
done
wait_for 5 eval "in_ns a '$WGXDP' show '$A' | grep -q 'bad_mac1: 3'"
if [ "$(show a "$A" .path.rx)" = xdp ] && [ "$(show a "$A" .path.pinned)" != null ]; then
	is "README: wgxdp show wg0" "$(in_ns a "$WGXDP" show "$A" | steady)" \
		"$(block "# wgxdp attach eth0 wg0" | sed '1,2d;$d' | steady)"
fi

# --- the members of the JSON and the reasons ------------------------------------------------------

# Lists the names that a section of the manual documents, as "name" or "outer.name".
documented() # SECTION
{
	awk -v section=".Sh $1" '/^\.Sh/ { on = $0 == section }
	     on && /^\.Bl/ { depth++ } on && /^\.El/ { depth-- }
	     on && /^\.It Cm/ {
		     sub(/^\.It Cm /, ""); gsub(/,/, "")
		     if (depth == 1)
			     outer = $1
		     for (i = 1; i <= NF; i++)
			     print depth == 1 ? $i : outer "." $i
	     }' "$TOP/man/wgxdp.8" | sort -u
}
is "wgxdp(8): the members of show --json" "$(documented "JSON OUTPUT")" "$(show a "$A" '
	[keys[], (.path | keys[] | "path." + .), (.peers[0] | keys[] | "peers." + .)] | unique[]' |
	sort -u)"
is "wgxdp(8) has the members of probe --json" "$(documented "PROBE OUTPUT")" \
	"$(in_ns a "$WGXDP" probe eth0 --json | jq -r 'keys[]' | sort)"
is "wgxdp(8) has every reason" \
	"$(awk '/^\.Sh DROP REASONS/ { on = 1 }
		/^\.Sh ENV/ { on = 0 } on && /^\.It Cm/ { print $3 }' \
		"$TOP/man/wgxdp.8" | sort)" \
	"$(sed -nE 's/^\tX\([0-9]+, ([a-z0-9_]+),.*/\1/p' "$TOP/include/wgxdp/reasons.h" |
		grep -vx none | cat - <(sed -nE 's/^\tX\(([a-z_]+), ".*/\1/p' \
			"$TOP/include/wgxdp/control.h") | sort)"
ok "README: wgxdp detach wg0" in_ns a "$WGXDP" detach "$A"
clean "nothing is left" a "$A"

# --- wgxdp(8), wgxdp.conf(5) ----------------------------------------------------------------------

# Writes each example of PAGE to a file of its own: $TMP/example.1 ...
literal() # PAGE
{
	rm -f "$TMP"/example.*
	awk -v out="$TMP/example." '/^\.Sh / { on = $0 == ".Sh EXAMPLES" }
	     on && /^\.Bd -literal/ { n++; copy = 1; next } /^\.Ed/ { copy = 0 }
	     copy { gsub(/\\e/, "\\"); print >(out n) }' "$TOP/man/$1"
}

literal wgxdp.conf.5
umask 077
mv "$TMP/example.1" "$TMP/$A.conf"
is "wgxdp.conf(5): check only warns that the key is published" \
	"$(in_ns a "$WGXDP" check "$TMP/$A.conf" 2>&1 >/dev/null | sed "s|$TMP/||")" \
	"wgxdp: warning: $A.conf:2:14: PrivateKey: this key is published in wgxdp.conf(5); \
make another key"
ok "wgxdp.conf(5): attach accepts the example" \
	in_ns a "$WGXDP" attach eth0 "$TMP/$A.conf" </dev/null
is "wgxdp.conf(5): show lists the peer alice of the example" \
	"$(show a "$A" '.peers[0] | .name + " " + .endpoint')" \
	"alice 192.0.2.1:51820"
cp "$TMP/$A.conf" "$TMP/saved"

literal wgxdp.8
run() # COMMAND...: runs the command as a user would type it, in a directory with the config
{
	local line=$1
	line=${line//wg0.conf/$A.conf}
	line=${line//wg0/$A}
	(cd "$TMP" && in_ns a bash -c "set -e -o pipefail; $line" </dev/null)
}
is "wgxdp(8) has six examples" "$(find "$TMP" -name 'example.*' | wc -l)" 6
for example in "$TMP"/example.[345]; do
	while IFS= read -r line; do
		ok "wgxdp(8): $line" run "$line"
	done <"$example"
done
ok "detach succeeds" in_ns a "$WGXDP" detach "$A"
cp "$TMP/saved" "$TMP/$A.conf"
ok "wgxdp(8): $(paste -sd ';' "$TMP/example.1")" run "$(cat "$TMP/example.1")"
is "wgxdp(8): this makes a pair of keys" "$(wg pubkey <"$TMP/private")" "$(cat "$TMP/public")"
while IFS= read -r line; do
	ok "wgxdp(8): $line" run "$line"
done <"$TMP/example.2"
clean "nothing is left" a "$A"
# wgquick.sh runs the command of the sixth example. Here only its text is compared.
is "wgxdp(8): the sixth example is the command for wg-quick" "$(cat "$TMP/example.6")" \
	"WG_QUICK_USERSPACE_IMPLEMENTATION=wgxdp wg-quick up wg0"
ok "the laptop detaches" down b "$B"
done_testing
