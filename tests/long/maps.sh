#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 360
#
# Runs tests/net/maps.sh, and then waits until every session has expired.

LONG=1 exec "$(dirname "$0")/../net/maps.sh"
