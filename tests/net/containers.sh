#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Runs the relay and the client from the section on containers in the unofficial WireGuard
# documentation, with the config files of that section. Each runs as the first process of a
# container, which has its own root file system, process namespace and network namespace. The
# container has Docker's default capabilities, NET_ADMIN and SYS_MODULE, and its /proc/sys is
# read-only. In place of the section's third container, a command in the client's container asks a
# DNS server for the address of a web server. The web server answers with the address from which the
# request came, which must be the relay's.
#
#   ┌─ c: client, vpn_test ─┐        ┌────── i: internet ──────┐         ┌──── r: relay ────┐
#   │ wg0 192.0.2.2    eth0 ══════ eth0 routes, no NAT     eth1 ══════ eth0  wg0 192.0.2.1  │
#   │     198.51.100.3      │        │ eth0 198.51.100.1       │         │     203.0.113.2  │
#   └───────────────────────┘        │ eth1 203.0.113.1        │         └──────────────────┘
#                                    │ lo   198.18.0.80, http  │
#                                    │      1.1.1.1, DNS       │
#                                    └─────────────────────────┘

cd "$(dirname "$0")/../.." || exit 1
. tests/net/lib.sh
need_root
need_cmd ip nft wg iptables curl setpriv unshare nsenter

ns_add c i r
cable() # NIC-OF-I NS NETWORK HOST
{
	ip link add "$1" netns "$ID-i" type veth peer name eth0 netns "$ID-$2"
	in_ns i ip address add "$3.1/24" dev "$1"
	in_ns "$2" ip address add "$3.$4/24" dev eth0
	in_ns i ip link set "$1" up
	in_ns "$2" ip link set eth0 up
	in_ns "$2" ip route add default via "$3.1"
	in_ns "$2" sysctl -qw net.ipv4.ip_forward=1 # as Docker does
	wait_for 5 in_ns "$2" ping -q -c 1 -W 1 "$3.1"
}
cable eth0 c 198.51.100 3
cable eth1 r 203.0.113 2
in_ns i sysctl -qw net.ipv4.ip_forward=1
in_ns i ip address add 198.18.0.80/32 dev lo
in_ns i ip address add 1.1.1.1/32 dev lo
mkdir "$TMP/records"
echo 60 all 198.18.0.80 >"$TMP/records/whatismyip.akamai.com"
spawn i /usr/bin/python3 tests/net/dns.py 1.1.1.1 "$TMP/records" "$TMP/questions"
in_ns i nft -f - <<-END
	table ip queries {
		set clients { typeof ip saddr; flags dynamic; }
		chain in {
			type filter hook input priority 0;
			udp dport 53 add @clients { ip saddr }
		}
	}
END

# The web server answers with the address from which the request came.
spawn i /usr/bin/python3 -c '
import http.server
class Address(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("198.18.0.80", 80), Address).serve_forever()' 2>/dev/null
wait_for 5 eval "in_ns i ss -Hltn | grep -q :80"

