#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pathmtu.py A R B INTERFACE-OF-A INTERFACE-OF-B OUTER PATH - reads the outer packets at the router
of pathmtu.sh.

A, R and B are network namespaces, OUTER is 4 or 6, PATH is xdp or udp. Prints "ok WHAT" and "not ok
WHAT: why".
"""

import socket
import struct
import sys

import wgpeer
from wire import SILENCE_S, Daemon, Packet, Tap, bound, drain, same, say, wait_until

INNER = 7000
PORT, FAR_PORT = 51820, 51821
ENDS = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8::1", "2001:db8:1::2")}
HEADERS = {4: 20, 6: 40}


class Bench:
    def __init__(self, a, router, b, interface_a, interface_b, outer, path):
        self.outer, self.path, self.router = int(outer), path, router
        self.a, self.b = Daemon(interface_a, a), Daemon(interface_b, b)
        self.tap = Tap(router, "eth0")
        self.sender, self.receiver = bound(a, "10.99.0.1"), bound(b, "10.99.0.2", INNER)
        self.sender.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_PMTUDISC_DONT: no DF

    def path_mtu(self, daemon=None):
        return (daemon or self.a).show()["peers"][0]["path_mtu"]

    def send(self, inner_len):
        """Sends an inner packet of this length. Returns the outer packets, whether the inner packet
        arrived, and how many messages took each path."""
        before = self.sent()
        self.tap.forget()
        self.sender.sendto(bytes(inner_len - 28), ("10.99.0.2", INNER))
        came = wait_until(lambda: [len(d) + 28 for d, _ in drain(self.receiver)])
        packets = [Packet(p) for p in self.tap.packets(SILENCE_S)]
        ours = [p for p in packets if p.protocol in (17, 44) and p.source == ENDS[self.outer][0]]
        return ours, came == [inner_len], {k: n - before[k] for k, n in self.sent().items()}

    def sent(self):
        return self.a.show()["path"]["tx_packets"]

    def too_large(self, inner_len):
        """Sends a packet that exceeds the path MTU. The router drops and reports it, unless the
        daemon already knows the path MTU."""
        before = sum(self.sent().values())
        self.sender.sendto(bytes(inner_len - 28), ("10.99.0.2", INNER))
        wait_until(lambda: sum(self.sent().values()) > before)

    def settle(self):
        """Waits until no packet is under way."""
        for _ in self.tap.packets(SILENCE_S):
            pass
        for _ in drain(self.receiver):
            pass


def say_too_big(bench, mtu):
    """Sends an ICMP error from the router for a packet of the daemon, although DF is not set. Some
    routers do this."""
    ours, _, _ = bench.send(100)
    quoted = ours[0].data[:28]
    message = struct.pack(">BBHHH", 3, 4, 0, 0, mtu) + quoted
    message = message[:2] + struct.pack(">H", wgpeer.checksum(message)) + message[4:]
    with wgpeer.namespace(bench.router):
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as s:
            s.sendto(message, (ENDS[4][0], 0))


def whole(bench, mtu):
    """The padding makes no outer packet larger than the path MTU. Packets are not fragmented, and
    take the configured path."""
    most = mtu - HEADERS[bench.outer] - 8 - 32
    by = {"xsk": int(bench.path == "xdp"), "udp": int(bench.path == "udp")}
    for inner, padded in ((100, 112), (most - 3, most), (most, most)):
        ours, came, sent = bench.send(inner)
        lengths = [len(p.data) for p in ours]
        same(f"path MTU {mtu}: {inner} bytes arrive in one outer packet of {padded + mtu - most}",
             (came, lengths, sent), (True, [padded + mtu - most], by))


def fragmented(bench, mtu, inner):
    """An inner packet that needs more than the path MTU takes the UDP socket, in fragments."""
    ours, came, sent = bench.send(inner)
    lengths = [len(p.data) for p in ours]
    same(f"path MTU {mtu}: {inner} bytes arrive in fragments by UDP",
         (came, len(lengths), max(lengths, default=0) <= mtu, sent),
         (True, 2, True, {"xsk": 0, "udp": 1}))


def main():
    bench = Bench(*sys.argv[1:])
    same("b knows the MTU of its own link", bench.path_mtu(bench.b), 1400)
    if bench.outer == 4:
        # Outer IPv4 packets have no DF, so the router fragments them and reports nothing.
        same("a assumes the MTU of its link", bench.path_mtu(), 1500)
        ours, came, _ = bench.send(1420)
        same("1420 bytes arrive, fragmented by the router", (came, [len(p.data) for p in ours]),
             (True, [1480]))
        say_too_big(bench, 1400)
    else:
        # The router drops an IPv6 packet that is too large, and reports the path MTU. The first
        # large packets of pathmtu.sh are lost in this way.
        bench.too_large(1420)
    say("a learns the path MTU", wait_until(lambda: bench.path_mtu() == 1400), bench.path_mtu())
    bench.settle()
    whole(bench, 1400)
    fragmented(bench, 1400, 1400)
    if bench.outer == 6:
        bench.a.namespace, home = bench.router, bench.a.namespace
        bench.a.run("ip", "link", "set", "eth1", "mtu", "1300")
        bench.a.namespace = home
        bench.too_large(1228)
        say("a learns a smaller path MTU", wait_until(lambda: bench.path_mtu() == 1300),
            bench.path_mtu())
        bench.settle()
        whole(bench, 1300)
        fragmented(bench, 1300, 1400)
    same("nothing is dropped", (bench.a.show()["dropped"], bench.b.show()["dropped"]), (0, 0))


main()
