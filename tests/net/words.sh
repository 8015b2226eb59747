#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Words on the command line that are no command: typing errors, and names of files and of existing
# interfaces. `wgxdp WORD` serves an interface of that name, so a mistake must not seem to work.
#
#   a: eth0 ═══ eth0 :b

. "$(dirname "$0")/lib.sh"
need_root
need_cmd wg jq

ns_add a b
join a eth0 b eth0
A=${ID}a
keys a b

good()
{
	interface a ListenPort=51821 Address=10.99.0.1/24
	peer b AllowedIPs=10.99.0.2/32 Endpoint=192.0.2.2:51822
}
GOOD=$(good | conf "$A")

run() { in_ns a "$WGXDP" "$@"; }

wrong() # WHAT STATUS REGEX WORD...: wgxdp fails, and leaves no interface named after the first word
{
	local word=$4
	refuses "$1: wgxdp fails" "$2" "$3" run "${@:4}"
	clean "$1: nothing is left" a "$(basename "$word" .conf)"
}

# --- slips of the fingers, and other programs' commands -------------------------------------------

while read -r typo verb; do
	wrong "a typo, $typo" 2 "did you mean wgxdp $verb\?.*wgxdp -f $typo" "$typo"
done <<-EOF
	shwo show
	sho show
	genkye genkey
	chekc check
	cheque check
	atach attach
	dettach detach
	detahc detach
	pubke pubkey
	status show
	list show
	start attach
	stop detach
	restart detach, then attach
	Show show
	STATUS show
	UP attach
	Down detach
EOF
wrong "a typo before a name" 2 "did you mean wgxdp show" shwo "$A"
# "qqq" resembles no command.
wrong "any word before a name" 2 "no such command" qqq "$A"
for word in monitor metrics syncconf; do
	wrong "a word that is no command, $word" 2 "no such command.*--help.*wgxdp -f $word" "$word"
done
refuses "a typo in an option is refused" 2 "did you mean --strict" run attach eth0 "$GOOD" --stirct
spawn a "$WGXDP" -f shwo 2>"$TMP/shwo"
ok "-f uses the word as the name of an interface" wait_for 5 in_ns a wg show shwo
in_ns a ip link delete shwo
wait $!
clean "the interface shwo leaves nothing" a shwo

# wg-quick may request an interface with any name.
quick() { in_ns a env WG_QUICK_USERSPACE_IMPLEMENTATION=wgxdp "$WGXDP" "$1"; }
ok "wg-quick names an interface like a command" quick sets
ok "the configuration socket of sets answers" in_ns a wg show sets
refuses "sets is left to wg-quick" 1 "wg-quick down" down a sets
in_ns a ip link delete sets

# --- files ----------------------------------------------------------------------------------------

cd "$TMP" || exit 1
touch "${ID}f"
wrong "a config file in this directory, without a verb" \
	2 "did you mean wgxdp attach $A\.conf\?" "$A.conf"
wrong "a config file by path, without a verb" 2 "did you mean wgxdp attach $TMP/$A\.conf\?" "$GOOD"
refuses "a config file after -f is refused" 2 "attach --foreground $A\.conf" run -f "$A.conf"
wrong "a missing config file, without a verb" 2 "nofile\.conf: No such file" nofile.conf
wrong "the name of a copy of a config file, without a verb" \
	2 "like the name of a file.*wgxdp -f $A\.Conf\.b" "$A.Conf.b"
wrong "a file that is no config file, without a verb" 2 "this is a file.*wgxdp -f ${ID}f" "${ID}f"

# Runs wgxdp in a mount namespace of its own, with a config in /etc/wireguard, where wgxdp looks up
# names.
in_etc()
{
	# shellcheck disable=SC2016 # the inner shell expands its arguments
	in_ns a unshare -m sh -c 'mount -t tmpfs none /etc && mkdir /etc/wireguard &&
		cp "$1" "/etc/wireguard/$2.conf" && cd / && shift 2 && exec "$@"' - \
		"$GOOD" "${ID}n" "$WGXDP" "$@"
}
refuses "attach refuses the name of a file that is in /etc/wireguard" 78 \
	"if you mean /etc/wireguard/${ID}n\.conf, give only the name ${ID}n$" \
	in_etc attach eth0 "${ID}n.conf"
refuses "check refuses the name of a file that is in /etc/wireguard" \
	78 "give only the name ${ID}n$" in_etc check "${ID}n.conf"
refuses "a file in /etc/wireguard is refused without a verb" \
	2 "did you mean wgxdp attach ${ID}n\?" in_etc "${ID}n.conf"
