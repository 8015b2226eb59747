#!/bin/bash
# SPDX-License-Identifier: MIT
# timeout: 1200
#
# Random sequences of events at two interfaces on one NIC, while `wg set` runs again and again. Each
# attach succeeds if it should, the NIC passes the host's other traffic after each step, and nothing
# is left at the end. Then changes of one interface are repeated in cycles, and the daemon's memory,
# open files and pins do not grow.
#
#   a: wgxdp, wgxdp ── eth0 ═══ eth0 :b  wireguard-go      c: interfaces are moved here
#
#   SEQUENCES=200 CYCLES=500   the long run
#   SEED=17 SEQUENCES=1        sequence 17 with tcx, and 18 with clsact

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wireguard-go wg jq ping bpftool clang

SEQUENCES=${SEQUENCES:-20}
CYCLES=${CYCLES:-50}
SEED=${SEED:-1}
STEPS=8

ns_add a b c
join a eth0 b eth0
names=("${ID}a0" "${ID}a1") B=${ID}b
keys a0 a1 b

clang -target bpf -O2 -g -x c -c - -o "$TMP/somebody.o" <<-EOF
	__attribute__((section("xdp"), used)) int somebody(void *c) { return 2; }
	char gpl[] __attribute__((section("license"), used)) = "GPL";
EOF
SOMEBODY=/sys/fs/bpf/$ID-somebody
trap 'rm -f "$SOMEBODY"; cleanup' EXIT
bpftool prog load "$TMP/somebody.o" "$SOMEBODY"

foreign b "$B" < <(
	interface b ListenPort=51822
	peer a0 AllowedIPs=10.99.0.1/32
	peer a1 AllowedIPs=10.99.1.1/32)
in_ns b ip address add 10.99.0.2/24 dev "$B"
in_ns b ip address add 10.99.1.2/24 dev "$B"
in_ns b ip link set "$B" mtu 1420 up

for i in 0 1; do
	{
		interface a$i ListenPort=5183$i Address=10.99.$i.1/24
		peer b AllowedIPs=10.99.$i.2/32 Endpoint=192.0.2.2:51822
	} | conf "${names[i]}" >/dev/null
done

# --- the steps; each acts on interface $i ---------------------------------------------------------

# For each interface: its state (none, live, stopped or dead), its namespace, and its daemon's PID.
state=(none none) where=(a a) pids=()
errors=() story=()

wrong() { errors+=("after ${story[*]}: $*"); }
roll() { roll=$((RANDOM % $1)); } # sets $roll, because RANDOM repeats in subshells

# Waits up to 20 s, because disturb() changes the daemon's listen port about ten times a second. A
# handshake response to the old port is lost, and the next initiation follows 5 s later. It is very
# unlikely that all handshakes in 20 s are lost.
answers() { in_ns "$1" ping -q -c 1 -i 0.2 -w 20 "10.99.$i.2" >/dev/null; }

# Prints whether the daemon has ended, and the last lines of the log.
last_words()
{
	kill -0 "${pids[i]}" 2>/dev/null || echo "the daemon ${pids[i]} has ended"
	in_ns a timeout 5 "$WGXDP" logs "${names[i]}" 2>&1 | tail -n 20
}

attach()
{
	local log
	log=$(timeout 20 nsenter --net="/run/netns/$ID-a" -- \
		"$WGXDP" attach eth0 "$TMP/${names[i]}.conf" 2>&1)
	case $?-${state[i]} in
	0-none | 0-dead)
		state[i]=live where[i]=a
		pids[i]=$(daemon_pid a "${names[i]}")
		answers a || wrong "no ping after attach: $(last_words)"
		;;
	1-live | 1-stopped) ;; # the attach must be refused
	*) wrong "attach with ${state[i]}: $log" ;;
	esac
}

detach()
{
	local log
	[ "${state[i]}" != stopped ] || cont
	log=$(timeout 20 nsenter --net="/run/netns/$ID-a" -- "$WGXDP" detach "${names[i]}" 2>&1)
	case $?-${state[i]} in
	0-live | 0-dead | 1-none) state[i]=none ;;
	*) wrong "detach with ${state[i]}: $log" ;;
	esac
}

murder()
{
	kill -KILL "${pids[i]}" && state[i]=dead
}

stop() { kill -STOP "${pids[i]}" && state[i]=stopped; }
cont() { kill -CONT "${pids[i]}" && state[i]=live; }

move()
{
	local to=a
	[ "${where[i]}" = c ] || to=c
	in_ns "${where[i]}" ip link set "${names[i]}" netns "$ID-$to" || wrong "move"
	in_ns "$to" ip address add "10.99.$i.1/24" dev "${names[i]}"
	in_ns "$to" ip link set "${names[i]}" up
	where[i]=$to
	answers "$to" || wrong "no ping after the move: $(last_words)"
}

remake_nic()
{
	in_ns b ip link delete eth0
	join a eth0 b eth0 || wrong "the NIC cannot be made"
}

somebody_comes() { in_ns a bpftool net attach xdpdrv pinned "$SOMEBODY" dev eth0 2>/dev/null; }
somebody_goes() { in_ns a bpftool net detach xdpdrv dev eth0 2>/dev/null; }

updown()
{
	in_ns "${where[i]}" ip link set "${names[i]}" down
	in_ns "${where[i]}" ip link set "${names[i]}" up
}

