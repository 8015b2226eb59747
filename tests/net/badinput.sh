#!/bin/bash
# SPDX-License-Identifier: MIT
#
# After each common mistake, the command fails with the documented exit status and a message that
# names the value, and for an error in a file also the file and line. Nothing is left behind.
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

# --- faults in the file, line by line -------------------------------------------------------------

fault() # WHAT LINE SED-EDIT REGEX
{
	local what=$1 regex="$A\.conf:$2:.*$4"
	good | sed "$3" | conf "$A" >/dev/null
	refuses "$what: check refuses it" 78 "$regex" "$WGXDP" check "$TMP/$A.conf"
	refuses "$what: attach refuses it" 78 "$regex" attach eth0 "$TMP/$A.conf"
	clean "$what: nothing is left" a "$A"
}

fault "an unknown key" 3 '3s/.*/Colour = blue/' Colour
fault "an unknown section" 6 '6s/.*/[Pear]/' Pear
fault "a secret in brackets" 6 '6s/.*/[sosecretsosecretsosecretsosecretsosecret123=]/' '\[\.\.\.\]'
omits "the wrong secret is not printed" sosecret
fault "a line without =" 4 '4s/.*/Address/' Address
fault "a key before any section" 1 '1s/.*/MTU = 1420/' MTU
fault "a public key that is not base64" 7 '7s/= .*/= sosecret!!/' 'PublicKey: it has 10 characters'
omits "the wrong secret is not printed" sosecret
fault "a public key with a character missing" 7 '7s/.=$/=/' 'PublicKey|key'
fault "a private key that is not base64" 2 '2s/= .*/= sosecret!/' 'PrivateKey'
omits "the wrong secret is not printed" sosecret
fault "an allowed IP with a bad prefix length" 8 '8s/32$/33/' '10.99.0.2/33'
fault "an allowed IP that is no address" 8 '8s/= .*/= tunnel/' tunnel
fault "an address with a bad prefix length" 4 '4s/24$/240/' '10.99.0.1/240'
fault "an address that is given twice" 4 '3s/.*/Address = 10.99.0.1\/24/' \
	'10.99.0.1/24: the Address is given twice'
fault "port 99999" 3 '3s/51821/99999/' 99999
fault "a port that is no number" 3 '3s/51821/http/' http
fault "an endpoint without port" 9 '9s/:51822//' 192.0.2.2
fault "an endpoint whose port is no number" 9 '9s/51822/x/' '192.0.2.2:x'
fault "a keepalive that is too large" 9 '9s/.*/PersistentKeepalive = 65536/' 65536
fault "an MTU that is too small" 3 '3s/.*/MTU = 12/' 12
fault "a FwMark that is no number" 3 '3s/.*/FwMark = red/' red

good | sed '3s/.*/Table = off/; 8s/= .*/= 0.0.0.0\/0, ::\/0/' | conf "$A" >/dev/null
ok "default routes are accepted with Table = off" "$WGXDP" check "$TMP/$A.conf"
good | conf "$A" >/dev/null
ok "check accepts a good file" "$WGXDP" check "$TMP/$A.conf"

# --- faults on the command line -------------------------------------------------------------------

GOOD=$TMP/$A.conf
wrong() # WHAT STATUS REGEX COMMAND...
{
	refuses "$1: the command fails" "${@:2}"
	clean "$1: nothing is left" a "$A"
}

wrong "no arguments" 2 'wgxdp attach' in_ns a "$WGXDP"
wrong "an unknown option" 2 '--colour' attach eth0 "$GOOD" --colour
wrong "an unknown value of --rx" 2 'pigeon' attach eth0 "$GOOD" --rx pigeon
wrong "a time of --busy-poll that is too long" 2 '10000' attach eth0 "$GOOD" --busy-poll 10001
wrong "--rx without a value" 2 '--rx' attach eth0 "$GOOD" --rx
wrong "three arguments" 2 '[Uu]sage|too many|eth1' attach eth0 eth1 "$GOOD"
for options in "--colour" "--rx pigeon" "--workers" "eth0" "--confirm 5" "--chain --rx=udp"; do
	wrong "WGXDP_OPTIONS=$options" 2 "WGXDP_OPTIONS: ${options%%[ =]*}" \
		in_ns a env WGXDP_OPTIONS=" $options" "$WGXDP" "$A"
done
wrong "WGXDP_OPTIONS=-c, which is no name of an interface" 2 "-c: .*see wgxdp --help\$" \
	in_ns a env WGXDP_OPTIONS=-c "$WGXDP" "$A"
wrong "WGXDP_OPTIONS that is too long" 2 "WGXDP_OPTIONS: .*fewer than 1024" \
	in_ns a env WGXDP_OPTIONS="$(printf '%1024s' x)" "$WGXDP" "$A"
wrong "a NIC that does not exist" 1 'nosuch0' attach nosuch0 "$GOOD"
wrong "--zero-copy on, on a veth" 1 'zero-copy' attach eth0 "$GOOD" --zero-copy on
wrong "a file that does not exist" 78 'nofile.conf' attach eth0 "$TMP/nofile.conf"
wrong "a name without a configuration" 78 "$ID-none" attach eth0 "$ID-none"
mkfifo -m 600 "$TMP/$ID-pipe.conf"
wrong "a pipe" 78 'not a regular file' attach eth0 "$TMP/$ID-pipe.conf"
truncate -s 65M "$TMP/$ID-big.conf"
wrong "a file that is too large" 78 'at most 64 MiB' attach eth0 "$TMP/$ID-big.conf"
rm "$TMP/$ID-pipe.conf" "$TMP/$ID-big.conf"
cp "$GOOD" "$TMP/abcdefghijklmnop.conf"
wrong "a name of 16 characters" 78 'abcdefghijklmnop' attach eth0 "$TMP/abcdefghijklmnop.conf"
wrong "a name of 16 characters for wgxdp NAME" '[12]' 'abcdefghijklmnop' in_ns a "$WGXDP" \
	abcdefghijklmnop
