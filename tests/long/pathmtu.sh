#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 400
#
# Runs tests/net/pathmtu.sh, and also tests changes that cause no event: the kernel forgets a path
# MTU, or learns one from another program's packets.

LONG=1 exec "$(dirname "$0")/../net/pathmtu.sh"