ok "check by name finds the file in /etc/wireguard" in_etc check "${ID}n"
refuses "attach refuses a name whose file is here" \
	78 "for the file in this directory, give $A\.conf" \
	run attach eth0 "$A"

# --- the name of another interface ----------------------------------------------------------------

in_ns a ip tuntap add dev "${ID}t" mode tun
cp "$GOOD" "$TMP/eth0.conf"
for words in "attach eth0 eth0.conf" eth0 "${ID}t"; do
	# shellcheck disable=SC2086 # $words is split into words
	refuses "the name of another interface is refused, wgxdp $words" \
		1 "of this name exists" run $words
	omits "the message for wgxdp $words advises no deletion" 'link delete'
done
ok "both interfaces still exist" eval "in_ns a ip link show eth0 && in_ns a ip link show '${ID}t'"

# --- other names ----------------------------------------------------------------------------------

for word in --version -V -v version; do
	is "wgxdp $word" "$("$WGXDP" $word | grep -oE '^wgxdp [0-9]+\.[0-9]+\.[0-9]+')" \
		"wgxdp 0.2.0"
done
for word in --help -h help "attach --help"; do
	ok "wgxdp $word" eval "'$WGXDP' $word | grep -q 'wgxdp attach'"
done
ok "up is attach" run up eth0 "$GOOD"
ok "down is detach" run down "$A"
clean "detach leaves nothing" a "$A"

# --- names that begin with "-" --------------------------------------------------------------------

D=-$ID
good | conf "$D" >/dev/null
for words in "show $D" "set $D debug on" "logs $D" "reload $D" "save $D" "confirm $D" "detach $D" \
	"strip $D" "check $D" "attach $D" "probe $D" "$D" "-f $D"; do
	# shellcheck disable=SC2086 # $words is split into words
	refuses "wgxdp $words names the remedy" 2 "write -- before the name .* begins with -" \
		run $words
done
ok "attach accepts such a name after --" run attach eth0 -- "$D.conf"
for words in "show --json -- $D" "set -- $D debug on" "logs -- $D" "reload --exact -- $D" \
	"save -- $D" "strip -- $D.conf" "check -- $D.conf"; do
	# shellcheck disable=SC2086 # $words is split into words
	ok "wgxdp $words accepts it" run $words
done
ok "show shows the interface" eval "run show -- '$D' | grep -q 'interface: $D$'"
refuses "-- ends the options" 2 "unexpected argument" run show -- "$D" --json
refuses "a second attach advises a command with --" 1 "wgxdp detach -- $D\`" run attach -- "$D.conf"
pid=$(sed -nE 's/.*in use by wgxdp, process ([0-9]+).*/\1/p' "$TMP/out")
kill -9 "$pid"
wait_for 5 eval "! kill -0 $pid"
refuses "show of a dead daemon advises a command with --" 1 "wgxdp detach -- $D\`" run show -- "$D"
ok "detach accepts it, too" run detach -- "$D"
refuses "attach --confirm advises a command with --" 0 "wgxdp confirm -- $D\`" \
	run attach --confirm 60 eth0 -- "$D.conf"
ok "confirm accepts it, too" run confirm -- "$D"
ok "detach accepts it once more" run detach -- "$D"
refuses "the advice for a file has --" 2 "mean wgxdp attach -- $D.conf" run -- "$D.conf"
refuses "the advice for a typo has --" 2 "run wgxdp -f -- -show$" run -- -show
refuses "the advice for a file without .conf has --" 2 "run wgxdp -f -- -a.conf.old$" \
	run -- -a.conf.old
is "nothing is left of it" "$(find "$RUN" "$SOCKETS" "$PINS" -name "$D*" 2>/dev/null)" ""

# --- completion -----------------------------------------------------------------------------------

completes() # WORD...: prints the completions of the last word
{
	# shellcheck disable=SC2016 # the inner shell expands its arguments
	bash -c '. "$1" && shift && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _wgxdp
		echo "${COMPREPLY[@]}"' - "$TMP/completion" wgxdp "$@"
}
"$WGXDP" --completion bash >"$TMP/completion"
ok "the completion is a bash script" bash -n "$TMP/completion"
is "the completion offers verbs" "$(completes d)" "detach down"
is "the completion offers options" "$(completes attach --st)" "--strict"
is "the completion offers values of options" "$(completes attach --xdp-mode g)" "generic"
is "the completion offers config files" "$(completes check "$A")" "$A.conf"
is "the completion offers the words of set" "$(completes set "$A" deb)" "debug"

done_testing
