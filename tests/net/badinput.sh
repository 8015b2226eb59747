#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What people get wrong. Each time: a message that names the value and, where a file is at fault,
# file and line; the documented exit status; and nothing left behind.
#
#   a: eth0 ═══ eth0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq setpriv

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b

attach() { in_ns a "$WGXDP" attach "$@"; }

good()
{
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822
}

# --- faults in the file: line by line ---------------------------------------------------------------

fault() # WHAT LINE SED-EDIT REGEX
{
	local what=$1 regex="$A\.conf:$2:.*$4"
	good | sed "$3" | conf "$A" >/dev/null
	refuses "$what: check" 1 "$regex" "$WGXDP" check "$TMP/$A.conf"
	refuses "$what: attach" 1 "$regex" attach eth0 "$TMP/$A.conf"
	clean "$what: nothing left" a "$A"
}

fault "unknown key" 3 '3s/.*/Colour = blue/' Colour
fault "unknown section" 6 '6s/.*/[Pear]/' Pear
fault "key as section" 6 '6s/.*/[sosecretsosecretsosecretsosecretsosecret123=]/' '\[\.\.\.\]'
ok "... is not printed" eval "! grep -q sosecret '$TMP/out'"
fault "line without =" 4 '4s/.*/Address/' Address
fault "key before any section" 1 '1s/.*/MTU = 1420/' MTU
fault "public key, bad base64" 7 '7s/= .*/= sosecret!!/' 'PublicKey: it has 10 characters'
ok "... is not printed" eval "! grep -q sosecret '$TMP/out'"
fault "public key, one character short" 7 '7s/.=$/=/' 'PublicKey|key'
fault "private key, bad base64" 2 '2s/= .*/= sosecret!/' 'PrivateKey'
ok "... is not printed" eval "! grep -q sosecret '$TMP/out'"
fault "allowed IPs, bad prefix length" 8 '8s/32$/33/' '10.99.0.2/33'
fault "allowed IPs, no address" 8 '8s/= .*/= tunnel/' tunnel
fault "address, bad prefix length" 4 '4s/24$/240/' '10.99.0.1/240'
fault "address given twice" 4 '3s/.*/Address = 10.99.0.1\/24/' '10.99.0.1/24: the Address is given twice'
fault "port 99999" 3 '3s/51821/99999/' 99999
fault "port that is no number" 3 '3s/51821/http/' http
fault "endpoint without port" 9 '9s/:51822//' 192.0.2.2
fault "endpoint, port 0x" 9 '9s/51822/x/' '192.0.2.2:x'
fault "keepalive too large" 9 '9s/.*/PersistentKeepalive = 65536/' 65536
fault "MTU too small" 3 '3s/.*/MTU = 12/' 12
fault "FwMark that is none" 3 '3s/.*/FwMark = red/' red

# Not there yet: refused by name, never ignored.
for key in 'DNS = 192.0.2.53' 'PreUp = true' 'PostUp = true' 'PreDown = true' 'PostDown = true' \
	'SaveConfig = true' 'Table = 1234'; do
	fault "not yet: $key" 3 "3s/.*/$key/" "${key%% *}"
done
fault "not yet: default route by Table = auto" 8 '8s/= .*/= 0.0.0.0\/0/' 0.0.0.0/0
good | sed '3s/.*/Table = off/; 8s/= .*/= 0.0.0.0\/0, ::\/0/' | conf "$A" >/dev/null
ok "default routes with Table = off are fine" "$WGXDP" check "$TMP/$A.conf"
good | conf "$A" >/dev/null
ok "check of a good file" "$WGXDP" check "$TMP/$A.conf"

# --- faults on the command line -----------------------------------------------------------------------

GOOD=$TMP/$A.conf
wrong() # WHAT STATUS REGEX COMMAND...
{
	refuses "$@"
	clean "$1: nothing left" a "$A"
}

