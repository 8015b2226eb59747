#!/bin/bash
# SPDX-License-Identifier: MIT
#
# usage: systemd.sh PACKAGE NEWER-PACKAGE
#
# The half of tests/long/systemd.sh that runs in a Debian system booted by systemd. It reboots the
# system twice. $STATE holds the data that one boot passes to the next.
#
#   the system: wgxdp@wg0 10.7.0.2 ── nic0 192.0.2.1 ═══ 192.0.2.2 nic1 ── peer: WireGuard of the
#                                                               kernel 10.7.0.1, DNS, 203.0.113.9

cd "$(dirname "$0")/../../.." || exit 1
WGXDP=/usr/sbin/wgxdp
. tests/net/lib.sh

PACKAGE=$1 NEWER=$2 UNIT=wgxdp@wg0.service STATE=/var/lib/wgxdp-test
FILE=/etc/wireguard/wg0.conf DEFAULTS=/etc/default/wgxdp-wg0 DROP_IN=/etc/systemd/system/$UNIT.d
LIMIT_S=300 # long, because the guest runs slowly when QEMU emulates its CPU

# --- helpers --------------------------------------------------------------------------------------

property() { systemctl show --property="$1" --value $UNIT; }
active() { [ "$(property ActiveState)" = active ]; }
failed() { [ "$(property SubState)" = failed ]; }
restarted() { active && [ "$(property MainPID)" != "$1" ]; } # PID
# Prints how long systemd waited before it started the daemon again.
restart_ms()
{
	journalctl --no-pager --output=json --boot --unit=$UNIT | jq -s '
		[.[] | select(.MESSAGE | tostring | test("Main process exited|^Starting "))] |
		map(.__MONOTONIC_TIMESTAMP | tonumber) | (.[-1] - .[-2]) / 1000 | floor'
}
journal() { journalctl --no-pager --output=cat --boot --unit=$UNIT; }
# Prints how many times systemd has started the daemon again. On a busy host resolvectl may exceed
# wgxdp's limit of five seconds. Then attach fails, and systemd tries again. Such restarts do not
# count.
restarts()
{
	local slow
	slow=$(journal | grep -c '^wgxdp: .*resolvectl did not end within')
	echo $(($(property NRestarts) - slow))
}
ping_all() { /usr/bin/python3 tests/net/pings.py "$1" "${2:-20}" 0.1 60; } # ADDRESS [COUNT]
reached() { wait_for $LIMIT_S ping -q -c 1 -W 2 "$1"; }
status_of() { sed -n "s/^$1:\t//p" "/proc/$(property MainPID)/status"; } # FIELD
shown() { "$WGXDP" show wg0 --json | jq -r "$1"; }                       # JQ-FILTER
rx_is_xdp() { [ "$(shown .path.rx)" = xdp ]; }
dns_of() { resolvectl "$1" wg0 | sed 's/^Link [0-9]* (wg0): *//'; }      # dns|domain
settings() # prints the settings that another program could remove
{
	ip -j rule
	ip -j -4 route show table all dev wg0
	ip -j address show dev wg0 | jq -c '[.[].addr_info[] | .local]'
	nft list ruleset
}
same_settings() { [ "$(settings)" = "$1" ]; }

# Lists the system's files. Leaves out directories in which other programs create files during the
# test.
files()
{
	find / -xdev \( -path /tmp -o -path /var/tmp -o -path /root -o -path /var/log \
		-o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/systemd \
		-o -path $STATE \) -prune -o -print | sort
}

# Prints what the tunnel has left in the kernel, in /run, and in systemd-resolved.
left_over()
{
	find /run/wgxdp /run/wireguard /sys/fs/bpf -mindepth 1 2>/dev/null
	ip -o link show dev wg0 2>/dev/null
	ip -d link show dev nic0 2>/dev/null | grep -o 'prog/xdp.*'
	ip rule | grep -vE '^(0|32766|32767):'
	nft list ruleset
	resolvectl dns | grep wg0
	pgrep --exact --list-full wgxdp
}
nothing_left() { is "$1" "$(left_over)" ""; } # WHAT

reboot_as() # NAME: the part of this test that the next boot runs
{
	echo "$1" >$STATE/part
	echo "1..$tests"
	systemctl reboot
	sleep infinity
}

# Writes the tunnel's configuration. The test changes single lines of it later.
write_config()
{
	interface a Address=10.7.0.2/24 "DNS=10.7.0.1, corp.example"
	peer b Endpoint=192.0.2.2:51820 AllowedIPs="10.7.0.0/24, 10.8.0.0/16"
}

