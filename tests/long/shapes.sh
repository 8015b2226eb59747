#!/bin/bash
# SPDX-License-Identifier: MIT
#
# shapes.sh - runs tests/net/shapes.sh over all files in tests/files.

cd "$(dirname "$0")/../.." || exit 1
SHAPES=all exec tests/net/shapes.sh
