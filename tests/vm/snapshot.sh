#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1200
# on the host
#
# snapshot.sh SUITE - a virtual machine with a live session is restored from its snapshots (savevm,
# loadvm), and suspended to RAM. A capture outside of the machine shows that no counter occurs twice
# under one key, and how long the tunnel takes to come back. The machine has a VM generation ID, a
# disk for the snapshots, and no shared folder, which would prevent snapshots. Because of the line
# "on the host" above, tools/vm runs this script itself, and not inside a guest.
#
#   guest: wgxdp 10.99.0.1  eth0 192.0.2.1 ═══ 192.0.2.2 tap0, capture  10.99.0.2 wireguard-go :b

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd qemu-system-x86_64 qemu-img cpio busybox wg ip
need_cryptography # for wgpeer.py

KERNEL=${1:-trixie}
VM=$TMP/vm
B=${ID}b

# Prints a script. The guest's first process loads the modules and then runs this script, which
# executes the commands that arrive at /dev/ttyS1.
main()
{
	cat <<-'EOF'
		export PATH=/bin HOME=/
		mkdir -p /run /var /tmp /dev/pts
		ln -s /run /var/run
		mount -t devpts pts /dev/pts
		mount -t bpf bpf /sys/fs/bpf
		ip link set lo up
		ip address add 192.0.2.1/24 dev eth0
		ip link set eth0 up
		stty -F /dev/ttyS1 raw -echo
		exec </dev/ttyS1 >/dev/ttyS1 2>&1
		echo DONE 0
		while read -r line; do
			eval "$line"
			echo "DONE $?"
		done
	EOF
}

# Puts wgxdp and its libraries into the initramfs.
guest_files()
{
	local library
	mkdir "$VM"
	tools/vm --prepare="$VM" "$KERNEL" -- virtio_pci virtio_net tun || return
	main >"$VM/root/main"
	conf_a | install -m 600 /dev/stdin "$VM/root/wg.conf"
	cp "$WGXDP" "$VM/root/bin/wgxdp"
	ldd "$WGXDP" | grep -o '/[^ ]*' | while read -r library; do
		install -D "$library" "$VM/root$library"
	done
	(cd "$VM/root" && find . | cpio --quiet -o -H newc) >"$VM/initramfs"
	qemu-img create -q -f qcow2 "$VM/disk.qcow2" 2G
}

ns_add b
in_ns b ip tuntap add tap0 mode tap multi_queue vnet_hdr
in_ns b ip address add 192.0.2.2/24 dev tap0
in_ns b ip link set tap0 up
keys a b
ok "the guest's files are made" guest_files
ok "the peer starts" stranger_b "$B"
python_tap "" snapshot.py "$ID-b" "$VM"
grep '^figure' "$TMP/tap." | sed 's/^figure/#/'
foreign_down "$B"

done_testing
