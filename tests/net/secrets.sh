#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A replaced key does not remain anywhere in the daemon's memory. A command never dumps core while
# it holds a key. No log level prints a key. LOG_LEVEL works as the manual says.
#
#   a: wgxdp 10.99.0.1 ── eth0 192.0.2.1 ═══ 192.0.2.2 eth0 ── b: no WireGuard

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip wg ping

not() { ! "$@"; }

memory_holds() # PID BASE64: true if the 32 bytes are anywhere in the writable memory of the process
{
	/usr/bin/python3 - "$1" "$2" <<-'EOF'
		import base64, sys
		pid, key = sys.argv[1], base64.b64decode(sys.argv[2])
		found = False
		with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
		    for line in maps:
		        span, mode, *rest = line.split()
		        if not mode.startswith("rw") or "s" in mode:
		            continue
		        start, end = (int(x, 16) for x in span.split("-"))
		        if end - start > 1 << 30:  # skip the shadow memory of a sanitizer
		            continue
		        mem.seek(start)
		        try:
		            found |= key in mem.read(end - start)
		        except OSError:
		            pass
		sys.exit(not found)
	EOF
}

config()
{
	interface a ListenPort=51820 Address=10.99.0.1/24
	peer b PresharedKey="$(key psk)" AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51820
}

ns_add a b
join a eth0 b eth0
keys a b psk new

ok "attach succeeds" ours a "${ID}a" < <(config)
pid=$(daemon_pid a "${ID}a")
# The search must find keys that are in memory. Otherwise the later searches, which must fail, would
# prove nothing.
ok "the search finds the peer's public key" memory_holds "$pid" "$(pub b)"
ok "the search finds the preshared key while it is set" memory_holds "$pid" "$(key psk)"
in_ns a wg set "${ID}a" private-key "$TMP/new.key" peer "$(pub b)" preshared-key /dev/null
ok "the old private key is gone" not memory_holds "$pid" "$(key a)"
ok "the old preshared key is gone" not memory_holds "$pid" "$(key psk)"
down a "${ID}a"

# --- core dumps -----------------------------------------------------------------------------------

# Starts the command with core dumps allowed, and with the key on its standard input. Sends SIGQUIT
# to the command while it waits for DNS, for more input, or for room in a full pipe. Succeeds if no
# core was dumped.
leaves_no_core() # KEY COMMAND...
{
	(cd "$TMP" && in_ns a /usr/bin/python3 - "$@") <<-'EOF'
		import os, resource, signal, subprocess, sys, time
		key, command = sys.argv[1], sys.argv[2:]
		unlimited = resource.RLIM_INFINITY
		resource.setrlimit(resource.RLIMIT_CORE, (unlimited, unlimited))
		# A shell starts background jobs with SIGQUIT ignored, and a command inherits this.
		signal.signal(signal.SIGQUIT, signal.SIG_DFL)
		out, full = os.pipe()
		os.set_blocking(full, False)
		try:
		    while True:
		        os.write(full, b"x" * 512)
		except BlockingIOError:
		    os.set_blocking(full, True)
		process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=full,
		                           stderr=subprocess.DEVNULL)
		process.stdin.write(key.encode())
		process.stdin.flush()
		time.sleep(0.5)
		os.kill(process.pid, signal.SIGQUIT)
		_, status = os.waitpid(process.pid, 0)
		if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGQUIT:
		    sys.exit(f"the command ended before SIGQUIT: {status}")
		if os.WCOREDUMP(status):
		    sys.exit("the command dumped its core")
	EOF
}

named=$(sed 's/192.0.2.2:/name.invalid:/' < <(config) | conf "${ID}n")
for words in "attach eth0 $named" "check $named" genkey genpsk pubkey; do
	# shellcheck disable=SC2086 # $words is split into words
	ok "no core of wgxdp ${words%% *}" leaves_no_core "$(key a)" "$WGXDP" $words
done
spawn a "$WGXDP" -f "${ID}i"
wait_for 5 in_ns a wg show "${ID}i"
is "the daemon may leave no core" "$(awk '/core file size/ { print $5, $6 }' "/proc/$!/limits")" \
	"0 0"
down a "${ID}i"

# --- the log --------------------------------------------------------------------------------------

level() # LEVEL: writes the daemon's log of an unanswered handshake to $TMP/log
{
	local path
	path=$(conf "${ID}a" < <(config))
	: >"$TMP/log"
	spawn a env LOG_LEVEL="$1" "$WGXDP" attach eth0 "$path" --foreground >"$TMP/log" 2>&1
	wait_for 5 in_ns a "$WGXDP" show "${ID}a"
	in_ns a ping -q -c 1 -W 1 10.99.0.2 >/dev/null
	wait_for 7 grep -q "did not complete after 5 seconds" "$TMP/log"
	down a "${ID}a"
}

level debug
ok "debug: a handshake that is not answered is logged with its peer" \
	grep -q "Handshake for peer $(pub b) (192.0.2.2:51820) did not complete after 5 seconds" \
	"$TMP/log"
ok "debug: the log holds no secret" not grep -qF -e "$(key a)" -e "$(key psk)" "$TMP/log"
level silent
is "silent: nothing is logged" "$(cat "$TMP/log")" ""
done_testing
