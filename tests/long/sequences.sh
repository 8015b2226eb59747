#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tests/net/sequences.sh, at length.

SEQUENCES=${SEQUENCES:-200} CYCLES=${CYCLES:-500} exec "$(dirname "$0")/../net/sequences.sh"