# The peer is the kernel's WireGuard in a network namespace. An nftables rule there counts packets
# that bypass the tunnel. The namespace has the same /run/wireguard as the host. If the peer's
# interface were also named wg0, wg(8) would configure the daemon instead of the kernel's interface.
peer_host()
{
	wait_for $LIMIT_S test -e /sys/class/net/nic1
	ns_add peer
	ip link set nic1 netns "$ID-peer"
	in_ns peer ip address add 192.0.2.2/24 dev nic1
	in_ns peer ip link set nic1 up
	in_ns peer ip link add there type wireguard
	in_ns peer wg setconf there <(
		interface b ListenPort=51820
		peer a AllowedIPs="10.7.0.2/32, 10.9.0.2/32")
	in_ns peer ip address add 10.7.0.1/24 dev there
	in_ns peer ip address add 203.0.113.9/32 dev lo
	in_ns peer ip link set there up
	in_ns peer nft -f - <<-END
		table inet clear {
			chain in {
				type filter hook prerouting priority -300;
				iifname nic1 ip daddr 203.0.113.9 counter
			}
		}
	END
	mkdir "$TMP/records"
	echo 60 all 10.8.0.80 >"$TMP/records/host.corp.example"
	spawn peer /usr/bin/python3 tests/net/dns.py 10.7.0.1 "$TMP/records" "$TMP/questions"
	ok "the peer is ready" wait_for $LIMIT_S eval "in_ns peer ss -Hlun | grep -q 10.7.0.1:53"
}

traffic() # WHAT: checks that the tunnel carries data by XDP
{
	ok "$1: the peer answers" reached 10.7.0.1
	wait_for $LIMIT_S rx_is_xdp
	ok "$1: no ping is lost" ping_all 10.7.0.1
	is "$1: the path is XDP" "$(shown '.path | "\(.rx) \(.tx) \(.xdp_mode) \(.nic)"')" \
		"xdp xdp native nic0"
	holds "$1: the pings arrived by AF_XDP" "$(shown .path.rx_packets.xsk)" -ge 20
}

dns_is() # WHAT
{
	is "$1: systemd-resolved has the server" "$(dns_of dns)" 10.7.0.1
	is "$1: systemd-resolved has the domains" "$(dns_of domain)" "corp.example ~."
}

# --- the first boot -------------------------------------------------------------------------------

# systemd-networkd gives nic0 its address. The second .network file matches every interface, so
# networkd would remove the tunnel's addresses if it managed the tunnel.
system()
{
	mkdir -p $STATE /etc/systemd/system/systemd-networkd-wait-online.service.d
	printf '[Match]\nName=nic0\n[Network]\nAddress=192.0.2.1/24\nLinkLocalAddressing=no\n' \
		>/etc/systemd/network/20-nic0.network
	printf '[Match]\nName=*\nType=!loopback\n[Network]\nLinkLocalAddressing=no\n' \
		>/etc/systemd/network/90-all.network
	printf '[Service]\nExecStart=\nExecStart=/lib/systemd/systemd-networkd-wait-online %s\n' \
		--timeout=10 >/etc/systemd/system/systemd-networkd-wait-online.service.d/test.conf
	keys a b
	cp "$TMP"/?.key "$TMP"/?.pub $STATE/
	umask 022
	systemctl daemon-reload
	systemctl enable --now systemd-networkd
}

test_install()
{
	files >$STATE/files
	ok "the package installs" dpkg -i "$PACKAGE"
	is "the package starts nothing" "$(systemctl is-enabled $UNIT) $(property ActiveState)" \
		"disabled inactive"
	mkdir -p /etc/wireguard
	(umask 077 && write_config >$FILE)
	echo WGXDP_OPTIONS=--no-watch >$DEFAULTS
}

