#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Several queues, workers and NICs, and a wireguard-go for each queue of eth0 and for eth1.
#
#                       ┌ queue 0 ── 51822 wireguard-go 10.99.0.2 ┐
#   a: wgxdp   eth0 ════╪                                    eth0 :b
#      10.99.0.1        └ queue 1 ── 51823 wireguard-go 10.99.0.3 ┘
#              eth1 ═══════════════ 51824 wireguard-go 10.99.0.4, eth0 :c
#
# A veth chooses the queue by a hash of the flow. The second wireguard-go gets a port whose packets
# arrive on another queue than those of the first wireguard-go.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg iperf3 jq ping ethtool taskset pgrep

ns_add a b c
ip link add eth0 netns "$ID-a" numrxqueues 2 numtxqueues 2 type veth \
	peer name eth0 netns "$ID-b" numrxqueues 2 numtxqueues 2
ip link add eth1 netns "$ID-a" type veth peer name eth0 netns "$ID-c"
address() { in_ns "$1" ip address add "$3" dev "$2" && in_ns "$1" ip link set "$2" up; }
address a eth0 192.0.2.1/24
address b eth0 192.0.2.2/24
address a eth1 198.51.100.1/24
address c eth0 198.51.100.2/24
A=${ID}a B0=${ID}b0 B1=${ID}b1 C=${ID}c
keys a b0 b1 c
ports=([2]=51822 [3]=51823 [4]=51824)

config() # PEER...: NAME:HOST:OUTER
{
	local peer name host outer
	interface a ListenPort=51821 Address=10.99.0.1/24
	for peer; do
		IFS=: read -r name host outer <<<"$peer"
		peer "$name" AllowedIPs="10.99.0.$host/32" Endpoint="$outer:${ports[host]}"
	done
}

attach() # NICS OPTIONS...
{
	local nics=$1 path
	shift
	path=$(config b0:2:192.0.2.2 b1:3:192.0.2.2 c:4:198.51.100.2 | conf "$A")
	in_ns a "$WGXDP" attach "$nics" "$path" "$@"
}

stranger() # NS INTERFACE KEYS HOST OUTER
{
	foreign "$1" "$2" < <(
		interface "$3" ListenPort="${ports[$4]}"
		peer a AllowedIPs=10.99.0.1/32 Endpoint="$5:51821") &&
		in_ns "$1" ip address add "10.99.0.$4/32" dev "$2" &&
		in_ns "$1" ip link set "$2" mtu 1420 up &&
		in_ns "$1" ip route add 10.99.0.1 src "10.99.0.$4" dev "$2" table "$4" &&
		in_ns "$1" ip rule add from "10.99.0.$4" lookup "$4"
}

ok "wireguard-go of queue 0 starts" stranger b "$B0" b0 2 192.0.2.1
ok "wireguard-go of queue 1 starts" stranger b "$B1" b1 3 192.0.2.1
ok "wireguard-go of the second NIC starts" stranger c "$C" c 4 198.51.100.1
for host in 2 3 4; do
	[ $host = 4 ] && ns=c || ns=b
	spawn "$ns" iperf3 -s -B 10.99.0.$host >/dev/null 2>&1
done

no_loss() { pinged a "$1" 30 0.01; }

# The control thread computes a peer's timers from times that the workers store. It reads these
# times every few seconds, not for each packet.
few_wakeups()
{
	local status before after
	attach eth0 --workers 1 && no_loss 10.99.0.2 || return
	status=/proc/$(daemon_pid a "$A")/status
	before=$(awk '/^voluntary_ctxt_switches/ { print $2 }' "$status")
	pinged a 10.99.0.2 500 0.002 || return
	after=$(awk '/^voluntary_ctxt_switches/ { print $2 }' "$status")
	echo "# $((after - before)) wakeups of the control thread"
	down a "$A"
	[ $((after - before)) -lt 250 ]
}
ok "1,000 packets wake the control thread fewer than 250 times" few_wakeups

