#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 360
#
# LONG=1 makes tests/net/maps.sh wait, at its end, until every session has expired.

LONG=1 exec "$(dirname "$0")/../net/maps.sh"
