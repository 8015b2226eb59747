#!/bin/bash
# SPDX-License-Identifier: MIT
#
# `make install` puts each file in its place, and writes the paths below PREFIX into the unit. `make
# uninstall` removes all these files. systemd-networkd, which runs here in a namespace, does not
# touch the interface, because one of the installed files forbids it.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no WireGuard

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip make

TOP=$TMP/top
makes() { make --no-print-directory DESTDIR="$TOP" "$@" >"$TMP/make" 2>&1; } # GOAL VARIABLE...
files() { (cd "$TOP" && find . -type f | grep -v '/doc/' | sort); }

# --- install and uninstall ------------------------------------------------------------------------

ok "make install" makes install
is "each file is in its place" "$(files)" "\
./etc/NetworkManager/conf.d/wgxdp.conf
./usr/local/lib/systemd/network/05-wgxdp.network
./usr/local/lib/systemd/system/wgxdp@.service
./usr/local/sbin/wgxdp
./usr/local/share/bash-completion/completions/wgxdp
./usr/local/share/man/man5/wgxdp.conf.5
./usr/local/share/man/man8/wgxdp.8"
LIBDIR=$TOP/usr/local/lib
ok "the unit runs the installed program" grep -q \
	'^ExecStart=/usr/local/sbin/wgxdp attach' "$LIBDIR/systemd/system/wgxdp@.service"
ok "the installed program runs" "$TOP/usr/local/sbin/wgxdp" --version
DOC=$TOP/usr/local/share/doc/wgxdp
ok "the documents and examples are there" \
	ls "$DOC/README.md" "$DOC/docs/operations.md" "$DOC/wg0.conf" "$DOC/wgxdp-wg0.default"
ok "make uninstall" makes uninstall
is "nothing is left" "$(find "$TOP" -type f -or -name '*wgxdp*')" ""

ok "make install PREFIX=/usr" makes install PREFIX=/usr
is "NetworkManager finds its file" "$(files | grep NetworkManager)" \
	"./usr/lib/NetworkManager/conf.d/wgxdp.conf"
ok "the unit runs the installed program" \
	grep -q '^ExecReload=/usr/sbin/wgxdp reload' "$TOP/usr/lib/systemd/system/wgxdp@.service"

# The shell completion knows each command of wgxdp, and the options of attach.
complete() # WORD...: prints the completions of the last word
{
	# shellcheck disable=SC2016 # the inner shell expands it
	bash -c '. "$0"; COMP_WORDS=(wgxdp "$@") COMP_CWORD=$#; _wgxdp; echo "${COMPREPLY[@]}"' \
		"$TOP/usr/share/bash-completion/completions/wgxdp" "$@"
}
for verb in $("$WGXDP" --help | sed -n 's/^  wgxdp \([a-z]*\) .*/\1/p'); do
	ok "the completion knows $verb" grep -qw -- "$verb" <(complete "${verb:0:1}")
done
ok "the completion knows the options of attach" grep -qw -- --late-nic <(complete attach --l)

# --- docs/operations.md ---------------------------------------------------------------------------

# Each row of the troubleshooting table must name tests and reasons that exist.
table() { sed -n '/^## Troubleshooting/,$s/^| //p' docs/operations.md | sed 1,2d; }
holds "the troubleshooting table has rows" "$(table | wc -l)" -ge 20
missing=$(table | awk -F ' *[|] *' '{ gsub(/[`,]/, "", $4); print $4 }' | tr ' ' '\n' | sort -u |
	while read -r test; do
		[ -e "tests/net/$test" ] || [ -e "tests/unit/$test.c" ] || echo "$test"
	done)
is "each row names a test that exists" "$missing" ""
# shellcheck disable=SC2016 # these are not commands
missing=$(table | awk -F ' *[|] *' '{ print $2 }' | grep -oE '`[a-z]+_[a-z0-9_]+`' |
	tr -d '`' | sort -u | while read -r reason; do
		grep -qE "^\sX\(([0-9]+, )?$reason," include/wgxdp/reasons.h \
			include/wgxdp/control.h || echo "$reason"
	done)
is "each reason in the table exists" "$missing" ""

# --- systemd-networkd -----------------------------------------------------------------------------

NETWORKD=/lib/systemd/systemd-networkd
if [ ! -x $NETWORKD ] || ! id systemd-network >/dev/null 2>&1; then
	pass "systemd-networkd does not manage the interface # SKIP needs systemd-networkd"
	done_testing
fi

A=${ID}a
ns_add a b
join a eth0 b eth0
keys a b
ok "attach succeeds" ours a "$A" < <(conf_a)
is "the interface has its second name" \
	"$(ip -n "$ID-a" -j link show dev "$A" | jq -r '.[0].altnames[]')" "wgxdp-$A"

# Runs networkd with a file that matches every TUN device, and with FILE. Prints what networkd does
# with the interface: "Configuring" or "Unmanaging".
networkd() # [FILE]
{
	local end=$((SECONDS + 10)) pid
	rm -f "$TMP/networkd"
	# shellcheck disable=SC2016 # the inner shell expands it
	spawn a unshare --mount --propagation slave sh -c '
		umask 022
		mount -t sysfs -o ro sysfs /sys && mount -t tmpfs tmpfs /run/systemd || exit
		mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases \
			/run/systemd/netif/lldp
		chown -R systemd-network: /run/systemd/netif
		printf "[Match]\nKind=tun\n" >/run/systemd/network/50-all.network
		[ -z "$2" ] || cp "$2" /run/systemd/network/
		SYSTEMD_LOG_LEVEL=debug SYSTEMD_LOG_TARGET=console exec "$1"' \
		- $NETWORKD "${1-}" >"$TMP/networkd" 2>&1
	pid=$!
	until grep -qE "$A: (Configuring|Unmanaging)" "$TMP/networkd" || [ $SECONDS -gt $end ]; do
		sleep 0.05
	done
	kill "$pid"
	wait "$pid"
	grep -oE "$A: (Configuring|Unmanaging)" "$TMP/networkd"
}
mkdir -p /run/systemd
is "systemd-networkd would configure the interface" "$(networkd)" "$A: Configuring"
is "systemd-networkd does not manage the interface if it has the installed file" \
	"$(networkd "$TOP/usr/lib/systemd/network/05-wgxdp.network")" "$A: Unmanaging"
down a "$A"
clean "nothing is left" a "$A"
done_testing
