#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Full tunnels, which have the default route, are started again after `kill -9`, and several are
# started at the same moment. No packet leaves unencrypted between the kill and the end of the next
# attach, and each tunnel has a mark of its own.
#
#   a: eth0 192.0.2.1 ═══ 192.0.2.2 eth0 :b, the tunnel's server
#      default route via b               lo: 203.0.113.9 and 2001:db8:9::9, "the internet"
#
# A program in a keeps sending packets to the internet. nftables in b counts those that arrive on
# eth0, which were sent unencrypted.

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg nft ping jq

ns_add a b
join a eth0 b eth0
A=${ID}a B=${ID}b
keys a b
internet

mkdir "$TMP/bin"
# Replaces the real resolvconf, which would change the host.
working_resolvconf() { printf '#!/bin/sh\necho "resolvconf $*" >>%s/dns\n' "$TMP"; }
working_resolvconf >"$TMP/bin/resolvconf"
chmod +x "$TMP/bin/resolvconf"
PATH=$TMP/bin:$PATH

# Writes the config of the full tunnel NAME with the given fields of its interface.
full() # NAME FIELD=VALUE...
{
	{
		interface a Address=10.99.0.1/24,fd99::1/64 "${@:2}"
		peer b AllowedIPs=0.0.0.0/0,::/0 Endpoint=192.0.2.2:51822 PersistentKeepalive=1
	} | conf "$1" >/dev/null
}
up() { in_ns a "$WGXDP" attach --rx udp --tx udp "$TMP/$1.conf" </dev/null; }

# Prints the rules, nftables, src_valid_mark and routes of namespace a, and wgxdp's runtime files.
state()
{
	in_ns a ip -j rule
	in_ns a ip -6 -j rule
	in_ns a nft list ruleset | sed 's/counter packets.*//'
	in_ns a cat /proc/sys/net/ipv4/conf/all/src_valid_mark
	in_ns a ip route show table all
	find "$RUN" -name "$ID*" ! -name "$B*"
}
killed() # NAME: kills the daemon of this tunnel
{
	kill -9 "$(daemon_pid a "$1")"
	wait_for 5 eval "! ip -n $ID-a link show dev $1"
}

before=$(state)
full "$A" DNS=10.99.0.2
ok "attach succeeds in b" ours b "$B" < <(
	interface b ListenPort=51822 Address=10.99.0.2/24,fd99::2/64
	peer a AllowedIPs=10.99.0.1/32,fd99::1/128)

# --- after kill -9 --------------------------------------------------------------------------------

cat >"$TMP/send.py" <<-END
	import socket
	v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
	while True:
	    for s, to in (v4, "203.0.113.9"), (v6, "2001:db8:9::9"):
	        try:
	            s.sendto(b"secret", (to, 9))
	        except OSError:
	            pass
END
ok "attach succeeds" up "$A"
whole=$(state)
refuses "attach is refused while the daemon runs" 1 "in use by wgxdp" up "$A"
omits "attach does not say that the daemon was killed" killed
spawn a nice -n 19 /usr/bin/python3 "$TMP/send.py"
sender=$!
for round in 1 2; do
	killed "$A"
	ok "ExecStop of the unit keeps the rules that block unencrypted packets ($round)" \
		in_ns a env SERVICE_RESULT=signal "$WGXDP" detach "$A"
	ok "attach succeeds after kill -9 ($round)" up "$A"
	is "no packet has left unencrypted ($round)" "$(clear_packets)" 0
	is "the settings are as before ($round)" "$(state)" "$whole"
done
ok "the internet is reached" pinged a 203.0.113.9 2

# An attach that fails does not change the firewall rules that block unencrypted packets.
killed "$A"
closed=$(in_ns a nft list ruleset)
full "$A" DNS=10.99.0.2 PreUp=false
refuses "attach after kill -9 fails: the error says what is still blocked" 1 \
	"still block the default route of this host.*wgxdp detach $A" up "$A"
is "attach after kill -9 fails: the packet filter rules are the same" \
	"$(in_ns a nft list ruleset)" "$closed"
full "$A" MTU=1280 DNS=10.99.0.2
printf '#!/bin/sh\nexit 3\n' >"$TMP/bin/resolvconf"
refuses "attach after kill -9 fails half-way: the error says what to do" 1 "wgxdp detach $A" up "$A"
is "attach after kill -9 fails half-way: the rules still block" \
	"$(in_ns a nft list ruleset | grep -c 'chain leak')" 2
is "the failed attaches let no packet out unencrypted" "$(clear_packets)" 0

