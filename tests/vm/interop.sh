#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# Tests wgxdp with the kernel's WireGuard: wgxdp as initiator and as responder, by XDP and by UDP,
# with and without a preshared key. With BRIEF=1 there is always a preshared key.

FOREIGN=kernel BRIEF=${BRIEF:-streams} \
	BYTES_PER_STREAM=1000000 exec "$(dirname "$0")/../net/interop.sh"
