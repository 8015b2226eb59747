#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 200
#
# Runs tests/net/established.sh with conntrack's default times and a client that is idle for 60 s.

LONG=1 exec "$(dirname "$0")/../net/established.sh"
