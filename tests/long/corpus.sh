#!/bin/bash
# SPDX-License-Identifier: MIT
#
# corpus.sh - runs tests/net/corpus.sh over 5,000 generated config files, which differ in each run.

cd "$(dirname "$0")/../.." || exit 1
SEED=${SEED:-$(date +%s)} CORPUS=5000 exec tests/net/corpus.sh
