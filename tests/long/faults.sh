#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 2400
#
# Runs tests/net/faults.sh with more data, over IPv4 and IPv6, with faults even during the first
# handshake, and for so long that sessions are renewed.

BYTES=${BYTES:-4000000} DATAGRAMS=${DATAGRAMS:-4000} LASTS=${LASTS:-150} \
	OUTERS="4 6" FROM_THE_START=1 exec "$(dirname "$0")/../net/faults.sh"
