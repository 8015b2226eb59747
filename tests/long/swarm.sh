#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# Runs tests/net/swarm.sh. On each path a second swarm follows, while another source keeps the hub
# under load.

LONG=1 exec "$(dirname "$0")/../net/swarm.sh"
