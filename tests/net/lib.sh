# shellcheck shell=bash
# SPDX-License-Identifier: MIT
#
# lib.sh - what all namespace tests share. A test sources this file first. The file provides TAP
# output, network namespaces, nodes of two kinds (wgxdp and another implementation), and a clean-up
# that removes everything, however the test ends.
#
#   ns_add a b; join a eth0 b eth0       makes namespaces $ID-a and $ID-b, and a veth pair
#   interface a ListenPort=51821 ...     prints the [Interface] section of a configuration
#   peer b AllowedIPs=10.99.0.2/32 ...   prints a [Peer] section
#   ours a "$A" --rx xdp < conf          attaches wgxdp to eth0 in namespace a, as interface $A
#   foreign b "$B" < conf                starts the other implementation in namespace b, as $B
#   ok "what holds" command ...          the command succeeds
#   is "what holds" got want             got equals want
#   holds "what holds" 5 -ge 3           the comparison is true
#   refuses "what" status regex command  the command fails with that status and message
#   wait_for 5 command ...               repeats the command until it succeeds, for at most 5 s, or
#                                        PATIENCE times as long
#   done_testing                         prints the plan; the last line of every test
#
# Interfaces, namespaces and sockets have names that begin with $ID, so several tests may run at
# once. All IDs have the same length, so that none is the beginning of another.

set -u

# Maps are pinned in a bpffs. If the host has none (as in containers), one is mounted for this
# process.
if [ "$(id -u)" -eq 0 ] && [ "$(stat -f -c %T /sys/fs/bpf)" != bpf_fs ] && [ -z "${BPFFS-}" ]; then
	export BPFFS=private
	# shellcheck disable=SC2016
	exec unshare --mount --propagation slave bash -c \
		'mount -t bpf bpf /sys/fs/bpf; exec "$0" "$@"' "$0" "$@"
fi

# A test that sets OWN_MOUNTS before it sources this file runs in a mount namespace of its own.
# OUTSIDE names the original namespace, so that the test can verify that it runs in another one
# before it mounts anything.
if [ "$(id -u)" -eq 0 ] && [ -n "${OWN_MOUNTS-}" ] && [ -z "${OUTSIDE-}" ]; then
	OUTSIDE=$(readlink /proc/self/ns/mnt) \
		exec unshare --mount --propagation slave bash "$0" "$@"
fi

BUILD=${BUILD:-$PWD/build}
WGXDP=${WGXDP:-$BUILD/wgxdp}
LIB=$(dirname "${BASH_SOURCE[0]}")
FOREIGN=${FOREIGN:-wireguard-go}
ID=$(printf 'wx%06x' $$)
TMP=$(mktemp -d "${TMPDIR:-/tmp}/$ID.XXXXXX")
RUN=/run/wgxdp
SOCKETS=/var/run/wireguard
PINS=/sys/fs/bpf/wgxdp
tests=0
failures=0
namespaces=()

PATH=$(dirname "$WGXDP"):/usr/sbin:/sbin:$PATH
export PATH LC_ALL=C
export WGXDP_VETH_AS_NIC=1 # XDP is tested on veth, where `auto` would prefer the UDP sockets

# --- TAP ------------------------------------------------------------------------------------------

diag() { printf '%s\n' "$*" | sed 's/^/# /'; }

pass() { printf 'ok %d - %s\n' $((tests += 1)) "$1"; }

