#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# tests/net/swarm.sh, and while somebody else keeps the hub under load.

LONG=1 exec "$(dirname "$0")/../net/swarm.sh"
