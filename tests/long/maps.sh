#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 360
#
# tests/net/maps.sh, and then until every session has expired.

LONG=1 exec "$(dirname "$0")/../net/maps.sh"
