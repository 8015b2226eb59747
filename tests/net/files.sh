#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs `wgxdp check` on config files like those that web interfaces, VPN providers, routers and
# installers write, but with example keys. tests/files/expected lists what `check` must find in each
# file. The namespace has no routes, so `check` compares no MTU with that of a path. The command
# resolvconf is a stand-in, so that no file fails because it sets DNS servers. Afterwards the test
# checks the examples in configs/.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg

ns_add a
FILES=$(dirname "$0")/../files
mkdir "$TMP/bin"
ln -s /bin/true "$TMP/bin/resolvconf"
PATH=$TMP/bin:$PATH

check() # NAME: prints what check says, without the name of the file
{
	(umask 077 && cat "$FILES/$1.conf" >"$TMP/$1.conf")
	in_ns a "$WGXDP" check "$TMP/$1.conf" 2>&1 </dev/null |
		sed "s|^wgxdp: \(.*\)$TMP/$1.conf:|\1|; s|^$TMP/$1.conf: ||; /^  /d"
}

while read -r name outcome rest; do
	found=$(check "$name")
	rest=${rest%%  \#*}
	case $outcome in
	fine) is "$name is fine" "$found" fine ;;
	warns:) is "$name: one warning" "$(cut -d : -f 1-3 <<<"$found")" \
		"warning: $rest"$'\n'"fine, with warnings" ;;
	fault:) is "$name: $rest" "${found:0:${#rest}}" "$rest" ;;
	*) fail "$name: the outcome $outcome is none of fine, warns and fault" ;;
	esac
done < <(grep -v '^#' "$FILES/expected")
# The examples in configs/ have placeholders instead of keys. `wgxdp check` reports each
# placeholder, and reports nothing once keys replace the placeholders.
for file in "$(dirname "$0")"/../../configs/*.conf; do
	[[ $file == *NetworkManager* ]] && continue
	name=$(basename "$file" .conf)
	count=$(grep -c '^[^#]*<.*>$' "$file")
	(umask 077 && awk '/^[^#]*= <.*>$/ { "wg genkey" | getline key; close("wg genkey")
		sub(/<.*>/, key) } { print }' "$file" >"$TMP/$name.conf")
	is "configs/$name.conf: $count placeholders" \
		"$(in_ns a "$WGXDP" check "$file" 2>&1 | grep -c 'is a placeholder')" "$count"
	ok "configs/$name.conf with keys" in_ns a "$WGXDP" check "$TMP/$name.conf"
done

is "every file has a line in the table" \
	"$(grep -v '^#' "$FILES/expected" | awk '{ print $1 }' | sort)" \
	"$(cd "$FILES" && printf '%s\n' *.conf | sed 's/\.conf$//' | sort)"

done_testing
