#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Files in the format of web interfaces, VPN providers, routers and installers (tests/files). For
# each file, `wgxdp attach` makes the same state as an unmodified `wg-quick up` with wgxdp as its
# userspace implementation, and `detach` restores the earlier state; or attach and wg-quick both
# refuse the file. shapes.py compares links, addresses, routes of all tables, rules, nftables, `wg
# showconf` and src_valid_mark. It also compares the calls of resolvconf and resolvectl, which it
# replaces by programs that record their arguments.
#
# exceptions() names the files that are refused or lead to another state, with the reason. For all
# other files the states must be equal. SHAPES=all tests all files; the default is a selection.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wg-quick ip nft iptables unshare

FILES=$(dirname "$0")/../files
some="wg-easy-srv mullvad-kill proton-v6 policy-table netmask mesh-hosts"
some+=" saved resolvectl amnezia"

# Prints lines "NAME: OUTCOME: PATTERN". If the states differ, each line of the difference must
# match PATTERN; if wgxdp refuses the file, its message must match.
exceptions()
{
	grep -v '^ *#' <<-'END'
		# SaveConfig: wg-quick saves the DNS servers that resolvconf reports. wgxdp saves
		# the DNS servers of the file.
		saved: differs: dns: -dns (resolvconf -l wg0)?
		wg-portal: differs: dns: -dns (resolvconf -l wg0)?
		# Keys of other programs, which wg refuses as well.
		amnezia: both refuse: Jc: there is no such key
		wgcf-reserved: both refuse: Reserved: there is no such key
		# Files that are not filled in, or damaged. wg refuses them as well.
		mikrotik-short: both refuse: the port is missing
		openwrt-luci: both refuse: PrivateKey: .* is a placeholder
		surfshark-tmpl: both refuse: PrivateKey: .* is a placeholder
		truncated: both refuse: PublicKey: it has 20 characters
		windows-bom: both refuse: this is a byte order mark
		# wg-quick hands resolvconf a search domain that ends in a no-break space.
		chat-copy: wgxdp refuses: this is a no-break space
		# ip(8) refuses this MTU when wg-quick sets it.
		wg-gen-web-mtu0: both refuse: MTU must be a number
	END
}

if ip link add "${ID}k" type wireguard 2>/dev/null; then
	ip link delete "${ID}k"
	skip_all "the kernel has WireGuard, so wg-quick ignores a userspace implementation"
fi

names=$some
[ "${SHAPES-}" != all ] || names=$(cd "$FILES" && printf '%s\n' *.conf | sed 's/\.conf$//')
# shellcheck disable=SC2016 # the inner shell expands its arguments
for name in $names; do
	mkdir "$TMP/$name"
	echo "$name"
done | xargs -P 6 -I{} sh -c 'exec unshare --net --mount --pid --fork --kill-child --mount-proc \
	--propagation private /usr/bin/python3 "$1/shapes.py" "$2" "$3/{}.conf" "$4/{}" \
	>"$4/{}.result" 2>&1' sh "$LIB" "$(realpath "$WGXDP")" "$(realpath "$FILES")" "$TMP"

for name in $names; do
	outcome=$(head -n 1 "$TMP/$name.result")
	words=$(tail -n +2 "$TMP/$name.result" | grep -v '^$')
	IFS=: read -r _ wanted pattern < <(exceptions | grep "^$name:")
	case ${wanted-} in
	'') is "$name: the same state" "$outcome $words" "same " ;;
	" differs") is "$name: differs only by ${pattern# }" \
		"$outcome $(grep -vxE -- "${pattern# }" <<<"$words")" "differs " ;;
	*) is "$name:$wanted:$pattern" "$outcome $(grep -cE -- "${pattern# }" <<<"$words")" \
		"${wanted# } 1" ;;
	esac
done

done_testing
