#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1200
#
# Runs tests/net/staging.sh, which with LONG=1 also waits until the handshakes with 10,000 silent
# peers are given up.

LONG=1 exec "$(dirname "$0")/../net/staging.sh"
