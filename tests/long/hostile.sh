#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 2400
#
# Runs tests/net/hostile.sh three times: with the plain program, with the ASan build, and with the
# TSan build. Each run takes 150 s with XDP and 150 s with the UDP sockets.

cd "$(dirname "$0")/../.." || exit 1
set -o pipefail
BUILD=${BUILD:-$PWD/build}
status=0
for san in plain asan tsan; do
	program=$BUILD/$san/wgxdp
	if [ $san = plain ]; then
		program=$BUILD/wgxdp
	elif ! make -s SAN=$san "build/$san/wgxdp" >&2; then
		status=1
		continue
	fi
	WGXDP=$program LASTS=${LASTS:-150} tests/net/hostile.sh |
		sed -E "s/^((not )?ok [0-9]+ - )/\1$san, /" || status=1
done
exit $status