test_start()
{
	ok "systemctl enable --now" eval \
		"systemctl enable --now $UNIT || wait_for $LIMIT_S active"
	[ "$(property NRestarts)" = 0 ] ||
		diag "the daemon was started more than once:" "$(journal)"
	is "the unit is active" "$(property Type) $(property ActiveState) $(property SubState)" \
		"notify active running"
	is "the daemon is the unit's main process" \
		"$(readlink "/proc/$(property MainPID)/exe")" "$WGXDP"
	ok "the daemon reports its status" eval "property StatusText | grep -qE '^Up, port [0-9]+$'"
	is "the sandbox holds: no_new_privs, seccomp" \
		"$(status_of NoNewPrivs) $(status_of Seccomp)" "1 2"
	is "the daemon has all rights of the unit, and no other" \
		"$(status_of CapEff)" "$(status_of CapBnd)"
	is "the unit does not allow CAP_SYS_MODULE" "$((0x$(status_of CapBnd) >> 16 & 1))" 0
	traffic "start"
	is "systemd-analyze verify finds nothing" \
		"$(systemd-analyze verify --man=no $UNIT 2>&1)" ""
	is "systemd-analyze security: the exposure that docs/operations.md states" \
		"$(systemd-analyze security --no-pager $UNIT |
			grep -oP 'level for .*: \K[0-9.]+')" \
		"$(grep -oP 'and of \K[0-9.]+(?= when it runs)' docs/operations.md)"
	ok "journalctl -t shows the log" eval \
		"journalctl --no-pager -o cat -t 'wgxdp[wg0]' | grep -q '^up, port '"
	ok "journalctl -u shows the log" eval "journal | grep -q '^up, port '"
	is "systemd-networkd does not manage the interface" \
		"$(networkctl --no-legend list wg0 | awk '{ print $5 }')" unmanaged
}

test_dns()
{
	dns_is "start"
	is "a name is looked up through the tunnel, with the search domain" \
		"$(resolvectl query --legend=no host | awk 'NR == 1 { print $2 }')" 10.8.0.80
	ok "the server of the config file was asked" grep -q '^host.corp.example A' "$TMP/questions"
	systemctl restart systemd-resolved
	dns_is "after a restart of systemd-resolved"
}

test_reload()
{
	local pid
	pid=$(property MainPID)
	sed -i 's|^AllowedIPs.*|AllowedIPs = 0.0.0.0/0|; s|^Address.*|&, 10.9.0.2/32|' $FILE
	ok "systemctl reload succeeds" systemctl reload $UNIT
	is "the reload keeps the daemon" "$(property MainPID)" "$pid"
	is "the daemon has the new allowed IPs" "$(shown '.peers[0].allowed_ips[]')" 0.0.0.0/0
	is "the interface has the new address" "$(ip -j -4 address show dev wg0 |
		jq -r '[.[0].addr_info[].local] | join(" ")')" "10.7.0.2 10.9.0.2"
	ok "the tunnel is the default route" ping_all 203.0.113.9
	sed -i.good 's/^Address/Adress/' $FILE
	ok "systemctl reload of a wrong file fails" eval "! systemctl reload $UNIT"
	ok "the journal says why the reload fails" eval \
		"journal | grep -q ':3:1: Adress: there is no such key'"
	is "the failed reload changes nothing" \
		"$(property MainPID) $(property ActiveState)" "$pid active"
	mv $FILE.good $FILE
}

test_networkd()
{
	local before
	before=$(settings)
	ok "systemd-networkd restarts" systemctl restart systemd-networkd
	# When systemd-networkd starts, it deletes the routing rules of other programs.
	ok "the daemon restores what networkd removes" wait_for $LIMIT_S eval \
		"journal | grep -q 'restored what another program removed: .* rules'"
	ok "after that all settings are as before" wait_for $LIMIT_S same_settings "$before"
	ok "after that the default route works" ping_all 203.0.113.9
}

# A changed WatchdogSec applies only to a daemon that starts after the change, here to the one that
# systemd starts after kill -9.
test_restarts()
{
	local pid pings
	mkdir -p $DROP_IN
	printf '[Service]\nWatchdogSec=10\n' >$DROP_IN/watchdog.conf
	systemctl daemon-reload
	ping -q -i 0.2 203.0.113.9 >"$TMP/pings" 2>&1 &
	pings=$!
	pid=$(property MainPID)
	kill -KILL "$pid"
	ok "kill -9: the unit is active again" wait_for $LIMIT_S restarted "$pid"
	holds "kill -9: systemd started the daemon again within 3000 ms" "$(restart_ms)" -lt 3000
	ok "kill -9: the default route works" reached 203.0.113.9
	dns_is "kill -9"
	pid=$(property MainPID)
	kill -STOP "$pid"
	ok "a stopped daemon: the unit is active again" wait_for $LIMIT_S restarted "$pid"
	ok "a stopped daemon: the watchdog has ended it" \
		eval "journal | grep -q \"Failed with result 'watchdog'\""
	ok "a stopped daemon: the default route works" reached 203.0.113.9
	is "systemd has restarted the unit twice" "$(restarts)" 2
	kill $pings
	is "no packet left the host unencrypted" "$(in_ns peer nft -j list table inet clear |
		jq '[.. | .packets? // empty] | add')" 0
	rm $DROP_IN/watchdog.conf
	systemctl daemon-reload
}

