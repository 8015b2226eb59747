#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Builds the Debian package from a clean copy of the source, checks the package with lintian,
# installs it, upgrades it while a tunnel runs, removes it and purges it. The package is installed
# in an overlay over this system's files, so that the system itself does not change.

cd "$(dirname "$0")/../.." || exit 1
OWN_MOUNTS=yes # a mount namespace of its own, in which the test mounts the overlay
. tests/net/lib.sh
. tests/long/lib.sh
need_root
need_cmd ip wg git dpkg-buildpackage dh lintian

ROOT=$TMP/root A=${ID}a

# --- build ----------------------------------------------------------------------------------------

is "debian/changelog has the version of the Makefile" \
	"$(sed -n '1s/.*(\(.*\)-[0-9]*).*/\1/p' debian/changelog)" "$version"
ok "the package is built" build_package
is "lintian has nothing to say" \
	"$(lintian --allow-root --fail-on none "$TMP"/wgxdp_*.changes 2>&1)" ""
ok "a newer package is built" build_newer_package

# --- install, upgrade, remove, purge --------------------------------------------------------------

# All mounts are new or read-only, so that nothing on this machine can be changed or removed through
# them.
own_root()
{
	mkdir "$ROOT" "$TMP/files" && mount -t tmpfs tmpfs "$TMP/files" || return
	mkdir "$TMP/files/upper" "$TMP/files/work"
	mount -t overlay -o "lowerdir=/,upperdir=$TMP/files/upper,workdir=$TMP/files/work" \
		overlay "$ROOT" || return
	mount -t proc proc "$ROOT/proc"
	mount -t sysfs -o ro sysfs "$ROOT/sys"
	mount -t tmpfs -o mode=755 tmpfs "$ROOT/dev"
	mount -t tmpfs -o mode=755 tmpfs "$ROOT/run"
	mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
	mkdir -p "$ROOT/run/wireguard" "$ROOT/etc/wireguard" "$ROOT/dev/net"
	mknod -m 666 "$ROOT/dev/null" c 1 3
	mknod -m 666 "$ROOT/dev/urandom" c 1 9
	mknod -m 600 "$ROOT/dev/net/tun" c 10 200
	ln -s /proc/self/fd "$ROOT/dev/fd"
	cp "$TMP"/*.deb "$ROOT/tmp/"
}
leave_root()
{
	umount -R -l "$ROOT" 2>/dev/null
	umount -l "$TMP/files" 2>/dev/null
}
trap 'leave_root; cleanup' EXIT
inside() { in_ns a env PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$ROOT" "$@"; }
# Lists the files that have changed in the overlay, except logs, caches and dpkg's own files.
changes()
{
	(cd "$TMP/files/upper" && find . ! -type d |
		grep -vE '^\./(var/(lib/dpkg|log|cache)|tmp|dev)/')
}

ns_add a
keys a b
[ "$(readlink /proc/self/ns/mnt)" != "$OUTSIDE" ] || exit 1
own_root || skip_all "needs overlayfs"
conf_a | sed 's/^Address.*/&\nMTU = 1420/' >"$ROOT/etc/wireguard/$A.conf"
before=$(changes)
ok "the package is installed" inside dpkg -i "/tmp/wgxdp_$version-1_amd64.deb"
ok "the package has the manual" inside test -e /usr/share/man/man8/wgxdp.8.gz
ok "systemd finds no fault in the unit" inside systemd-analyze verify --man=no \
	"wgxdp@$A.service"
ok "a tunnel starts" inside wgxdp attach --rx udp --tx udp "$A"
pid=$(daemon_pid a "$A")
inside dpkg -i /tmp/wgxdp_99.1-1_amd64.deb >"$TMP/upgrade" 2>&1
is "the upgrade succeeds" "$?" 0
is "the upgrade says which tunnel to restart" "$(grep "^wgxdp:" "$TMP/upgrade")" \
	"wgxdp: $A still runs $version; restart it to use 99.1"
is "the upgrade does not stop that tunnel" "$(daemon_pid a "$A")" "$pid"
ok "the new command and the old daemon understand each other" eval \
	"inside wgxdp show '$A' | grep -q 'daemon is wgxdp $version, this command is 99.1; restart'"
ok "the package is removed" inside dpkg -r wgxdp
ok "the removal takes the tunnel down" wait_for 5 eval "! kill -0 $pid"
wants=/etc/systemd/system/multi-user.target.wants
ok "its unit and a foreign unit are enabled" inside sh -c "mkdir -p $wants &&
	ln -s /lib/systemd/system/wgxdp@.service $wants/wgxdp@a.service &&
	ln -s /usr/local/lib/systemd/system/wgxdp@.service $wants/wgxdp@b.service"
ok "the package is purged" inside dpkg -P wgxdp
is "the purge removes only the link to its own unit" "$(inside sh -c "ls $wants/wgxdp@*")" \
	"$wants/wgxdp@b.service"
inside rm "$wants/wgxdp@b.service"
is "the purge leaves no file" "$(changes)" "$before"
is "the purge leaves nothing in /run" "$(find "$ROOT/run" -name '*wgxdp*')" ""

done_testing
