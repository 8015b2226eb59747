#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A udev rule or tuned(8) may set RPS on every new interface, including the tunnel's. RPS delays
# packets between a worker's write and the TC program, which compares a packet's source with the
# peer that the worker has stored in the BPF map "tun_writer". The map may then already hold the
# peer of a later packet. No packet of an honest peer is lost, and `show` says that RPS is on.
#
#   a: wgxdp 10.99.0.1  eth0 ═══ eth0 :b  two peers, 10.99.0.2 and .3, that send by turns

. "$(dirname "$0")/lib.sh"
need_root
need_cmd jq
need_cryptography
[ "$(nproc)" -ge 2 ] || skip_all "needs a second CPU"

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b c

cat >"$TMP/peers.py" <<'EOP'
"""peers.py LIB KEYS PUBLIC_KEY: two peers whose echo requests alternate. Prints how many of them
were answered."""
import base64
import socket
import sys
import time

sys.path.insert(0, sys.argv[1])
from wgpeer import Node, echo_request

keys, public = sys.argv[2], base64.b64decode(sys.argv[3])
to, sent, answered = ("192.0.2.1", 51821), 0, 0
peers = []
for i, name in enumerate("bc"):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    sock.bind(("192.0.2.2", 51830 + i))
    with open(f"{keys}/{name}.key", encoding="ascii") as file:
        node = Node(base64.b64decode(file.read()), public)
    node.stamp_ns = time.time_ns()
    peers.append((sock, node.connect(sock, to)))
for burst in range(20):
    messages = []
    for n in range(40):
        sock, session = peers[n % 2]
        messages.append((sock, session.seal(echo_request(f"10.99.0.{2 + n % 2}", "10.99.0.1", n))))
    for sock, message in messages:
        sock.sendto(message, to)
        sent += 1
    for sock, session in peers:
        sock.settimeout(2)
        got = 0
        try:
            while got < 20:
                got += bool(session.open(sock.recv(9000)))  # a keepalive is empty
        except TimeoutError:
            pass
        answered += got
print(f"{answered} of {sent}")
EOP
by_turns() { in_ns b /usr/bin/python3 "$TMP/peers.py" "$LIB" "$TMP" "$(pub a)"; }

# Sets the CPUs for RPS. /sys shows the network namespace in which sysfs was mounted, so mount sysfs
# again.
set_rps() # CPUS
{
	# shellcheck disable=SC2016
	in_ns a unshare --mount sh -c 'mount -t sysfs sysfs /sys
		for f in /sys/class/net/'"$A"'/queues/rx-*/rps_cpus; do
			echo '"$1"' >"$f" || exit 1
		done'
}

for path in udp xdp; do
	ok "$path: attach succeeds" ours a "$A" --cpus 0 --rx $path --tx $path < <(
		interface a ListenPort=51821 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32
		peer c AllowedIPs=10.99.0.3/32)
	is "$path: without RPS no packet is lost" "$(by_turns)" "800 of 800"
	is "$path: show says that RPS is off" "$(show a "$A" .path.rps)" false
	ok "$path: RPS is set to another CPU" set_rps 2
	is "$path: with RPS no packet is lost" "$(by_turns)" "800 of 800"
	is "$path: no packet is dropped as a mismatch" "$(show a "$A" .drops.inject_mismatch)" null
	ok "$path: show says that RPS is on" wait_for 5 eval "show a $A .path.rps | grep -q true"
	ok "$path: the text of show says that RPS is on" eval \
		"in_ns a '$WGXDP' show '$A' | grep -q 'rps: on'"
	ok "$path: RPS is unset" set_rps 0
	is "$path: without RPS again no packet is lost" "$(by_turns)" "800 of 800"
	# The daemon reports that RPS is off only after enough packets have arrived without RPS.
	ok "$path: show says that RPS is off" \
		wait_for 10 eval "by_turns >/dev/null; show a $A .path.rps | grep -q false"
	ok "$path: detach succeeds" down a "$A"
done
clean "nothing is left" a "$A"

done_testing
