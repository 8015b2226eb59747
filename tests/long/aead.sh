#!/bin/bash
# SPDX-License-Identifier: MIT
#
# aead.sh - compares every AEAD backend with libsodium on ten million random packets, which differ
# in each run, and on every length 0-2048 in every batch size 1-64.

cd "$(dirname "$0")/../.." || exit 1
AEAD_SEED=${AEAD_SEED:-$(date +%s)}
echo "# AEAD_SEED=$AEAD_SEED"
export AEAD_SEED AEAD_LONG=1
exec "${BUILD:-build}/tests/unit/test_aead_diff"