test_wrong_file()
{
	sed -i.good 's/^Address/Adress/' $FILE
	kill -KILL "$(property MainPID)"
	ok "kill -9 and a wrong file: the unit fails" wait_for $LIMIT_S failed
	is "the unit fails with status 78" \
		"$(property Result) $(property ExecMainStatus)" "exit-code 78"
	is "the unit fails after one attempt" "$(restarts)" 3
	is "systemd plans no further attempt" "$(systemctl list-jobs --no-legend)" ""
	ok "the journal says why the unit fails" eval "journal | tail -n 5 |
		grep -q 'wg0.conf:3:1: Adress: there is no such key; did you mean Address'"
	ok "systemctl status names the exit status" eval \
		"systemctl status --no-pager $UNIT | grep -q 'status=78/CONFIG'"
	mv $FILE.good $FILE
	ok "with a right file the unit starts" systemctl start $UNIT
	traffic "then"
}

test_upgrade()
{
	local pid pings version
	pid=$(property MainPID)
	version=$(dpkg-deb -f "$PACKAGE" Version | cut -d - -f 1)
	ping -i 0.5 10.7.0.1 >"$TMP/pings" 2>&1 &
	pings=$!
	ok "the package is upgraded" dpkg -i "$NEWER"
	is "the upgrade names the tunnel to restart" \
		"$(grep '^wgxdp:' "$TMP/out" | grep -o 'wg0.*')" \
		"wg0 still runs $version; restart it to use 99.1"
	is "the upgrade does not stop the unit" \
		"$(property MainPID) $(property ActiveState)" "$pid active"
	is "the upgrade leaves the unit enabled" "$(systemctl is-enabled $UNIT)" enabled
	kill -INT $pings
	wait $pings
	ok "the upgrade loses no packet" grep -q ' 0% packet loss' "$TMP/pings"
	ok "systemctl restart succeeds" systemctl restart $UNIT
	is "after the restart the new version runs" "$(shown .version)" 99.1
}

test_stop()
{
	ok "systemctl stop succeeds" systemctl stop $UNIT
	is "the unit has stopped without a failure" \
		"$(property Result) $(property ActiveState)" "success inactive"
	nothing_left "systemctl stop leaves nothing"
}

# --- the boots ------------------------------------------------------------------------------------

first()
{
	ok "the system is up" systemctl is-system-running --wait
	system
	test_install
	peer_host
	test_start
	test_dns
	test_reload
	test_networkd
	test_restarts
	test_wrong_file
	test_upgrade
	test_stop
	reboot_as second
}

second()
{
	peer_host
	ok "at boot the unit starts by itself" wait_for $LIMIT_S active
	traffic "at boot"
	dns_is "at boot"
	echo WGXDP_NIC=nic0 >$DEFAULTS
	echo blacklist virtio_net >/etc/modprobe.d/late-nic.conf
	reboot_as third
}

third()
{
	ok "without a NIC the unit starts by itself" wait_for $LIMIT_S active
	is "without a NIC: there is no NIC" "$(ls -d /sys/class/net/nic* 2>/dev/null)" ""
	is "without a NIC: the path is the UDP sockets" "$(shown .path.rx)" udp
	ok "without a NIC: show says why" \
		eval "shown .path.why | grep 'nic0: there is no such interface yet'"
	is "without a NIC: the interface has its address" "$(ip -j -4 address show dev wg0 |
		jq -r '.[0].addr_info[0].local')" 10.7.0.2
	modprobe virtio_net
	peer_host
	traffic "when the NIC has appeared"
	rm /etc/modprobe.d/late-nic.conf

	ok "the package is purged while the tunnel runs" dpkg -P wgxdp
	is "the purge prints no warning" "$(grep -i warning "$TMP/out")" ""
	nothing_left "after the purge the tunnel is gone"
	is "after the purge the unit is gone" \
		"$(property LoadState)$(systemctl list-units --all --no-legend 'wgxdp@*')" not-found
	is "the purge makes no unit fail" "$(systemctl --failed --no-legend 'wgxdp*')" ""
	rm -r $FILE $DEFAULTS $DROP_IN
	is "after the purge only the administrator's files are left" \
		"$(files | diff $STATE/files - | grep '^[<>]')" ""
	done_testing
}

part=first
if [ -e $STATE/part ]; then
	part=$(cat $STATE/part)
	cp $STATE/?.key $STATE/?.pub "$TMP/"
fi
$part