# Attach has a greater weight, because most steps need an interface.
steps=(attach attach attach detach murder stop cont move updown
	remake_nic somebody_comes somebody_goes)

makes_sense() # STEP
{
	case $1-${state[i]} in
	murder-live | murder-stopped | stop-live | cont-stopped) return 0 ;;
	move-live | updown-live) return 0 ;;
	murder-* | stop-* | cont-* | move-* | updown-*) return 1 ;;
	esac
}

# Runs `wg set` again and again, on each interface that exists.
disturb()
{
	local key port=0
	key=$(pub a0)
	while :; do
		for i in 0 1; do
			[ -S "$SOCKETS/${names[i]}.sock" ] || continue
			timeout 1 wg set "${names[i]}" listen-port $((51830 + i + port * 10)) \
				fwmark $port peer "$key" allowed-ips "10.97.$i.0/24"
			timeout 1 wg set "${names[i]}" peer "$key" remove
		done
		port=$((!port))
		sleep 0.05
	done 2>/dev/null
}

# --- the sequences --------------------------------------------------------------------------------

scan()
{
	local ns pid
	find "$RUN" "$SOCKETS" "$PINS" -maxdepth 2 -name "${ID}a*" 2>/dev/null
	for ns in a c; do
		in_ns $ns ip -o link show | grep -F "${ID}a"
		in_ns $ns ip route show table all | grep -F "$ID"
		in_ns $ns ss -Hlun
		in_ns $ns ip -d neighbour show | grep managed
		for pid in $(ip netns pids "$ID-$ns"); do
			echo "process $pid $(tr '\0' ' ' <"/proc/$pid/cmdline")"
		done
	done
	in_ns a ip -d link show dev eth0 | grep -o 'prog/xdp.*'
	in_ns a bpftool net show dev eth0 | grep wgxdp
	in_ns a tc qdisc show dev eth0 clsact 2>/dev/null
}
clean_scan() { [ -z "$(scan)" ]; }

sequence() # SEED
{
	local step
	RANDOM=$1
	errors=() story=()
	for ((step = 0; step < STEPS; step++)); do
		roll 2 && i=$roll
		roll ${#steps[@]}
		until makes_sense "${steps[roll]}"; do roll ${#steps[@]}; done
		story+=("${steps[roll]}$i")
		${steps[roll]}
		in_ns a ping -q -c 1 -W 2 192.0.2.2 >/dev/null ||
			wrong "the NIC does not pass other traffic"
	done
	somebody_goes
	for i in 0 1; do
		[ "${state[i]}" = none ] || detach
	done
	wait_for 3 clean_scan || wrong "left: $(scan)"
	if [ ${#errors[@]} -eq 0 ]; then
		pass "sequence $1: ${story[*]}"
		return
	fi
	fail "sequence $1: ${story[*]}" "$(printf '%s\n' "${errors[@]}")"
	for i in 0 1; do # so that the next sequence begins clean
		[ "${state[i]}" = none ] || kill -KILL "${pids[i]}"
		in_ns a "$WGXDP" detach "${names[i]}"
	done 2>/dev/null
	state=(none none)
}

for clsact in '' 1; do
	[ -z "$clsact" ] || export WGXDP_FORCE_CLSACT=1
	disturb &
	disturber=$!
	for ((n = 0; n < (SEQUENCES + 1) / 2; n++)); do
		sequence $((SEED++))
	done
	kill $disturber
	wait $disturber 2>/dev/null
done
unset WGXDP_FORCE_CLSACT

# --- cycles: nothing grows ------------------------------------------------------------------------

i=0
bad=0
for ((n = 0; n < CYCLES; n++)); do
	in_ns a "$WGXDP" attach eth0 "$TMP/${names[0]}.conf" && in_ns a "$WGXDP" detach \
		"${names[0]}" || bad=$((bad + 1))
done
is "attach and detach succeed $CYCLES times" $bad 0
is "nothing is left" "$(scan)" ""

attach
pid=${pids[0]}
fds() { find "/proc/$pid/fd" -mindepth 1 | wc -l; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
pins() { find "$PINS/${names[0]}" | wc -l; }
cycle()
{
	updown
	timeout 5 wg set "${names[0]}" listen-port $((51830 + RANDOM % 2)) \
		peer "$(pub a1)" allowed-ips 10.97.0.0/16
	timeout 5 wg set "${names[0]}" peer "$(pub a1)" remove
	show a "${names[0]}" .interface
} >/dev/null
for ((n = 0; n < 10; n++)); do cycle; done
before="$(fds) fds, $(pins) pins"
rss_before=$(rss)
for ((n = 0; n < CYCLES; n++)); do cycle; done
wait_for 5 eval "[ \"\$(fds) fds, \$(pins) pins\" = '$before' ]" # sockets close a moment later
is "$CYCLES cycles of down, up, set and show leave as many files and pins" \
	"$(fds) fds, $(pins) pins" "$before"
limit=1024
grep -q libasan "/proc/$pid/maps" && limit=65536 # ASan keeps freed memory for a while
holds "memory grows by few KiB" $(($(rss) - rss_before)) -le $limit
ok "the interface still works" in_ns a ping -q -c 1 -i 0.2 -w 8 10.99.0.2
detach
is "nothing is left" "$(scan)" ""

done_testing