wrong "no arguments" 2 'wgxdp attach' in_ns a "$WGXDP"
wrong "unknown option" 2 '--colour' attach eth0 "$GOOD" --colour
wrong "--rx of nothing known" 2 'pigeon' attach eth0 "$GOOD" --rx pigeon
wrong "--rx without value" 2 '--rx' attach eth0 "$GOOD" --rx
wrong "three arguments" 2 '[Uu]sage|too many|eth1' attach eth0 eth1 "$GOOD"
wrong "no such NIC" 1 'nosuch0' attach nosuch0 "$GOOD"
wrong "--zero-copy on, which a veth has not" 1 'zero-copy' attach eth0 "$GOOD" --zero-copy on
wrong "no such file" 1 'nofile.conf' attach eth0 "$TMP/nofile.conf"
wrong "no such name" 1 "$ID-none" attach eth0 "$ID-none"
cp "$GOOD" "$TMP/abcdefghijklmnop.conf"
wrong "a name of 16 characters" 1 'abcdefghijklmnop' attach eth0 "$TMP/abcdefghijklmnop.conf"
wrong "the same as userspace implementation" '[12]' 'abcdefghijklmnop' in_ns a "$WGXDP" abcdefghijklmnop
wrong "a name with a slash" '[12]' 'a/b' in_ns a "$WGXDP" a/b
wrong "a name with a blank" '[12]' 'a b' in_ns a "$WGXDP" 'a b'
wrong "the name of a NIC" 1 'eth0' in_ns a "$WGXDP" eth0
wrong "detach of nothing" 1 "$A" in_ns a "$WGXDP" detach "$A"
wrong "show of nothing" 1 "$A" in_ns a "$WGXDP" show "$A"
# None of these makes an interface of that name.
for typo in shwo genkye chekc atach dettach pubke sho; do
	wrong "a typo: $typo" 2 "did you mean wgxdp .*wgxdp -f $typo" in_ns a "$WGXDP" "$typo"
done
wrong "a typo before a name" 2 "did you mean wgxdp show" in_ns a "$WGXDP" shwo "$A"
for word in version list status up down stop start reload; do
	wrong "a word that is no command: $word" 2 "no such command.*wgxdp -f $word" \
		in_ns a "$WGXDP" "$word"
done
spawn a "$WGXDP" -f shwo 2>"$TMP/shwo"
ok "... but an interface, if it is meant" wait_for 5 in_ns a wg show shwo
in_ns a ip link delete shwo
wait $!
clean "... which leaves nothing" a shwo
full() { "$@" >/dev/full; }
for args in --version --help "check $GOOD"; do
	# shellcheck disable=SC2086 # words
	wrong "no room for the output: ${args%% *}" 1 'could not be written' full "$WGXDP" $args
done
wrong "pubkey of nonsense" 1 'key' eval "echo nonsense | '$WGXDP' pubkey"
is "... no key comes out" "$(echo nonsense | "$WGXDP" pubkey 2>/dev/null)" ""

# --- rights -------------------------------------------------------------------------------------------

chmod 755 "$TMP"
cp "$GOOD" "$TMP/open.conf"
mkdir "$TMP/open"
cp "$GOOD" "$TMP/open/$A.conf"
chmod -R a+rX "$TMP/open"
nobody() { in_ns a setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
cp "$WGXDP" "$TMP/open/wgxdp"
chmod a+rx "$TMP/open/wgxdp"
wrong "attach, not root" 1 'root|CAP_' nobody "$TMP/open/wgxdp" attach eth0 "$TMP/open/$A.conf"
wrong "userspace implementation, not root" 1 'root|CAP_' nobody "$TMP/open/wgxdp" "$A"

no_bpf() { in_ns a setpriv --bounding-set -bpf,-sys_admin,-perfmon "$@"; }
wrong "no BPF rights, --rx xdp" 1 'BPF|XDP' no_bpf "$WGXDP" attach eth0 "$GOOD" --rx xdp
ok "no BPF rights, auto" no_bpf "$WGXDP" attach eth0 "$GOOD"
is "... goes on by udp" "$(show a "$A" '.path | "\(.rx) \(.tx)"')" "udp udp"
ok "... and says why" eval "show a '$A' .path.why | grep -qE 'BPF|permi|CAP_'"
for args in "$A" "$A --json" --json; do
	# shellcheck disable=SC2086 # words
	refuses "... no room for what show says: $args" 1 'could not be written' full in_ns a "$WGXDP" show $args
done
ok "... detach" down a "$A"
clean "... nothing left" a "$A"

# --- two at once --------------------------------------------------------------------------------------

for i in 1 2; do
	(attach eth0 "$GOOD" >"$TMP/race.$i" 2>&1; echo $? >"$TMP/status.$i") &
done
wait
is "two attaches at once: one succeeds, one fails" "$(sort "$TMP"/status.[12] | xargs)" "0 1"
ok "... and says why" grep -qE "$A" "$TMP/race.1" "$TMP/race.2"
is "... one daemon" "$(daemon_pid a "$A" | wc -l)" 1
ok "... detach" down a "$A"
clean "... nothing left" a "$A"

done_testing
