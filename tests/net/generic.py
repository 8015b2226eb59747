#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""generic.py INTERFACE A B KEYS native|generic|merged - sends trains for generic.sh.

A train is several datagrams that one send passes to the kernel (UDP_SEGMENT). native: trains are
split before XDP sees them. generic: trains arrive whole. merged: trains are split, and a bridge's
port joins the datagrams again.

Prints "ok WHAT" and "not ok WHAT: why". A and B are namespaces; KEYS a directory with a.pub and
b.key. The daemon under test listens in A at 192.0.2.1 and 2001:db8::1, port 51821.
"""

import os
import socket
import sys

import wgpeer
from wire import Daemon, bound, drain, key_file, same, say, wait_until

UDP_SEGMENT = 103
INNER, PORT = 7000, 51821
INITIATION, KEEPALIVE = 148, 32
# name, bytes of the inner payload, datagrams in a train
TRAINS = (("small, below the MTU", 8, 10), ("large, above the MTU", 1300, 20),
          ("two", 600, 2), ("keepalives", None, 8))


class Test:
    def __init__(self, interface, a, b, keys, mode):
        self.daemon, self.mode = Daemon(interface, a), mode
        self.inner = bound(a, "10.99.0.1", INNER)
        self.sockets = [(bound(b, "192.0.2.2"), "192.0.2.1"),
                        (bound(b, "2001:db8::2"), "2001:db8::1")]
        self.node = wgpeer.Node(key_file(f"{keys}/b.key"), key_file(f"{keys}/a.pub"))
        self.session = self.before = None

    def counters(self):
        """Returns how many packets AF_XDP and UDP have received (without keepalives), how many
        bytes the peer has sent, and how many packets were dropped."""
        shown = self.daemon.show()
        packets = shown["path"]["rx_packets"]
        return (packets["xsk"], packets["udp"], self.daemon.peer(self.node.public)["rx_bytes"],
                sum((shown["drops"] | shown["lost"]).values()))

    def message(self, payload):
        """Returns the next message, which is a keepalive if @payload is None."""
        if payload is None:
            return self.session.seal(b"")
        return self.session.seal(wgpeer.ipv4("10.99.0.2", "10.99.0.1", (1, INNER), payload))

    def send(self, sock, host, messages):
        segment = len(messages[0]) if len(messages) > 1 else 0
        sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, segment)
        sock.sendto(b"".join(messages), (host, PORT))

    def arrive(self, want):
        """Waits until the counters have grown by @want. Returns by how much they grew."""
        def grown():
            return tuple(now - then for now, then in zip(self.counters(), self.before))
        wait_until(lambda: grown() == want, 3)
        return grown()

    def deliver(self, name, expected):
        inner = []
        wait_until(lambda: inner.extend(data for data, _ in drain(self.inner)) or
                   len(inner) >= len(expected), 3)
        say(f"{name}: datagrams for the host", inner == expected,
            f"{len(inner)} came, {len(expected)} were sent")

    def run(self, name, sock, host, payloads):
        self.before = self.counters()
        messages = [self.message(payload) for payload in payloads]
        self.send(sock, host, messages)
        expected = [payload for payload in payloads if payload is not None]
        count, by_udp = len(expected), self.mode == "generic" and len(messages) > 1
        want = (0 if by_udp else count, count if by_udp else 0, sum(map(len, messages)), 0)
        same(f"{name}: packets by AF_XDP and by UDP, bytes, drops", self.arrive(want), want)
        self.deliver(name, expected)

    def invalid(self, name, sock, host):
        """Sends a train whose first message has an unknown index. The other messages are
        received."""
        self.before = self.counters()
        messages = [self.message(bytes([i]) * 100) for i in range(4)]
        messages[0] = messages[0][:4] + os.urandom(4) + messages[0][8:]
        self.send(sock, host, messages)
        by_udp = 4 if self.mode == "generic" else 0
        want = (3 - min(by_udp, 3), by_udp, 3 * len(messages[0]), 1)
        same(f"{name}: packets by AF_XDP and by UDP, bytes, drops", self.arrive(want), want)
        self.deliver(name, [bytes([i]) * 100 for i in range(1, 4)])

    def merged(self, name, sock, host):
        """Sends trains that the sender cuts into frames. The bridge's port joins the frames
        again."""
        self.before = self.counters()
        payloads = [bytes([i]) * 1000 for i in range(20)] * 5
        for at in range(0, len(payloads), 20):
            self.send(sock, host, [self.message(payload) for payload in payloads[at:at + 20]])
        self.deliver(name, payloads)
        wait_until(lambda: sum(self.counters()[:2]) - sum(self.before[:2]) >= len(payloads), 3)
        xsk, udp, _, drops = (now - then for now, then in zip(self.counters(), self.before))
        say(f"{name}: each packet is counted once, by UDP where frames were joined",
            (xsk + udp, drops) == (len(payloads), 0) and udp > 0, f"{xsk} {udp} {drops}")

    def main(self):
        """Uses one session for both address families: the peer roams from IPv4 to IPv6."""
        self.before = self.counters()
        self.session = self.node.connect(self.sockets[0][0], (self.sockets[0][1], PORT))
        self.arrive((0, 0, INITIATION + KEEPALIVE, 0))
        for sock, host in self.sockets:
            family = "IPv6" if ":" in host else "IPv4"
            if self.mode == "merged":
                self.merged(family, sock, host)
                continue
            self.run(f"{family}, one", sock, host, [b"one"])
            for name, size, count in TRAINS:
                self.run(f"{family}, {name}", sock, host,
                         [None if size is None else bytes([i]) * size for i in range(count)])
            self.invalid(f"{family}, the first datagram is invalid", sock, host)


if __name__ == "__main__":
    Test(*sys.argv[1:]).main()
