#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# Runs tests/net/swarm.sh, in which all peers of a hub handshake at once. On each path the test then
# repeats this while another source keeps the hub under load.

LONG=1 exec "$(dirname "$0")/../net/swarm.sh"