fail()
{
	printf 'not ok %d - %s\n' $((tests += 1)) "$1"
	failures=$((failures + 1))
	shift
	[ $# -eq 0 ] || diag "$*"
}

ok()
{
	local what=$1 status=0
	shift
	"$@" >"$TMP/out" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		pass "$what"
	else
		fail "$what" "exit status $status: $*" "$(cat "$TMP/out")"
	fi
}

is()
{
	if [ "$2" = "$3" ]; then
		pass "$1"
	else
		fail "$1" "got:  $2"$'\n'"want: $3"
	fi
}

holds() # WHAT INTEGER OPERATOR INTEGER, with an operator of test(1)
{
	if test "$2" "$3" "$4" 2>/dev/null; then
		pass "$1 ($2)"
	else
		fail "$1" "$2 $3 $4 does not hold"
	fi
}

# The command must end with STATUS, which may be a pattern, and its output must match REGEX.
refuses() # WHAT STATUS REGEX COMMAND...
{
	local what=$1 want=$2 regex=$3 status=0
	shift 3
	"$@" >"$TMP/out" 2>&1 </dev/null || status=$?
	# shellcheck disable=SC2053 # STATUS may be a pattern
	if [[ $status != $want ]]; then
		fail "$what" "exit status $status, not $want: $(cat "$TMP/out")"
	elif ! grep -qE -- "$regex" "$TMP/out"; then
		fail "$what" "no /$regex/ in: $(cat "$TMP/out")"
	else
		pass "$what"
	fi
}

# omits WHAT REGEX: the last message that refuses() checked does not match. Do not call omits
# through ok(), which empties the file that holds the message.
omits()
{
	if [ ! -s "$TMP/out" ]; then
		fail "$1" "there is no message"
	elif grep -qE -- "$2" "$TMP/out"; then
		fail "$1" "/$2/ is in: $(cat "$TMP/out")"
	else
		pass "$1"
	fi
}

done_testing()
{
	echo "1..$tests"
	exit $((failures > 0))
}

skip_all()
{
	echo "1..0 # SKIP $*"
	exit 0
}

need_root() { [ "$(id -u)" -eq 0 ] || skip_all "needs root"; }

need_cmd()
{
	local cmd
	for cmd; do
		command -v "$cmd" >/dev/null || skip_all "needs $cmd; see docs/dependencies.md"
	done
}

need_cryptography()
{
	/usr/bin/python3 -c 'import cryptography' 2>/dev/null ||
		skip_all "needs python3-cryptography; see docs/dependencies.md"
}

# Runs a Python script of the test's folder. Each line "ok WHAT" or "not ok WHAT" that the script
# prints becomes a test. The script's exit status becomes one more test.
python_tap() # PREFIX SCRIPT ARGUMENT...
{
	python_begin "$@"
	python_end "$1"
}

# Like python_tap, but starts the script and waits for it in two calls, so that several scripts can
# run at the same time. PREFIX distinguishes the scripts.
declare -A python_pids=() python_scripts=()
python_begin()
{
	local out=$TMP/tap.${1//[^a-zA-Z0-9]/_}
	/usr/bin/python3 "$(dirname "$0")/$2" "${@:3}" >"$out" 2>"$out.err" &
	python_pids[/$1]=$! python_scripts[/$1]=$2 # a subscript must not be empty
}

python_end() # PREFIX
{
	local line status=0 prefix=$1 out=$TMP/tap.${1//[^a-zA-Z0-9]/_}
	wait "${python_pids[/$1]}" || status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) pass "$prefix${line#ok }" ;;
		"not ok "*) fail "$prefix${line#not ok }" ;;
		esac
	done <"$out"
	is "$prefix${python_scripts[/$1]} runs to its end" "$status$(cat "$out.err")" 0
}

# Succeeds if this kernel has tcx (Linux 6.6), which attaches BPF programs to the TC hooks of an
# interface.
has_tcx()
{
	case $(uname -r) in
	5.* | 6.[0-5].*) return 1 ;;
	esac
}

