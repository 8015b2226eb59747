#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 500
#
# Runs tests/net/firewall.sh, and also tests how long data flows while handshakes are blocked.

LONG=1 exec "$(dirname "$0")/../net/firewall.sh"
