#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# tests/net/pathmtu.sh, and then what nothing tells of: that the kernel forgot a path MTU, or
# learned one from somebody else's packets.

LONG=1 exec "$(dirname "$0")/../net/pathmtu.sh"
