#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures how long a peer of a large hub waits for its session while the hub serves the others.

hub.py PID INTERFACE A B KEYS PEERS SECONDS: prints for each kind of work whether all handshakes
succeeded, and their median and worst time. The test does not depend on these times.
"""

import multiprocessing
import os
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))

# pylint: disable=wrong-import-position
import wgpeer
from accounting import say
from wire import Daemon, Raw, bound, key_file, mac_of_link

HUB = ("192.0.2.1", 51820)
STEP = 2000  # peers that one request to the configuration socket adds


def address(n, first):
    return f"{first}.{64 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"


def fill(daemon, count):
    """Adds silent peers: their endpoints are behind b, which drops all packets to them."""
    for at in range(0, count, STEP):
        lines = []
        for n in range(at, min(count, at + STEP)):
            lines += [f"public_key={os.urandom(32).hex()}", f"endpoint={address(n, 198)}:51820",
                      f"allowed_ip={address(n, 10)}/32"]
        daemon.set(*lines)


def ping_frame(raw, source):
    """Returns an echo request. The hub must look up the sender's MAC address before it can
    answer."""
    icmp = struct.pack(">BBHHH", 8, 0, 0, 1, 1)
    icmp = icmp[:2] + struct.pack(">H", wgpeer.checksum(icmp)) + icmp[4:]
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 64, 1, 0)
    ip += socket.inet_aton(source) + socket.inet_aton("10.50.0.1")
    ip = ip[:10] + struct.pack(">H", wgpeer.checksum(ip)) + ip[12:]
    return raw.to_mac + raw.own_mac + b"\x08\x00" + ip + icmp


def pings(a, b, _interface, _count):
    raw, n = Raw(b, "eth0", mac_of_link(a, "eth0")), 0
    while True:
        raw.socket.send(ping_frame(raw, f"10.50.{1 + n // 250 % 250}.{1 + n % 250}"))
        n += 1
        time.sleep(1 / 300)


def routes(a, _b, _interface, _count):
    with wgpeer.namespace(a), subprocess.Popen(["ip", "-batch", "-"], text=True,
                                               stdin=subprocess.PIPE) as ip:
        n = 0
        while True:
            verb = "del" if n & 1 else "replace"
            ip.stdin.write(f"route {verb} 203.0.113.{n // 2 % 250}/32 via 192.0.2.2\n")
            ip.stdin.flush()
            n += 1
            time.sleep(1 / 50)


def writes(a, _b, _interface, count):
    """Sends packets for many silent peers. Each packet begins a handshake that nobody answers."""
    with wgpeer.namespace(a):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(min(count, 60000)):
        try:
            s.sendto(b"hello", (address(n, 10), 9))
        except OSError:
            time.sleep(0.001)
    time.sleep(3600)


def shows(a, _b, interface, _count):
    while True:
        subprocess.run(["nsenter", f"--net=/run/netns/{a}", os.environ["WGXDP"], "show", interface,
                        "--json"], stdout=subprocess.DEVNULL, check=True)


class Hub:
    def __init__(self, pid, interface, a, b, keys, count, seconds):
        self.pid, self.interface, self.a, self.b = int(pid), interface, a, b
        self.node = wgpeer.Node(key_file(f"{keys}/b.key"), key_file(f"{keys}/a.pub"))
        self.count, self.seconds = int(count), float(seconds)
        self.daemon = Daemon(interface, a)

    def shake(self):
        """Returns the ms from an initiation to the response, or None if none came."""
        sock, began = bound(self.b, "192.0.2.2"), time.monotonic()
        try:
            self.node.connect(sock, HUB, timeout=5)
            return 1000 * (time.monotonic() - began)
        except OSError:
            return None
        finally:
            sock.close()

    def measure(self, what):
        times, end = [], time.monotonic() + self.seconds
        while time.monotonic() < end:
            times.append(self.shake())
            time.sleep(0.06)
        good = sorted(t for t in times if t is not None)
        figures = f"median {good[len(good) // 2]:.1f} ms, worst {good[-1]:.1f} ms" if good else ""
        say(f"{what}: {len(times)} handshakes succeed ({figures})",
            good and len(good) == len(times),
            f"{len(times) - len(good)} failed, drops {self.daemon.drops()}")

    def under(self, what, load):
        process = multiprocessing.Process(target=load, daemon=True,
                                          args=(self.a, self.b, self.interface, self.count))
        process.start()
        time.sleep(2)
        self.measure(what)
        alive = process.is_alive()
        process.terminate()
        process.join()
        say(f"{what}: the load lasted until the end of the measurement", alive,
            f"exit status {process.exitcode}")

    def run(self):
        fill(self.daemon, self.count)
        self.measure(f"{self.count} peers, nothing else")
        self.under("300 pings a second from unused neighbours", pings)
        self.under("50 route changes a second", routes)
        self.under("show --json without a pause", shows)
        self.under("packets for silent peers", writes)


if __name__ == "__main__":
    Hub(*sys.argv[1:]).run()
