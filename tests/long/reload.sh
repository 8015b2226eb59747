#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 200
#
# Runs tests/net/reload.sh with a thousand reloads under traffic.

RELOADS=1000 FLOW_S=60 exec "$(dirname "$0")/../net/reload.sh"