# Repeats the command until it succeeds. Fails if the command still fails after SECONDS. On a slow
# machine (emulation) the integer PATIENCE multiplies this limit and the limits in the Python files.
wait_for() # SECONDS COMMAND...
{
	local end=$((SECONDS + $1 * ${PATIENCE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# Waits until conntrack of the namespace has no entry that matches REGEX. If the kernel does not
# list its entries, this waits for SECONDS.
forgotten() # NS REGEX SECONDS
{
	if [ -e /proc/net/nf_conntrack ]; then
		wait_for "$3" eval "! in_ns '$1' grep -qE '$2' /proc/net/nf_conntrack"
	else
		sleep "$3"
	fi
}

# Sends pings. Succeeds if each ping is answered.
pinged() # NS ADDRESS [COUNT [INTERVAL_S [PATIENCE_S [LENGTH]]]]
{
	local ns=$1
	shift
	in_ns "$ns" /usr/bin/python3 "$LIB/pings.py" "$@"
}

# --- namespaces -----------------------------------------------------------------------------------

# Runs the command in the namespace. `ip netns exec` would mount a fresh sysfs, which hides the
# bpffs.
in_ns() # NS COMMAND...
{
	local ns=$1
	shift
	nsenter --net="/run/netns/$ID-$ns" -- "$@"
}

# Like in_ns, but the command cannot read FILE: reading /proc/PID/mem at 0 fails with EIO.
# shellcheck disable=SC2016
unreadable() # NS FILE COMMAND...
{
	local ns=$1
	shift
	in_ns "$ns" unshare --mount --propagation slave bash -c \
		'mount --bind /proc/$$/mem "$0" && exec "$@"' "$@"
}

# Runs the command in the background. $! is the process of the command itself, not of a shell.
spawn() # NS COMMAND...
{
	local ns=$1
	shift
	(exec nsenter --net="/run/netns/$ID-$ns" -- "$@") &
}

ns_add()
{
	local ns
	for ns; do
		ip netns add "$ID-$ns"
		namespaces+=("$ID-$ns")
		in_ns "$ns" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0
		in_ns "$ns" ip link set lo up
	done
}

# Joins two namespaces by a veth pair with 192.0.2.1/24 and .2, 2001:db8::1/64 and ::2. With
# LINK=virtio, joins them by the two NICs of a tools/vm guest instead.
join() # NS NIC NS NIC
{
	if [ "${LINK-}" = virtio ]; then
		ip link set nic0 netns "$ID-$1" name "$2"
		ip link set nic1 netns "$ID-$3" name "$4"
	else
		ip link add "$2" netns "$ID-$1" type veth peer name "$4" netns "$ID-$3"
	fi
	in_ns "$1" ip address add 192.0.2.1/24 dev "$2"
	in_ns "$1" ip address add 2001:db8::1/64 dev "$2" nodad
	in_ns "$3" ip address add 192.0.2.2/24 dev "$4"
	in_ns "$3" ip address add 2001:db8::2/64 dev "$4" nodad
	in_ns "$1" ip link set "$2" up
	in_ns "$3" ip link set "$4" up
	wait_for 5 in_ns "$1" ping -q -c 1 -W 1 192.0.2.2
	wait_for 5 in_ns "$1" ping -q -c 1 -W 1 2001:db8::2
}

# Joins namespace a and namespace NS by a veth pair with a network of its own. Namespace a has the
# address NETWORK.1, and NS has NETWORK.2.
cable() # NIC-OF-A NS NETWORK
{
	ip link add "$1" netns "$ID-a" type veth peer name eth0 netns "$ID-$2"
	in_ns a ip address add "$3.1/24" dev "$1"
	in_ns "$2" ip address add "$3.2/24" dev eth0
	in_ns a ip link set "$1" up
	in_ns "$2" ip link set eth0 up
	wait_for 5 in_ns "$2" ping -q -c 1 -W 1 "$3.1"
}

# Adds a default route from namespace a to b, where two addresses stand for the internet. Call join
# first. clear_packets prints how many packets to these addresses arrived unencrypted.
internet()
{
	in_ns a ip route add default via 192.0.2.2
	in_ns a ip -6 route add default via 2001:db8::2
	in_ns b ip address add 203.0.113.9/32 dev lo
	in_ns b ip address add 2001:db8:9::9/128 dev lo nodad
	in_ns b nft -f - <<-END
		table inet clear {
			chain in {
				type filter hook prerouting priority -300;
				iifname eth0 ip daddr 203.0.113.9 counter
				iifname eth0 ip6 daddr 2001:db8:9::9 counter
			}
		}
	END
}
clear_packets() { in_ns b nft -j list table inet clear | jq '[.. | .packets? // empty] | add'; }

# Prints how many of COUNT pings are answered. ping(8) waits up to 5 s after its last ping, but only
# about two round trips if it already has an answer. So all pings are sent at once, before an answer
# can arrive.
answers() # COUNT NS ADDRESS...
{
	local count=$1 ns=$2
	shift 2
	in_ns "$ns" ping -q -c "$count" -l "$count" -i 2 -W 5 "$@" | grep -oP '\d+(?= received)'
}

# --- nodes ----------------------------------------------------------------------------------------

keys() # NAME...: makes $TMP/NAME.key and $TMP/NAME.pub, by wg(8)
{
	local name
	umask 077
	for name; do
		wg genkey | tee "$TMP/$name.key" | wg pubkey >"$TMP/$name.pub"
	done
}

key() { cat "$TMP/$1.key"; }
pub() { cat "$TMP/$1.pub"; }

# `interface` and `peer` print one section of a configuration file. The first argument names a key
# that `keys` made. The others are the section's fields. A field with an empty value is left out.
#
#   interface a ListenPort=51821 Address=10.99.0.1/24
#   peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822
interface() { section Interface "PrivateKey = $(key "$1")" "${@:2}"; }
peer() { echo && section Peer "PublicKey = $(pub "$1")" "${@:2}"; }

section() # TITLE LINE FIELD=VALUE...
{
	local field
	printf '[%s]\n%s\n' "$1" "$2"
	for field in "${@:3}"; do
		case ${field%%=*}/${field#*=} in
		*/) ;;
		Name/*) echo "# Name = ${field#*=}" ;;
		*) echo "${field%%=*} = ${field#*=}" ;;
		esac
	done
}

conf() # INTERFACE < text: writes the file and prints its path
{
	local path=$TMP/$1.conf
	(umask 077 && cat >"$path")
	echo "$path"
}

ours() # NS INTERFACE OPTION... < text
{
	local ns=$1 path
	path=$(conf "$2")
	shift 2
	in_ns "$ns" "$WGXDP" attach eth0 "$path" "$@" </dev/null
}

# Starts wireguard-go and sets FOREIGN_PID. If wireguard-go does not answer, ends the process and
# prints what it has logged.
start_wireguard_go() # NS INTERFACE
{
	spawn "$1" env WG_PROCESS_FOREGROUND=1 LOG_LEVEL=error wireguard-go -f "$2" >"$TMP/$2.log" \
		2>&1
	FOREIGN_PID=$!
	# Wait for an answer, and not for the socket file, which a killed daemon may have left.
	wait_for 10 eval "in_ns '$1' wg show '$2' >/dev/null 2>&1" && return
	diag "wireguard-go does not answer: $(<"$TMP/$2.log")"
	kill -9 "$FOREIGN_PID" && wait "$FOREIGN_PID"
	return 1
} 2>/dev/null

# Brings up a tunnel with another implementation: the kernel's WireGuard if FOREIGN=kernel,
# otherwise wireguard-go. Sets FOREIGN_PID to the process of wireguard-go.
foreign() # NS INTERFACE < text for `wg setconf`
{
	local path
	path=$(conf "$2")
	if [ "$FOREIGN" = kernel ]; then
		in_ns "$1" ip link add "$2" type wireguard && in_ns "$1" wg setconf "$2" "$path"
		return
	fi
	start_wireguard_go "$1" "$2" || start_wireguard_go "$1" "$2" || return
	in_ns "$1" wg setconf "$2" "$path"
}

# The usual pair over `join`: a has 10.99.0.1 and listens on 51821, b has 10.99.0.2 and listens on
# 51822. Only a knows the other's endpoint.
conf_a() # FIELD=VALUE... of the peer
{
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822 "$@"
}

conf_b() # FIELD=VALUE... of the peer
{
	interface b ListenPort=51822 Address=10.99.0.2/24
	peer a AllowedIPs=10.99.0.1/32 "$@"
}

stranger_b() # INTERFACE: brings up b of the usual pair with the other implementation
{
	foreign b "$1" < <(
		interface b ListenPort=51822
		peer a AllowedIPs=10.99.0.1/32) || return
	in_ns b ip address add 10.99.0.2/24 dev "$1" && in_ns b ip link set "$1" mtu 1420 up
}

# Attaches wgxdp in NS, as interface $ID$NS on port 51820. PEER is the other twin, whose endpoint is
# in the configuration. HOST is the last byte of the addresses of NS: 1 or 2.
twin() # NS PEER HOST OPTION...
{
	local ns=$1 peer=$2 host=$3 other=$((3 - $3))
	shift 3
	ours "$ns" "$ID$ns" "$@" < <(
		interface "$ns" ListenPort=51820 Address="10.99.0.$host/24"
		peer "$peer" AllowedIPs="10.99.0.$other/32" Endpoint="192.0.2.$other:51820")
}

# Makes b send the packets that a's daemon reports only while debugging is on. debug.py lists the
# ACTIONs.
provoke() # ACTION [COUNT]
{
	/usr/bin/python3 "$LIB/debug.py" "$ID-b" "$(key b)" "$(pub a)" "$@"
}

down() # NS INTERFACE
{
	in_ns "$1" "$WGXDP" detach "$2"
}

foreign_down() # INTERFACE
{
	local ns
	if [ "$FOREIGN" = kernel ]; then
		for ns in "${namespaces[@]}"; do
			ip -n "$ns" link delete "$1" 2>/dev/null
		done
		return
	fi
	rm -f "$SOCKETS/$1.sock"
	wait_for 5 eval "! kill -0 $FOREIGN_PID" || kill "$FOREIGN_PID"
	wait "$FOREIGN_PID" 2>/dev/null
}

show() # NS INTERFACE JQ-FILTER
{
	in_ns "$1" "$WGXDP" show "$2" --json | jq -r "$3"
}

daemon_pid() # NS INTERFACE
{
	local pid
	for pid in $(ip netns pids "$ID-$1"); do
		if tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null |
			grep -qE "wgxdp.*(\b|/)$2(\b|\.conf)"; then
			echo "$pid"
		fi
	done
}

# Prints everything that an ended interface has left behind: files, devices, programs, routes,
# sockets, processes.
leftovers() # NS INTERFACE
{
	find "$RUN" "$SOCKETS" "$PINS" -mindepth 1 -maxdepth 1 -name "$2*" 2>/dev/null
	in_ns "$1" ip -o link show dev "$2" 2>/dev/null
	in_ns "$1" ip -d link show dev eth0 2>/dev/null | grep -o 'prog/xdp.*'
	in_ns "$1" ip -o address | grep "10\.99\."
	in_ns "$1" ip route show table all | grep -F "dev $2"
	in_ns "$1" ss -Hlun
	ip netns pids "$ID-$1" | while read -r pid; do
		is_exiting "$pid" || echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
	done
}

# Succeeds if the process is gone or the kernel is ending it (PF_EXITING in include/linux/sched.h).
# When a command that ends the daemon returns, the daemon may still be freeing its memory.
is_exiting() # PID
{
	local stat numbers
	stat=$(<"/proc/$1/stat") || return 0
	read -ra numbers <<<"${stat##*) }"
	[ $((numbers[6] & 4)) != 0 ]
} 2>/dev/null

clean() # WHAT NS INTERFACE: expects that nothing is left within ten seconds
{
	wait_for 10 no_leftovers "$2" "$3"
	is "$1" "$(leftovers "$2" "$3")" ""
}

no_leftovers() { [ -z "$(leftovers "$@")" ]; }

cleanup()
{
	local ns pid signal
	trap '' INT TERM
	for signal in TERM KILL; do
		for ns in "${namespaces[@]}"; do
			for pid in $(ip netns pids "$ns" 2>/dev/null); do
				kill "-$signal" "$pid" 2>/dev/null
			done
		done
		wait_for 3 nobody_in && break
	done
	for ns in "${namespaces[@]}"; do
		ip netns delete "$ns" 2>/dev/null
	done
	find "$RUN" "$SOCKETS" "$PINS" -maxdepth 1 -name "$ID*" -exec rm -rf {} + 2>/dev/null
	# Never remove files through a mount: a mount below $TMP may show files of the host.
	if grep -qF " $TMP/" /proc/self/mounts; then
		diag "$TMP is left, because something is mounted there"
	else
		rm -rf --one-file-system "$TMP"
	fi
}

nobody_in()
{
	local ns
	for ns in "${namespaces[@]}"; do
		[ -z "$(ip netns pids "$ns" 2>/dev/null)" ] || return 1
	done
}

trap cleanup EXIT
trap 'exit 143' INT TERM
