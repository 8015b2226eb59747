#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 600
#
# tools/vm and tools/toolchain leave no process and no file behind, no matter when they are stopped.
# The test stops tools/vm at several moments around the start of the guest, and tools/toolchain at
# several moments around the start of the first process in its namespace.

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd qemu-system-x86_64 busybox cpio debootstrap pkill

KERNEL=trixie
DIRECTORY=$TMP/stopped
TREE=$DIRECTORY/tree

# Finds the processes by their environment: both tools export the name of the directory that they
# use.
processes() { grep -lzE "^(job|root)=$DIRECTORY/" /proc/[0-9]*/environ 2>/dev/null; }
has_file() { compgen -G "$1" >/dev/null; }
# Returns true if process $pid has a child named NAME. Uses only shell builtins, which are fast,
# because the child may have this name only for a moment.
has_child() # NAME
{
	local children='' child name=''
	read -r children <"/proc/$pid/task/$pid/children"
	for child in $children; do
		read -r name <"/proc/$child/comm"
		[ "$name" != "$1" ] || return 0
	done
	return 1
} 2>/dev/null

stop() # WHAT PAUSE CONDITION COMMAND...: stops the command PAUSE seconds after CONDITION is true
{
	local pid end=$((SECONDS + 200))
	rm -rf "$DIRECTORY"
	mkdir -p "$TREE/tools"
	cp tools/toolchain "$TREE/tools"
	TMPDIR=$DIRECTORY "${@:4}" >"$TMP/log" 2>&1 </dev/null &
	pid=$!
	# shellcheck disable=SC2086 # a function and its argument
	until $3 || [ $SECONDS -ge $end ]; do :; done
	sleep "$2"
	kill -TERM $pid
	wait $pid
	is "$1: no process is left" "$(processes)" ""
	rm -rf "$TREE/tools"
	is "$1: no file is left" "$(find "$DIRECTORY" -mindepth 1 ! -path "$TREE" \
		! -path "$TREE/build" ! -path "$TREE/build/toolchain")" ""
	holds "$1: the tool had begun" $SECONDS -lt $end
}

ok "the kernel's package is available" tools/vm --prepare="$TMP" "$KERNEL"
for pause in 0 0.01 0.05 0.5; do
	stop "vm, $pause s after the guest's files" $pause "has_file $DIRECTORY/*/run" \
		tools/vm "$KERNEL" -- sleep 60
done
for pause in 0 0.005 0.01 0.02 0.05 1; do
	stop "toolchain, $pause s after unshare" $pause "has_child unshare" \
		"$TREE/tools/toolchain" bookworm -- true
done

done_testing
