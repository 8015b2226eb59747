#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 200
#
# tests/net/established.sh with conntrack's own times, and a client that is idle for 60 s.

LONG=1 exec "$(dirname "$0")/../net/established.sh"