# The files resolvconf and entrypoint are for the containers. resolvconf does what openresolv does
# for one interface. entrypoint sets up the root file system and runs the container's command.
cat >"$TMP/resolvconf" <<'END'
#!/bin/sh
case $1 in
-a) cat >/etc/resolv.conf ;;
-d) : >/etc/resolv.conf ;;
esac
END
cat >"$TMP/entrypoint" <<'END'
set -e
root=$1 tmp=$2 wgxdp=$3
shift 3
mkdir -p "$root"
mount -t tmpfs -o mode=755 root "$root"
cd "$root"
mkdir -p usr etc proc sys dev/net run tmp var opt config
ln -s ../run var/run
ln -s usr/bin usr/sbin usr/lib usr/lib64 .
mount --rbind /usr usr
mount -o remount,bind,ro usr
cp -a /etc/alternatives etc
cp -a /etc/iproute2 etc 2>/dev/null || true
echo "203.0.113.2 relay1.wg.example.com" >etc/hosts
echo "nameserver 127.0.0.11" >etc/resolv.conf
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/net/tun c 10 200
ln -s /proc/self/fd dev/fd
cp "$wgxdp" opt/wgxdp
cp "$tmp/resolvconf" opt/resolvconf
chmod 755 opt/*
touch config/wg0.conf
mount --bind "$tmp/wg0.conf" config/wg0.conf
mount -o remount,bind,ro config/wg0.conf
caps=+chown,+dac_override,+fsetid,+fowner,+mknod,+net_raw,+setgid,+setuid,+setfcap,+setpcap
caps=$caps,+net_bind_service,+sys_chroot,+kill,+audit_write,+net_admin,+sys_module
exec env -i PATH=/opt:/usr/sbin:/usr/bin setpriv --bounding-set "-all,$caps" -- \
	chroot . "$@"
END

container() # NS < wg0.conf: sets FIRST to the container's first process (its PID in this namespace)
{
	mkdir "$TMP/$1"
	(umask 077 && cat >"$TMP/$1/wg0.conf")
	cp "$TMP/resolvconf" "$TMP/$1"
	spawn "$1" unshare --mount --pid --fork --kill-child --propagation private bash \
		"$TMP/entrypoint" "$TMP/$1/root" "$TMP/$1" "$WGXDP" \
		/opt/wgxdp attach --foreground /config/wg0.conf >"$TMP/$1/log" 2>&1
	UNSHARE=$!
	wait_for 10 grep -q ": up, port" "$TMP/$1/log"
	FIRST=$(pgrep -P "$UNSHARE")
}

run() { nsenter --target "$1" --all --root --wd -- "${@:2}"; } # PROCESS COMMAND...
rules() { in_ns r iptables-save | grep '^-A' && in_ns r ip6tables-save | grep '^-A'; }

ok "the relay starts" container r <<END
[Interface]
# Name = relay1.wg.example.com
Address = 192.0.2.1/24
ListenPort = 51820
PrivateKey = oJpRt2Oq27vIB5/UVb7BRqCwad2YMReQgH5tlxz8YmI=
DNS = 1.1.1.1,8.8.8.8
PostUp = iptables -A FORWARD -i wg0 -j ACCEPT; \
iptables -t nat -A POSTROUTING -o eth0 -j MASQUERADE; \
ip6tables -A FORWARD -i wg0  -j ACCEPT; \
ip6tables -t nat -A POSTROUTING -o eth0 -j MASQUERADE
PostDown = iptables -D FORWARD -i wg0 -j ACCEPT; \
iptables -t nat -D POSTROUTING -o eth0 -j MASQUERADE; \
ip6tables -D FORWARD -i wg0 -j ACCEPT; \
ip6tables -t nat -D POSTROUTING -o eth0 -j MASQUERADE

[Peer]
# Name = peer1.wg.example.com
PublicKey = I+hXRAJOG/UE2IQvIHsou2zTgkUyPve2pzvHTnd/2Gg=
AllowedIPs = 192.0.2.2/32
END
relay=$FIRST relay_parent=$UNSHARE
hooked() { [ "$(rules | wc -l)" -eq 4 ]; }
ok "the relay's hooks have set their rules" wait_for 5 hooked
ok "the client starts" container c <<'END'
[Interface]
# Name = peer1.wg.example.com
Address = 192.0.2.2/32
PrivateKey = YCW76edD4W7nZrPbWZxPZhcs32CsBLIi1sEhsV/sgk8=
DNS = 1.1.1.1,8.8.8.8

[Peer]
# Name = relay1.wg.example.com
Endpoint = relay1.wg.example.com:51820
PublicKey = zJNKewtL3gcHdG62V3GaBkErFtapJWsAx+2um0c0B1s=
AllowedIPs = 192.0.2.1/24,0.0.0.0/0
PersistentKeepalive = 21
END
client=$FIRST client_parent=$UNSHARE
is "the daemon is the first process of the container" \
	"$(sed -n 's/^NSpid:.*\t//p' "/proc/$client/status")" 1
wait_for 5 run "$client" grep -q 8.8.8.8 /etc/resolv.conf
is "resolv.conf names the DNS server of the client's file" \
	"$(run "$client" cat /etc/resolv.conf | paste -sd ' ')" \
	"nameserver 1.1.1.1 nameserver 8.8.8.8"
ok "the client's default route leads into the tunnel" wait_for 5 eval \
	"in_ns c ip route get 198.18.0.80 | grep -q 'dev wg0'"
is "vpn_test: curl -s http://whatismyip.akamai.com/ prints the relay's address" \
	"$(run "$client" curl -s -m 10 http://whatismyip.akamai.com/)" 203.0.113.2
is "the client's DNS query has left by the relay, too" \
	"$(in_ns i nft list set ip queries clients | grep -oE '([0-9]+\.){3}[0-9]+')" 203.0.113.2
for first in "$client" "$relay"; do
	ok "wg show, in the container" run "$first" wg show wg0
done
kill "$client"
ok "docker stop: the client ends" wait_for 5 eval "! kill -0 $client_parent"
kill "$relay"
ok "docker stop: the relay ends" wait_for 5 eval "! kill -0 $relay_parent"
is "docker stop: PostDown has removed the relay's rules" "$(rules)" ""
is "no interface is left" "$(for ns in c r; do in_ns $ns ip -br link show type tun; done)" ""
done_testing
