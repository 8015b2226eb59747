#!/bin/bash
# SPDX-License-Identifier: MIT
#
# aead.sh - ten million random packets through every AEAD backend, held against libsodium; another
# ten million on every run; and every length 0-2048 in every batch size 1-64.

cd "$(dirname "$0")/../.." || exit 1
AEAD_SEED=${AEAD_SEED:-$(date +%s)}
echo "# AEAD_SEED=$AEAD_SEED"
export AEAD_SEED AEAD_LONG=1
exec "${BUILD:-build}/tests/unit/test_aead_diff"
