#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The config parser agrees with wg-quick(8), wg(8) and wireguard-go on each generated file: either
# they all refuse it, or they all read the same keys, port, mark and peers. docs/config-agreement.md
# explains the exceptions. CORPUS is the number of generated files, and SEED selects them.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg wg-quick wireguard-go python3

FOREIGN=wireguard-go
CORPUS=${CORPUS:-200}
SEED=${SEED:-11}
ns_add a
A=${ID}a
ok "wireguard-go is ready" foreign a "$A" <<<"[Interface]"

mkdir "$TMP/files"
diag "SEED=$SEED"
status=0
in_ns a python3 "$(dirname "$0")/confcorpus.py" "$A" "$BUILD/tests/net/confshow" "$TMP/files" \
	"$CORPUS" "$SEED" >"$TMP/result" || status=$?
is "every difference is a known one" "$status" 0
diag "$(cat "$TMP/result")"
holds "number of files that wgxdp and wg accept" \
	"$(grep -oP 'both take it: \K\d+' "$TMP/result")" -ge $((CORPUS / 2))
holds "number of files that wgxdp and wg refuse" \
	"$(grep -oP 'both refuse it: \K\d+' "$TMP/result")" -ge \
	$((CORPUS / 10))

foreign_down "$A"
done_testing
