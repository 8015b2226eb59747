#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# Tests wgxdp with the kernel's WireGuard: both roles, both paths, with and without a preshared key.

FOREIGN=kernel BRIEF=streams \
	BYTES_PER_STREAM=1000000 exec "$(dirname "$0")/../net/interop.sh"
