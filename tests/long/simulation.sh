#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 3600
#
# simulation.sh - runs tests/unit/test_simulation.c with SEEDS seeds (1000 by default), each for two
# hours of simulated time.

cd "$(dirname "$0")/../.." || exit 1
SIMULATION_SEEDS=${SEEDS:-1000} exec "${BUILD:-build}/tests/unit/test_simulation"
