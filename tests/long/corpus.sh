#!/bin/bash
# SPDX-License-Identifier: MIT
#
# corpus.sh - tests/net/corpus.sh over 5,000 generated config files, others at each run.

cd "$(dirname "$0")/../.." || exit 1
SEED=${SEED:-$(date +%s)} CORPUS=5000 exec tests/net/corpus.sh
