#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1200
#
# tests/net/staging.sh, and until handshakes are given up: 10,000 of them.

LONG=1 exec "$(dirname "$0")/../net/staging.sh"
