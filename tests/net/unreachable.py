#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""unreachable.py INTERFACE A C KEYS - ICMP errors for destinations that cannot be reached.

Prints "ok WHAT" and "not ok WHAT: why". The daemon under test is in A, and C is a host behind A.
The peer "lost" has no endpoint, and the peer "gone" is removed during the test.
"""

import errno
import ipaddress
import socket
import struct
import sys
import time

import wgpeer
from wire import SILENCE_S, Daemon, bound, drain, key_file, say, text_of, wait_until

NOBODY, LOST, GONE = ("10.99.0.77", "fd99::77"), ("10.99.0.3", "fd99::3"), ("10.99.0.4", "fd99::4")
# How many errors the daemon sends at once, and then per second (ICMP_BURST, ICMP_INTERVAL_NS).
ERRORS_AT_ONCE, ERRORS_PER_S = 50, 100
PACKETS = 1000


class Host:
    """Sends into the tunnel and reads the ICMP errors. They must come from @sources, the addresses
    of namespace A that face this host."""

    def __init__(self, namespace, addresses, sources):
        self.udp = {4: bound(namespace, addresses[0]), 6: bound(namespace, addresses[1])}
        self.sources = {4: sources[0], 6: sources[1]}
        with wgpeer.namespace(namespace):
            self.icmp = {
                4: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
                6: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
            }

    def errors(self, to, port):
        """Returns how many errors quote a datagram to @to, @port, or None if one of the errors is
        wrong."""
        version, count = ipaddress.ip_address(to).version, 0
        packed = ipaddress.ip_address(to).packed
        own_port = self.udp[version].getsockname()[1]
        for message, source in drain(self.icmp[version]):
            if version == 4:
                message = message[(message[0] & 15) * 4:]
                want, destination, ports = (3, 1), message[24:28], message[28:32]
            else:
                want, destination, ports = (1, 3), message[32:48], message[48:52]
            if version == 6 and message[0] >= 128 or version == 4 and message[0] != 3:
                continue  # neighbour discovery, for example
            ports = struct.unpack(">HH", ports)
            if (destination, ports[1]) != (packed, port):
                continue
            if tuple(message[:2]) != want or source[0] != self.sources[version] or \
                    ports[0] != own_port:
                return None
            count += 1
        return count

    def send(self, to, port, times=1):
        s = self.udp[ipaddress.ip_address(to).version]
        for _ in range(times):
            try:
                s.sendto(b"anybody there?", (to, port))
            except OSError as e:  # the ICMP error for the previous datagram
                if e.errno != errno.EHOSTUNREACH:
                    raise
                s.sendto(b"anybody there?", (to, port))


class Unreachable:
    def __init__(self, interface, a, c, keys):
        self.d, self.gone = Daemon(interface, a), key_file(f"{keys}/gone.pub")
        self.own = Host(a, ("10.99.0.1", "fd99::1"), ("10.99.0.1", "fd99::1"))
        self.behind = Host(c, ("10.1.0.2", "fd01::2"), ("10.1.0.1", "fd01::1"))
        self.port = 20000

    def told(self, what, host, to, reason):
        """Checks that one datagram causes one ICMP error and is counted once."""
        self.port += 1
        before = self.d.drops().get(reason, 0)
        host.send(to, self.port)
        got = []
        wait_until(lambda: got.append(host.errors(to, self.port)) or got[-1] != 0)
        # The drop is counted after the error is sent.
        wait_until(lambda: self.d.drops().get(reason, 0) > before)
        counted = self.d.drops().get(reason, 0) - before
        say(f"{what}, {to}: one error, and one drop counted as {reason}",
            (got[-1], counted) == (1, 1),
            f"{got[-1]} errors, {counted} counted")

    def settled(self):
        """Waits until the packets of the previous test are counted. Returns the count of drops."""
        count = self.d.show()["dropped"]
        while time.sleep(SILENCE_S) or count != self.d.show()["dropped"]:
            count = self.d.show()["dropped"]
        return count

    def silent(self, what, send, family):
        for s in self.own.icmp.values():
            list(drain(s))
        before = self.settled()
        send()
        counted = wait_until(lambda: self.d.show()["dropped"] == before + 1)
        time.sleep(SILENCE_S)
        errors = [m for m, _ in drain(self.own.icmp[family]) if m[20 if family == 4 else 0] == 3]
        say(f"{what} is counted, but gets no error", counted and not errors, errors)

    def never_answered(self):
        """Packets that must not cause ICMP errors: RFC 1122 3.2.2, RFC 4443 2.4 (e). test_icmp.c
        tests all cases."""
        with wgpeer.namespace(self.d.namespace):
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
            many = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            many.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                            socket.inet_aton("10.99.0.1"))
        error = struct.pack(">BBHI", 3, 3, 0, 0) + wgpeer.ipv4("10.99.0.77", "10.99.0.1", (1, 2))
        error = error[:2] + struct.pack(">H", wgpeer.checksum(error)) + error[4:]
        self.silent("an ICMP error", lambda: raw.sendto(error, ("10.99.0.77", 0)), 4)
        self.silent("a multicast packet", lambda: many.sendto(b"all", ("239.1.2.3", 9)), 4)

    def rate(self, to):
        self.port += 1
        before, began = self.d.drops().get("no_peer", 0), time.monotonic()
        self.own.send(to, self.port, PACKETS)
        counted = wait_until(lambda: self.d.drops()["no_peer"] - before == PACKETS)
        seconds = time.monotonic() - began
        limit = ERRORS_AT_ONCE + ERRORS_PER_S * seconds
        time.sleep(SILENCE_S)
        errors = self.own.errors(to, self.port)
        say(f"{PACKETS} packets to {to} at once: all are counted, and errors are limited",
            counted and errors is not None and 0 < errors <= limit,
            f"{errors} errors in {seconds:.2f} s; {self.d.drops()}")
        time.sleep(1.1)  # wait until errors are allowed again
        self.told("after the burst", self.own, to, "no_peer")

    def connect(self, to):
        with wgpeer.namespace(self.d.namespace):
            s = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET)
        s.settimeout(5)
        heard = s.connect_ex((to, 80))
        say(f"a TCP connection to {to} fails at once with EHOSTUNREACH",
            heard == errno.EHOSTUNREACH,
            heard)

    def settle(self):
        """Waits until the host has sent the first multicasts of a new interface. The daemon drops
        and counts them, because no peer has their destination."""
        seen = [-1]
        while seen[-1] != (now := self.d.show()["dropped"]):
            seen.append(now)
            time.sleep(1)

    def run(self):
        self.settle()
        for family in 0, 1:
            for who, host in (("from the host", self.own), ("from a host behind it", self.behind)):
                self.told(f"{who} to an address without peer", host, NOBODY[family], "no_peer")
                self.told(f"{who} to a peer without endpoint", host, LOST[family], "no_endpoint")
            self.connect(NOBODY[family])
            if not family:
                self.never_answered()
                self.d.wg("peer", text_of(self.gone), "remove")
            self.told("to a removed peer", self.own, GONE[family], "no_peer")
            self.told("to a removed peer, from behind", self.behind, GONE[family], "no_peer")
            self.rate(NOBODY[family])


if __name__ == "__main__":
    Unreachable(*sys.argv[1:]).run()
