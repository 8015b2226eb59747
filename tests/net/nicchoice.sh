#!/bin/bash
# SPDX-License-Identifier: MIT
#
# If the user names no NIC, the daemon uses the NICs of the routes to the endpoints. If there is
# no such NIC, the daemon uses the NIC of the default route. It chooses again when such a route
# appears or moves. A NIC that is already in use is kept as long as it has a default route.
#
#   a: eth0 192.0.2.1 ═══ 192.0.2.2 eth0 :b
#      eth1 198.51.100.1 ═══ 198.51.100.2 eth0 :c

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg ping jq

ns_add a b c
join a eth0 b eth0
ip link add eth1 netns "$ID-a" type veth peer name eth0 netns "$ID-c"
in_ns a ip link set eth1 up
in_ns c ip link set eth0 up
in_ns a ip address flush dev eth0
A=${ID}a
keys a b

path_is() { [ "$(show a "$A" "$1")" = "$2" ]; }
conf_a | sed /^Endpoint/d | conf "$A" >/dev/null
ok "attach succeeds before there is a route" in_ns a "$WGXDP" attach "$TMP/$A.conf" </dev/null
is "without a route data takes the UDP sockets" "$(show a "$A" .path.rx)" udp
in_ns a ip address add 192.0.2.1/24 dev eth0
in_ns a ip route add default via 192.0.2.2
ok "a default route appears: data is received by XDP" wait_for 10 path_is .path.rx xdp
is "XDP uses the NIC of the default route" "$(show a "$A" .path.nic)" eth0
in_ns a ip address add 198.51.100.1/24 dev eth1
in_ns a ip route replace default via 198.51.100.2
ok "the default route moves: XDP moves with it" wait_for 10 path_is .path.nic eth1
is "the old NIC is free" "$(in_ns a ip -d link show dev eth0 | grep -c prog/xdp)" 0
in_ns a wg set "$A" peer "$(pub b)" endpoint 192.0.2.2:51822
ok "an endpoint behind the old NIC: both NICs are used" wait_for 10 path_is .path.nic eth1,eth0
in_ns a ip link set eth1 down
in_ns a ip route add default via 192.0.2.2
ok "the default route is at the old NIC again" wait_for 10 path_is .path.nic eth0
ok "attach succeeds in b" ours b "${ID}b" < <(conf_b)
ok "pings are answered" pinged a 10.99.0.2 3
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"
ok "detach succeeds in b" down b "${ID}b"

done_testing