# Prints how often the only worker slept while 300 pings in a row were sent and answered.
sleeps() # OPTIONS...
{
	local before after task status=1
	attach eth0 --rx udp --tx udp --workers 1 --cpus 0 "$@" >&2 || return
	if no_loss 10.99.0.2 >&2 &&
		task=$(dirname "$(grep -lx wgxdp/0 "/proc/$(daemon_pid a "$A")"/task/*/comm)") &&
		before=$(awk '/^voluntary_ctxt_switches/ { print $2 }' "$task/status") &&
		pinged a 10.99.0.2 300 0.002 >&2 &&
		after=$(awk '/^voluntary_ctxt_switches/ { print $2 }' "$task/status"); then
		echo $((after - before))
		status=0
	fi
	down a "$A" >&2
	return "$status"
}

# A worker that has sent a request polls for the reply before it sleeps, so it sleeps once per ping
# instead of twice. wireguard-go runs on another CPU, because the worker stops polling when its CPU
# runs another thread. On a busy machine other programs often stop the polling, so the test makes
# many attempts.
waits_for_replies()
{
	local with without i pid status=1
	pid=$(pgrep -f "wireguard-go .*$B0") && in_ns b taskset -apc 1 "$pid" || return
	without=$(sleeps --no-reply-wait)
	for ((i = 0; i < 30 && status && without >= 500; i++)); do
		with=$(sleeps) || break
		echo "# $with sleeps, $without with --no-reply-wait"
		[ "$with" -lt $((without * 9 / 10)) ] && status=0
	done
	in_ns b taskset -apc "0-$(($(nproc) - 1))" "$pid" && return "$status"
}
case $WGXDP in
*/tsan/*) pass "a worker waits for replies # SKIP with the sanitizer polling is too slow" ;;
*) ok "a worker waits for replies without sleeping" waits_for_replies ;;
esac

# Changes the port of the second wireguard-go until its packets and those of the first wireguard-go
# reach different workers.
another_queue()
{
	local worker
	attach eth0 --workers 2 || return
	no_loss 10.99.0.2 || return
	worker=$(show a "$A" '.path.per_worker | map(.rx_packets) |
		if .[0] > .[1] then 1 else 0 end')
	while [ "$(show a "$A" ".path.per_worker[$worker].rx_packets")" = 0 ]; do
		[ $((ports[3] += 1)) -lt 51900 ] && in_ns b wg set "$B1" listen-port "${ports[3]}" \
			|| return
		in_ns b ping -q -c 1 -i 0.05 -w 2 -I 10.99.0.3 10.99.0.1 || return
	done
	down a "$A"
}

ok "their packets arrive on different queues" another_queue

# Runs several streams in both directions with each HOST, all at the same time.
streams() # WHAT HOST...
{
	local what=$1 host
	shift
	for host; do
		in_ns a iperf3 -J -c "10.99.0.$host" -P 4 --bidir -t "${SECONDS_PER_STREAM:-1}" \
			>"$TMP/iperf.$host" 2>&1 &
		pids[host]=$!
	done
	for host; do
		wait "${pids[host]}"
		is "$what: streams with 10.99.0.$host carry data in both directions" "$(jq '.end |
			[.sum_sent, .sum_received,
			 .sum_sent_bidir_reverse, .sum_received_bidir_reverse] |
			all(.bytes > 100000)' "$TMP/iperf.$host" 2>&1)" true
	done
}
pids=()

carried() # WHAT: each worker receives and sends data
{
	is "$1: each worker receives and sends data" \
		"$(show a "$A" '.path.per_worker |
			map(.rx_packets >= 100 and .tx_packets >= 100) | all')" true
}

threads() # FIELD: prints this field of /proc for each worker's thread
{
	local task
	for task in "/proc/$(daemon_pid a "$A")/task"/*; do
		grep -q '^wgxdp/[0-9]' "$task/comm" &&
			echo "$(<"$task/comm") $(grep -oP "^$1:\s*\K.*" "$task/status")"
	done | sort
}

# --- two queues, two workers ----------------------------------------------------------------------

for path in xdp udp; do
	what="two workers, $path"
	ok "$what: attach succeeds" attach eth0 --rx $path --tx $path --workers 2 --cpus 0,1
	is "$what: show names the path" "$(show a "$A" '.path | "\(.rx) \(.workers) \(.queues)"')" \
		"$path 2 $([ $path = xdp ] && echo 2 || echo 0)"
	is "$what: each worker is on its CPU" "$(threads Cpus_allowed_list)" \
		"wgxdp/0 0"$'\n'"wgxdp/1 1"
	for host in 2 3; do
		ok "$what: no ping to 10.99.0.$host is lost" no_loss 10.99.0.$host
	done
	streams "$what" 2 3
	carried "$what"
	if [ $path = xdp ]; then
		is "$what: no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
	else
		is "$what: no packet arrives by AF_XDP" "$(show a "$A" .path.rx_packets.xsk)" 0
	fi

	# The port and the mark change under load. Packets that are in flight during the changes may
	# be lost. Later packets must not be lost.
	in_ns a iperf3 -J -c 10.99.0.2 --bidir -t 2 >"$TMP/load" 2>&1 &
	load=$!
	in_ns a ping -q -i 0.02 -c 100 -W 1 10.99.0.3 >"$TMP/ping" &
	pinging=$!
	sleep 0.4 # the changes are spread over the two seconds of the load
	ok "$what: the port changes" in_ns a wg set "$A" listen-port 51831
	sleep 0.4
	ok "$what: the mark changes" in_ns a wg set "$A" fwmark 0x1234
	sleep 0.4
	ok "$what: the port changes back" in_ns a wg set "$A" listen-port 51821
	ok "$what: the mark is cleared" in_ns a wg set "$A" fwmark 0
	wait $pinging
	holds "$what: nine of ten pings are answered meanwhile" \
		"$(grep -oP '\d+(?= received)' "$TMP/ping")" -ge 90
	wait $load
	is "$what: the stream survives" \
		"$(jq '.end.sum_received.bytes > 100000' "$TMP/load" 2>&1)" true
	ok "$what: no later ping is lost" no_loss 10.99.0.3
	ok "$what: detach succeeds" down a "$A"
	clean "$what: nothing is left" a "$A"
done

# --- the number of workers ------------------------------------------------------------------------

ok "auto: attach succeeds" attach eth0
is "auto: there are as many workers as queues, and no more than CPUs" \
	"$(show a "$A" .path.workers)" $(($(nproc) > 1 ? 2 : 1))
down a "$A"
ok "attach with one worker for two queues succeeds" attach eth0 --workers 1
ok "no ping by queue 0 is lost" no_loss 10.99.0.2
ok "no ping by queue 1 is lost" no_loss 10.99.0.3
is "no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
down a "$A"
refuses "more workers than queues are refused" 1 'queues' attach eth0 --workers 3
clean "nothing is left" a "$A"
refuses "a CPU that does not exist is refused" 1 'cpus|CPU' attach eth0 --cpus 1000
clean "nothing is left" a "$A"
# Native XDP on a veth needs as many receiving queues as the other side has sending queues.
in_ns b ethtool -L eth0 tx 1
ok "ethtool takes a queue away" in_ns a ethtool -L eth0 rx 1 tx 1
ok "attach succeeds with one queue" attach eth0
is "there is one queue and one worker" "$(show a "$A" '.path | "\(.queues) \(.workers)"')" "1 1"
has_queues() { [ "$(show a "$A" .path.queues)" = "$1" ]; }
ok "ethtool adds a queue" in_ns a ethtool -L eth0 rx 2 tx 2
in_ns b ethtool -L eth0 tx 2
ok "the second queue is used, too" wait_for 5 has_queues 2
before=$(show a "$A" .path.rx_packets.udp)
ok "no ping by queue 0 is lost" no_loss 10.99.0.2
ok "no ping by queue 1 is lost" no_loss 10.99.0.3
is "no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" "$before"
down a "$A"

# --- two NICs -------------------------------------------------------------------------------------

for path in xdp udp; do
	what="two NICs, $path"
	ok "$what: attach succeeds" attach eth0,eth1 --rx $path --tx $path
	is "$what: show names the path" "$(show a "$A" '.path | "\(.nic) \(.rx) \(.tx)"')" \
		"eth0,eth1 $path $path"
	for host in 2 3 4; do
		ok "$what: no ping to 10.99.0.$host is lost" no_loss 10.99.0.$host
	done
	streams "$what" 2 4
	[ $path = udp ] ||
		is "$what: no packet arrives by UDP" "$(show a "$A" .path.rx_packets.udp)" 0
	ok "$what: detach succeeds" down a "$A"
	clean "$what: nothing is left" a "$A"
done

done_testing
