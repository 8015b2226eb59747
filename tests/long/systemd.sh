#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 5400
#
# The Debian package and its unit on a Debian 12 system that systemd has booted, with
# systemd-networkd and systemd-resolved, in QEMU: install, run, reload, kill, watchdog, upgrade,
# reboot, a late NIC, and purge. tests/long/guest/systemd.sh runs in the guest.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
. tests/long/lib.sh
need_root
need_cmd git dpkg-buildpackage dh mmdebstrap mke2fs qemu-system-x86_64

# The Debian packages that the guest needs to run wgxdp and the test.
PACKAGES="systemd-sysv systemd-resolved dbus udev kmod procps iproute2 iputils-ping nftables jq
	python3 wireguard-tools
	libbpf1 libxdp1 libsodium23 libmnl0 libc-ares2 libnftables1 libjansson4"
CACHE=build/vm

# Prints the path of the image of a Debian system. Makes the image if it does not exist yet.
debian_image()
{
	local image
	image=$CACHE/bookworm-$(cksum <<<"$PACKAGES" | cut -d ' ' -f 1).ext4
	mkdir -p $CACHE
	if [ ! -e "$image" ]; then
		mmdebstrap --quiet --variant=minbase --include="$PACKAGES" bookworm "$TMP/root" \
			"${DEBIAN_MIRROR:-http://deb.debian.org}/debian" &&
			mke2fs -q -t ext4 -d "$TMP/root" "$TMP/image" 1500M &&
			cp --sparse=always "$TMP/image" "$image.$ID" &&
			mv "$image.$ID" "$image" || return
		rm -rf --one-file-system "$TMP/root" "$TMP/image"
	fi
	echo "$image"
}

image=$(debian_image)
[ -n "$image" ]
is "there is a Debian system" "$?" 0
ok "the package is built" build_package
ok "a newer package is built" build_newer_package
echo "1..$tests"
[ $failures = 0 ] || exit 1
tools/vm --timeout=4800 --disk="$image" 6.12 -- bash tests/long/guest/systemd.sh \
	"/run/host$TMP/wgxdp_$version-1_amd64.deb" "/run/host$TMP/wgxdp_99.1-1_amd64.deb"
