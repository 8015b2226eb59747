#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests the troubleshooting table of docs/operations.md. Each case causes the symptom of a row, runs
# the command of the row, and expects the row's reason in the output. The rows without a case here
# name other tests.
#
#   ┌───────────── a ─────────────┐            ┌────────────── b ──────────────┐
#   │ wgxdp   10.99.0.1           │            │ debug.py, then wgxdp           │
#   │ :51820  192.0.2.1       eth0 ════════ eth0 :51820  192.0.2.2  10.99.0.2   │
#   └─────────────────────────────┘    veth    └────────────────────────────────┘

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg jq ping nft
need_cryptography

A=${ID}a B=${ID}b
ns_add a b
join a eth0 b eth0
keys a b psk silent removed lost inside

shown() { in_ns a "$WGXDP" show "$A" | grep -qE -- "$1"; } # REGEX

shows() { ok "$1: \`wgxdp show\` says $3" wait_for 5 shown "$2"; } # SYMPTOM REGEX REASON

counts() # SYMPTOM REASON
{
	shows "$1" "^    $2: [1-9][0-9]* \(.+\)\$" "$2"
}

fails() { ! in_ns a ping -q -c 1 -W 0.1 "$@" >"$TMP/ping"; } # ADDRESS...

config()
{
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
	peer silent AllowedIPs=10.99.0.3/32 Endpoint=192.0.2.2:9
	peer removed AllowedIPs=10.99.0.6/32 Endpoint=192.0.2.2:9
	peer lost AllowedIPs=10.99.0.4/32
	peer inside AllowedIPs=10.99.0.5/32,192.0.2.77/32 Endpoint=192.0.2.77:51820
}

# --- an older daemon ------------------------------------------------------------------------------

# The daemon is a copy of wgxdp in which another version string of the same length replaces the
# version. Names of symbol versions, such as LIBBPF_0.2.0, stay unchanged.
version=$("$WGXDP" --version | cut -d ' ' -f 2)
old=$(sed 's/./1/g; s/^.\(.\)/0.\1/' <<<"$version" | cut -c "1-${#version}")
mkdir "$TMP/old"
LC_ALL=C sed "s/\([^_]\)${version//./\\.}/\1$old/g" "$WGXDP" >"$TMP/old/wgxdp"
chmod 755 "$TMP/old/wgxdp"
path=$(conf "$A" < <(config))
ok "attach by another version succeeds" in_ns a "$TMP/old/wgxdp" attach eth0 "$path" --rx xdp \
	--tx xdp </dev/null
said="the daemon is wgxdp $old, this command is $version; restart $A to use $version"
shows "the program was upgraded" "^  version: $said\$" "both versions"
down a "$A"

# --- handshakes -----------------------------------------------------------------------------------

ok "attach succeeds" ours a "$A" --rx xdp --tx xdp < <(config)
ok "debug is turned on" in_ns a "$WGXDP" set "$A" debug on
ok "a peer does not answer" fails 10.99.0.3 # the log reports this after 5 s

ok "a peer has a wrong public key of ours" provoke mac
counts "a peer has a wrong public key of ours" bad_mac1
ok "a node that is no peer sends an initiation" provoke stranger
counts "a node that is no peer sends an initiation" bad_handshake
ok "the clock of a peer was set back" provoke past
counts "the clock of a peer was set back" old_timestamp
ok "a peer sends from an address that it must not have" provoke spoof
counts "a peer sends from an address that it must not have" unallowed_source

# --- packets of the host --------------------------------------------------------------------------

ok "a packet is for a peer without endpoint" fails 10.99.0.4
counts "a packet is for a peer without endpoint" no_endpoint
fails 10.99.0.66
ok "a packet is for an address without peer: ping says \"Destination Host Unreachable\"" \
	in_ns a bash -c 'ping -c 1 -W 2 10.99.0.66 | grep -q "Destination Host Unreachable"'
counts "a packet is for an address without peer" no_peer
ok "the route of an endpoint leads into the tunnel" fails 10.99.0.5
counts "the route of an endpoint leads into the tunnel" loop
ok "packets are for a peer without session" in_ns a bash -c 'printf "%130s" "" |
	while IFS= read -rN1; do echo >/dev/udp/10.99.0.6/9; done'
counts "packets are for a peer without session" staged_full
in_ns a wg set "$A" peer "$(pub removed)" remove
counts "packets are for a peer without session that is removed" no_session

# --- a tunnel that works --------------------------------------------------------------------------

ok "b attaches with a preshared key" ours b "$B" --rx udp --tx udp < <(
	interface b ListenPort=51820 Address=10.99.0.2/24
	peer a PresharedKey="$(key psk)" AllowedIPs=10.99.0.1/32)

anew() # begins a handshake with b at once
{
	in_ns a wg set "$A" peer "$(pub b)" remove
	in_ns a wg set "$A" peer "$(pub b)" allowed-ips 10.99.0.2/32 endpoint 192.0.2.2:51820
	in_ns a ping -q -c 1 -W "$1" 10.99.0.2
}

bad() { show a "$A" .drops.bad_handshake; }
before=$(bad)
anew 0.1 >"$TMP/ping"
more() { [ "$(bad)" -gt "$before" ]; }
ok "the preshared keys differ: \`wgxdp show\` says bad_handshake" wait_for 5 more
in_ns b wg set "$B" peer "$(pub a)" preshared-key /dev/null
ok "without preshared keys pings are answered" anew 5
shows "the firewall sees no tunnel" "^  path: rx xdp, " "rx xdp"
in_ns b nft -f - <<-END # drops large packets without an ICMP error
	table netdev $ID {
		chain in {
			type filter hook ingress device eth0 priority 0
			udp length > 1300 drop
		}
	}
END
ok "small packets pass" pinged a 10.99.0.2 1
ok "large packets do not pass" fails -W 0.3 -M "do" -s 1392 10.99.0.2
in_ns a ip link set "$A" mtu 1200
in_ns b ip link set "$B" mtu 1200
ok "with a lower MTU of the tunnel they pass in fragments" \
	in_ns a ping -q -c 1 -W 5 -s 1392 10.99.0.2
debugged() { in_ns a "$WGXDP" logs "$A" | grep -q "did not complete"; }
ok "the peer that did not answer: \`wgxdp logs\` says so" wait_for 8 debugged
down b "$B"
down a "$A"
clean "nothing is left" a "$A"
done_testing
