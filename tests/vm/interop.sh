#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1800
#
# Tests wgxdp with the kernel's WireGuard: both roles, both paths, with and without a preshared key.
# With BRIEF=1 there is always a preshared key.

FOREIGN=kernel BRIEF=${BRIEF:-streams} \
	BYTES_PER_STREAM=1000000 exec "$(dirname "$0")/../net/interop.sh"
