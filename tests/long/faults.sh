#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 2400
#
# Runs tests/net/faults.sh with more data, also over IPv6, with faults during handshakes, and long
# enough for sessions to be renewed.

BYTES=${BYTES:-4000000} DATAGRAMS=${DATAGRAMS:-4000} LASTS=${LASTS:-150} \
	OUTERS="4 6" FROM_THE_START=1 exec "$(dirname "$0")/../net/faults.sh"
