#!/bin/bash
# SPDX-License-Identifier: MIT
#
# While traffic flows, keys are changed and cleared, invalid keys are set, and persistent keepalives
# change. The test reads each message that wgxdp sends after a change, and checks that the change
# takes effect at once. Two tunnels are tested at the same time: ax and bx with XDP, au and bu with
# the UDP sockets.
#
#   ┌────── ax, au ──────┐             ┌──────── bx, bu ───────┐
#   │ wgxdp   10.99.0.1  │             │ keys.py, a node of    │
#   │ :51820  192.0.2.1 eth0 ═════ eth0 wgpeer.py  192.0.2.2   │
#   └────────────────────┘             └───────────────────────┘

. "$(dirname "$0")/lib.sh"
need_root
need_cmd ip wg jq
need_cryptography

keys a a2 b

up() # x|u PATH
{
	ours "a$1" "${ID}a$1" --rx "$2" --tx "$2" < <(
		interface a ListenPort=51820 Address=10.99.0.1/24
		peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822)
}

begin() # x|u PATH WHAT
{
	ok "$2: attach succeeds" up "$1" "$2"
	python_begin "$2: " keys.py "${ID}a$1" "$ID-a$1" "$ID-b$1" "$TMP" "$3"
}

end() # x|u PATH
{
	python_end "$2: "
	is "$2: the tunnel uses that path" "$(show "a$1" "${ID}a$1" '.path | "\(.rx) \(.tx)"')" \
		"$2 $2"
	down "a$1" "${ID}a$1"
	clean "$2: nothing is left" "a$1" "${ID}a$1"
}

for i in x u; do
	ns_add a$i b$i
	join a$i eth0 b$i eth0
done
for what in all again; do # "again": the daemon was restarted with the same keys
	begin x xdp $what
	begin u udp $what
	end x xdp
	end u udp
done

done_testing
