#!/bin/bash
# SPDX-License-Identifier: MIT
#
# bench.sh [--rounds N] [--seconds S] [--json] [VARIANT...] - throughput of the tunnel between two
# namespaces: wgxdp by each path and with each AEAD, wireguard-go, and the bare cable. Root.
#
# Every variant has a pair of namespaces of its own; all are up at once, and in each round they take turns,
# so that whatever else the machine does hits all alike. Printed are medians over the rounds, and
# the medians of the ratios within a round to the first variant, wireguard-go; and the same for the
# CPU time that the two daemons took for a packet that arrived (for TCP: for 1368 bytes). On a machine
# that others use as well, that is the figure to look at: throughput is then what the scheduler gives.
#
#   a: eth0 ═══ eth0 :b      10.99.0.1 ─ tunnel ─ 10.99.0.2
#
# VARIANT: bare, go, or attach's options in one word, such as "--rx xdp --tx xdp --aead avx2";
# BINARY=PATH before them takes another build, such as one of before a change.

WGXDP=${WGXDP:-$PWD/build/wgxdp}
# shellcheck source=tests/net/lib.sh
. "$(dirname "$0")/../tests/net/lib.sh"

rounds=5 seconds=2 json=0
while [[ ${1-} == --rounds || ${1-} == --seconds || ${1-} == --json || ${1-} == --help ]]; do
	case $1 in
	--rounds) rounds=$2 && shift ;;
	--seconds) seconds=$2 && shift ;;
	--json) json=1 ;;
	*) sed -n '/^# bench/,/^$/s/^# \{0,1\}//p' "$0" && exit ;;
	esac
	shift
done
need_root
need_cmd iperf3 jq wg wireguard-go
variants=("$@")
[ $# -gt 0 ] || variants=(go bare "--rx xdp --tx xdp" "--rx xdp --tx xdp --aead libsodium"
	"--rx udp --tx udp" "--rx udp --tx udp --aead libsodium")
keys a b

config() # SIDE NUMBER PEER NUMBER
{
	cat <<-EOC
		[Interface]
		PrivateKey = $(key "$1")
		ListenPort = 5182$2
		[Peer]
		PublicKey = $(pub "$3")
		AllowedIPs = 10.99.0.$4/32
		Endpoint = 192.0.2.$4:5182$4
	EOC
}

# The tunnel of variant I from one of its namespaces to the other.
bring_up() # I SIDE NUMBER PEER
{
	local i=$1 ns=$2$1 name=$ID$2$1 what=${variants[$1]} binary=$WGXDP
	case $what in
	bare)
		in_ns "$ns" ip address add "10.99.0.$3/24" dev eth0
		;;
	go)
		config "$2" "$3" "$4" $((3 - $3)) | foreign "$ns" "$name"
		in_ns "$ns" ip address add "10.99.0.$3/24" dev "$name"
		in_ns "$ns" ip link set "$name" mtu 1420 up
		;;
	*)
		if [[ $what == BINARY=* ]]; then
			binary=${what%% *} && binary=${binary#BINARY=} && what=${what#* }
		fi
		# shellcheck disable=SC2086 # several words
		config "$2" "$3" "$4" $((3 - $3)) | sed "/^ListenPort/a Address = 10.99.0.$3/24" |
			WGXDP=$binary ours "$ns" "$name" $what
		;;
	esac
}

# CPU time of the daemons so far, ns.
cpu() # I
{
	local ns pid
	for ns in "a$1" "b$1"; do
		for pid in $(ip netns pids "$ID-$ns"); do
			[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = iperf3 ] ||
				cat /proc/"$pid"/task/*/schedstat 2>/dev/null
		done
	done | awk '{ ns += $1 } END { printf "%.0f\n", ns }'
}

iperf() # I FILTER OPTIONS...: rate and packets that arrived, as FILTER finds them
{
	local i=$1 filter=$2
	shift 2
	in_ns "a$i" iperf3 -J -c 10.99.0.2 -t "$seconds" "$@" | jq -r "$filter | @tsv"
}

mbit='.end.sum_received | [.bits_per_second / 1e6, .bytes / 1368]'
# shellcheck disable=SC2016 # jq's variable
kpps='.end.sum | (.packets * (100 - .lost_percent) / 100) as $n | [$n / .seconds / 1e3, $n]'
measures=("TCP, Mbit/s" "UDP 1300 B, kpps" "UDP 64 B, kpps")

measure() # I MEASURE: rate, and CPU us a packet
{
	local before result
	before=$(cpu "$1")
	case $2 in
	0) result=$(iperf "$1" "$mbit") ;;
	1) result=$(iperf "$1" "$kpps" -u -b 0 -l 1300) ;;
	2) result=$(iperf "$1" "$kpps" -u -b 0 -l 64) ;;
	esac
	awk -v ns="$(($(cpu "$1") - before))" '$2 > 0 { print $1, ns / 1e3 / $2 }' <<<"$result"
}

for i in "${!variants[@]}"; do
	ns_add "a$i" "b$i"
	join "a$i" eth0 "b$i" eth0
	bring_up "$i" a 1 b
	bring_up "$i" b 2 a
	spawn "b$i" iperf3 -s >/dev/null 2>&1
	wait_for 5 in_ns "a$i" ping -q -c 1 -W 1 10.99.0.2
done
for ((round = 0; round < rounds; round++)); do
	for m in "${!measures[@]}"; do
		for i in "${!variants[@]}"; do
			echo "$round $m $i $(measure "$i" "$m")" >>"$TMP/results"
		done
	done
done
jq -n -R -r --arg json "$json" --arg m "$(printf '%s\n' "${measures[@]}")" \
	--arg v "$(printf '%s\n' "${variants[@]}")" '
	def median: sort | if length == 0 then null
		elif length % 2 == 1 then .[length / 2 | floor]
		else (.[length / 2 - 1] + .[length / 2]) / 2 end;
	def figure: if . == null then "?" else (. * 100 | round / 100 | tostring) end;
	($m | split("\n")) as $measures | ($v | split("\n")) as $variants |
	[inputs | split(" ") | select(length == 5) | map(tonumber)] as $all |
	def values($m; $v; $field): [$all[] | select(.[1] == $m and .[2] == $v)[$field]];
	def ratios($m; $v; $field): [$all[] | select(.[1] == $m and .[2] == $v) | . as $x |
		$all[] | select(.[0] == $x[0] and .[1] == $m and .[2] == 0 and .[$field] > 0) |
		$x[$field] / .[$field]];
	[range($measures | length) as $m | range($variants | length) as $v | {
		measure: $measures[$m], variant: $variants[$v],
		rate: (values($m; $v; 3) | median), rate_ratio: (ratios($m; $v; 3) | median),
		cpu_us: (values($m; $v; 4) | median), cpu_ratio: (ratios($m; $v; 4) | median)
	}] as $rows | if $json == "1" then $rows else $rows[] |
		[.measure, .variant, (.rate, .rate_ratio, .cpu_us, .cpu_ratio | figure)] | @tsv end' \
	<"$TMP/results" |
	if [ "$json" = 1 ]; then cat; else
		awk -F '\t' -v first="${variants[0]}" 'BEGIN {
			printf "%-18s %-38s %9s %6s %9s %6s   x: to %s\n", "", "", "rate", "x", "CPU us", "x", first }
			{ printf "%-18s %-38s %9s %6s %9s %6s\n", $1, $2, $3, $4, $5, $6 }'
	fi
