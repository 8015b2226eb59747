#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs tests/net/sequences.sh with more sequences and cycles.

SEQUENCES=${SEQUENCES:-200} CYCLES=${CYCLES:-500} exec "$(dirname "$0")/../net/sequences.sh"
