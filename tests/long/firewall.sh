#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 500
#
# tests/net/firewall.sh, and how long data goes on where no handshake can.

LONG=1 exec "$(dirname "$0")/../net/firewall.sh"