wrong "a name with a slash" '[12]' 'a/b' in_ns a "$WGXDP" a/b
wrong "a name with a blank" '[12]' 'a b' in_ns a "$WGXDP" 'a b'
wrong "the name of a NIC" 1 'eth0' in_ns a "$WGXDP" eth0
wrong "detach of an interface that does not exist" 1 "$A" in_ns a "$WGXDP" detach "$A"
wrong "show of an interface that does not exist" 1 "$A" in_ns a "$WGXDP" show "$A"
full() { "$@" >/dev/full; }
for args in --version --help "check $GOOD"; do
	# shellcheck disable=SC2086 # $args is split into words
	wrong "an output that is full, ${args%% *}" 1 'could not be written' full "$WGXDP" $args
done
wrong "pubkey of nonsense" 1 'key' eval "echo nonsense | '$WGXDP' pubkey"
is "pubkey of nonsense prints no key" "$(echo nonsense | "$WGXDP" pubkey 2>/dev/null)" ""

# --- rights ---------------------------------------------------------------------------------------

chmod 755 "$TMP"
cp "$GOOD" "$TMP/open.conf"
mkdir "$TMP/open"
cp "$GOOD" "$TMP/open/$A.conf"
chmod -R a+rX "$TMP/open"
nobody() { in_ns a setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
cp "$WGXDP" "$TMP/open/wgxdp"
chmod a+rx "$TMP/open/wgxdp"
wrong "attach without root" 1 'root|CAP_' nobody "$TMP/open/wgxdp" attach eth0 "$TMP/open/$A.conf"
chmod 700 "$TMP/open"
mv "$TMP/open/wgxdp" "$TMP"
wrong "a folder that only root may read" 78 'root' nobody "$TMP/wgxdp" check "$TMP/open/$A.conf"
chmod 755 "$TMP/open"
mv "$TMP/wgxdp" "$TMP/open"
chmod 600 "$TMP/open/$A.conf"
wrong "a file that only root may read" 78 'root' nobody "$TMP/open/wgxdp" check \
	"$TMP/open/$A.conf"
wrong "wgxdp NAME without root" 1 'root|CAP_' nobody "$TMP/open/wgxdp" "$A"

no_bpf() { in_ns a setpriv --bounding-set -bpf,-sys_admin,-perfmon "$@"; }
wrong "--rx xdp without the right to BPF" 1 'BPF|XDP' no_bpf "$WGXDP" attach eth0 "$GOOD" --rx xdp
ok "without the right to BPF, auto attaches" no_bpf "$WGXDP" attach eth0 "$GOOD"
is "without the right to BPF, data uses the UDP sockets" \
	"$(show a "$A" '.path | "\(.rx) \(.tx)"')" "udp udp"
ok "without the right to BPF, show says why data uses the UDP sockets" \
	eval "show a '$A' .path.why | grep -qE 'BPF|permi|CAP_'"
for args in "$A" "$A --json" --json; do
	# shellcheck disable=SC2086 # $args is split into words
	refuses "show reports that its output is full: $args" 1 'could not be written' full \
		in_ns a "$WGXDP" show $args
done
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

# --- FIFOs, links and directories in place of files below /run ------------------------------------

put() # KIND SUFFIX: creates a FIFO, a link or a directory with the name of one of wgxdp's files
{
	case $1 in
	fifo) mkfifo -m 600 "$RUN/$A.$2" ;;
	link) ln -s nowhere "$RUN/$A.$2" ;;
	directory) mkdir "$RUN/$A.$2" ;;
	esac
}

soon() { in_ns a timeout -k 5 20 "$WGXDP" "$@"; }
for kind in fifo link directory; do
	put $kind lock
	refuses "a $kind as lock: attach refuses it" 1 "$A.lock: this is not a regular file" \
		soon attach eth0 "$GOOD"
	refuses "a $kind as lock: detach refuses it" 1 \
		"$A.lock: this is not a regular file" soon detach "$A"
	rm -df "$RUN/$A.lock"
	clean "a $kind as lock: nothing is left" a "$A"
done
for suffix in hooks host nics; do
	put fifo $suffix
	ok "a FIFO as record .$suffix: attach replaces it" soon attach eth0 "$GOOD"
	rm -f "$RUN/$A.$suffix"
	put fifo $suffix
	ok "a FIFO as record .$suffix: detach succeeds" eval \
		"soon detach '$A' 2>'$TMP/said'"
	[ $suffix != hooks ] || ok "detach says why the hooks do not run" grep -q \
		"do not run.*$A.hooks: this is not a regular file" "$TMP/said"
	rm -f "$RUN/$A.$suffix"
	clean "a FIFO as record .$suffix: nothing else is left" a "$A"
done

# --- two attaches at once -------------------------------------------------------------------------

for i in 1 2; do
	(attach eth0 "$GOOD" >"$TMP/race.$i" 2>&1; echo $? >"$TMP/status.$i") &
done
wait
is "of two attaches at the same time one succeeds and one fails" \
	"$(sort "$TMP"/status.[12] | xargs)" "0 1"
ok "the attach that failed names the interface" grep -qE "$A" "$TMP/race.1" "$TMP/race.2"
is "one daemon runs" "$(daemon_pid a "$A" | wc -l)" 1
ok "detach succeeds" down a "$A"
clean "nothing is left" a "$A"

done_testing