# This resolvconf succeeds, but deletes an address, so that a later step of attach fails.
{
	working_resolvconf
	echo "[ \"\$1\" != -a ] || ip address del 10.99.0.1/24 dev $A"
} >"$TMP/bin/resolvconf"
refuses "attach after kill -9 fails after DNS was set" 1 "wgxdp detach $A" up "$A"
is "DNS is unset" "$(tail -n 1 "$TMP/dns" | cut -d ' ' -f 1-2)" "resolvconf -d"
working_resolvconf >"$TMP/bin/resolvconf"

# The DNS server is behind the default route, and only packets with the mark of the dead tunnel may
# leave by that route. So the lookup needs this mark.
mkdir "$TMP/records"
echo 60 all 192.0.2.2 >"$TMP/records/server.test"
echo nameserver 198.51.100.1 >"$TMP/resolv.conf"
in_ns b ip address add 198.51.100.1/32 dev lo
spawn b /usr/bin/python3 "$LIB/dns.py" 198.51.100.1 "$TMP/records" "$TMP/questions"
server=$!
wait_for 5 eval "in_ns b ss -Hlun | grep -q 198.51.100.1:53"
full "$A" DNS=10.99.0.2
sed -i 's/^Endpoint.*/Endpoint = server.test:51822/' "$TMP/$A.conf"
# shellcheck disable=SC2016
ok "attach finds a server by its name" in_ns a unshare --mount --propagation slave bash -c \
	'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$TMP/resolv.conf" \
	"$WGXDP" attach --rx udp --tx udp "$TMP/$A.conf"
is "the endpoint is the server's address" \
	"$(in_ns a wg show "$A" endpoints | cut -f 2)" 192.0.2.2:51822
is "that attach lets no packet out unencrypted" "$(clear_packets)" 0
killed "$A"

# A detach that cannot undo the settings says so and keeps the record.
closed=$(in_ns a nft list ruleset | sed 's/counter packets.*//')
refuses "detach fails if the record cannot be read" 1 \
	"run .wgxdp detach $A. again: .*$A.host: Input/output error; if this does not go away, \
remove the file and undo its settings by hand" unreadable a "$RUN/$A.host" "$WGXDP" detach "$A"
omits "that detach does not claim success" "are removed"
refuses "detach fails if the settings cannot be undone" 1 \
	"run .wgxdp detach $A. again: $RUN/$A.host: .*rules: Operation not permitted" \
	in_ns a setpriv --bounding-set -net_admin "$WGXDP" detach "$A"
is "the packet filter rules and the record are kept" \
	"$(in_ns a nft list ruleset | sed 's/counter packets.*//'; ls "$RUN/$A.host")" \
	"$closed"$'\n'"$RUN/$A.host"
refuses "detach then succeeds" 0 "the daemon had been killed" down a "$A"
is "detach undoes everything" "$(state)" "$before"
kill "$sender" "$server"
is "DNS is unset" "$(tail -n 1 "$TMP/dns" | cut -d ' ' -f 1-2)" "resolvconf -d"

# After kill -9 of a full tunnel, an attach with a file without a default route removes the rules
# that block unencrypted packets.
full "$A"
ok "attach succeeds" up "$A"
killed "$A"
sed -i 's/^AllowedIPs.*/AllowedIPs = 10.99.0.2/' "$TMP/$A.conf"
ok "attach succeeds without a default route" up "$A"
is "no rule is left" "$(in_ns a ip rule | wc -l)/$(in_ns a ip -6 rule | wc -l)" 3/2
is "no packet filter rule is left" "$(in_ns a nft list ruleset)" ""
ok "detach succeeds" down a "$A"
is "detach undoes everything" "$(state)" "$before"

# --- three tunnels attach at the same moment ------------------------------------------------------

twins=("${ID}c" "${ID}d" "${ID}e")
for name in "${twins[@]}"; do
	full "$name"
done
for round in 1 2 3; do
	pids=()
	for name in "${twins[@]}"; do
		up "$name" >"$TMP/$name.out" 2>&1 &
		pids+=($!)
	done
	status=0
	for pid in "${pids[@]}"; do
		wait "$pid" || status=$?
	done
	is "three full tunnels start at once ($round)" "$status" 0
	marks=$(for name in "${twins[@]}"; do in_ns a wg show "$name" fwmark; done | sort)
	is "each tunnel has a mark of its own ($round)" "$(uniq <<<"$marks" | wc -l)" 3
	is "each tunnel has its rules ($round)" "$(in_ns a ip rule | grep -c 'not from all')" 3
	pids=()
	for name in "${twins[@]}"; do
		down a "$name" &
		pids+=($!)
	done
	wait "${pids[@]}"
done
is "everything is undone" "$(state)" "$before"
ok "detach succeeds in b" down b "$B"

done_testing
