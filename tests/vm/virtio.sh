#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# Tests native XDP on virtio-net. The peer is first the kernel's WireGuard and then wgxdp. The other
# end of each NIC is a tap of the host, and a bridge connects the taps (tools/vm).
#
#   a: eth0 ═══ tap0 ─ br0 ─ tap1 ═══ eth0 :b

LINK=virtio FOREIGN=kernel BRIEF=1 \
	BYTES_PER_STREAM=1000000 exec "$(dirname "$0")/../net/interop.sh"
