#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""hostile.py PID INTERFACE A B C KEYS SEED SECONDS - the peers and the changes of hostile.sh.

A, B and C are network namespaces. The daemon PID serves the tunnel INTERFACE in A. Sixteen peers in
B handshake, roam and send rubbish. Meanwhile other threads change the configuration through the
socket, and the links, addresses, routes, rules, neighbours, MACs and queues under the daemon, and
move the tunnel to C and back. After SECONDS everything is restored, and the script checks that each
peer gets a session and that no resource has grown. Prints "ok WHAT" and "not ok WHAT: why".
"""

import collections
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time

import wgpeer
from wire import Daemon, bound, drain, key_file, say, wait_until

PEERS = 16
PORTS = (51820, 51821)
HUB, HUB6 = "192.0.2.1", "2001:db8::1"
PLACES = [f"192.0.2.{host}" for host in (2, *range(20, 30))] + ["2001:db8::2", "2001:db8::20"]
ZEROS = bytes(32)
RECOVERS_S = 30 * wgpeer.PATIENCE  # how long recovers() keeps trying
GROWS_KIB = 4096


class Peer:
    """A peer that does random things: it handshakes, sends data, roams and sends rubbish."""

    def __init__(self, number, test, rng):
        self.test, self.rng = test, rng
        self.node = wgpeer.Node(rng.randbytes(32), test.hub_public)
        self.address = f"10.99.0.{10 + number}"
        self.key = "public_key=" + self.node.public.hex()
        self.session, self.sent = None, []
        self.sock = None
        self.roam()

    def roam(self):
        with contextlib.suppress(OSError):  # the address does not exist at present
            sock = bound(self.test.b, self.rng.choice(PLACES), buffer=1 << 18)
            if self.sock:
                self.sock.close()
            self.sock = sock

    def send(self, message):
        hub = HUB6 if self.sock.family == socket.AF_INET6 else HUB
        with contextlib.suppress(OSError):  # the link is down, or a buffer is full
            self.sock.sendto(message, (hub, self.test.port))
        self.sent = self.sent[-20:] + [message]

    def ping(self):
        if self.session:
            number = self.rng.randrange(1 << 16)
            self.send(self.session.seal(
                wgpeer.echo_request(self.address, "10.99.0.1", number)))

    def handshake(self):
        self.send(self.node.initiation())

    def rubbish(self):
        message = bytearray(self.rng.choice(self.sent) if self.sent else bytes(148))
        kind = self.rng.randrange(6)
        if kind == 0:
            message = self.rng.randbytes(self.rng.randrange(1500))
        elif kind == 1 and message:
            message[self.rng.randrange(len(message))] ^= 1 << self.rng.randrange(8)
        elif kind == 2:
            message = message[:self.rng.randrange(len(message) + 1)]
        elif kind == 3:
            message = bytes([self.rng.randrange(6), 0, 0, 0]) + self.rng.randbytes(144)
        elif kind == 4 and self.session:
            message = self.session.seal(self.rng.randbytes(self.rng.randrange(100)))
        # In all other cases `message` is still an unchanged earlier message: a replay.
        self.send(bytes(message))

    def receive(self):
        for message, _ in drain(self.sock):
            try:
                if message[0] == wgpeer.INITIATION:
                    self.session, response = self.node.answer(message)
                    self.send(response)
                elif message[0] == wgpeer.RESPONSE and self.node.pending:
                    self.session = self.node.finish(message)
                    self.send(self.session.seal(b""))
                elif message[0] == wgpeer.COOKIE and self.node.pending:
                    self.node.take_cookie(message)
            except (ValueError, wgpeer.InvalidTag):
                pass  # the message belongs to an earlier handshake, or to one with another key

    def act(self):
        self.receive()
        self.rng.choices((self.ping, self.handshake, self.rubbish, self.roam), (60, 4, 30, 3))[0]()

    def recovers(self):
        """True if the peer gets a session, and an answer in it, within RECOVERS_S."""
        end = time.monotonic() + RECOVERS_S
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError, wgpeer.InvalidTag):
                with bound(self.test.b, "192.0.2.2") as sock:
                    session = self.node.connect(sock, (HUB, PORTS[0]), timeout=1)
                    sock.sendto(session.seal(
                        wgpeer.echo_request(self.address, "10.99.0.1", 1)), (HUB, PORTS[0]))
                    until = time.monotonic() + 1
                    while time.monotonic() < until:
                        if session.open(sock.recv(65536)):
                            return True
        return False


class Configuration:
    """Changes the peers by the configuration socket."""

    def __init__(self, test, rng):
        self.test, self.rng = test, rng
        self.actions = [self.remove, self.add, self.add, self.readd, self.prefixes, self.psk,
                        self.keepalive, self.endpoint, self.port, self.mark, self.show]

    def set(self, *lines):
        with contextlib.suppress(OSError):  # the port is in use, for example
            self.test.daemon.set(*lines)

    def remove(self, peer):
        self.set(peer.key, "remove=true")

    def add(self, peer):
        self.set(peer.key, f"allowed_ip={peer.address}/32")

    def readd(self, peer):
        self.set(peer.key, "remove=true", peer.key, "replace_allowed_ips=true",
                 f"allowed_ip={peer.address}/32")

    def prefixes(self, peer):
        lines = [f"allowed_ip=10.{self.rng.randrange(100, 110)}.{self.rng.randrange(4)}.0/"
                 f"{self.rng.randrange(20, 33)}" for _ in range(self.rng.randrange(20))]
        self.set(peer.key, "replace_allowed_ips=true", f"allowed_ip={peer.address}/32", *lines)

    def psk(self, peer):
        peer.node.psk = self.rng.choice((ZEROS, self.rng.randbytes(32)))
        self.set(peer.key, "preshared_key=" + peer.node.psk.hex())

    def keepalive(self, peer):
        self.set(peer.key, f"persistent_keepalive_interval={self.rng.choice((0, 1, 25))}")

    def endpoint(self, peer):
        place = self.rng.choice(PLACES + ["198.51.100.9", "127.0.0.1", "10.99.0.30"])
        place = f"[{place}]" if ":" in place else place
        self.set(peer.key, f"endpoint={place}:{self.rng.randrange(1, 65536)}")

    def port(self, _):
        if self.rng.random() < 0.2:
            self.test.port = self.rng.choice(PORTS)
            self.set(f"listen_port={self.test.port}")

    def mark(self, _):
        self.set(f"fwmark={self.rng.choice((0, 7))}")

    def show(self, _):
        self.test.daemon.show()

    def act(self):
        self.rng.choice(self.actions)(self.rng.choice(self.test.peers))
        time.sleep(0.005)

    def restore(self):
        lines = [f"listen_port={PORTS[0]}", "fwmark=0", "replace_peers=true"]
        for peer in self.test.peers:
            peer.node.psk = ZEROS
            lines += [peer.key, f"allowed_ip={peer.address}/32"]
        self.test.port = PORTS[0]
        self.test.daemon.set(*lines)


class World:
    """Changes the network under the daemon. A command may fail because of an earlier change."""

    def __init__(self, test, rng):
        self.test, self.rng, self.home = test, rng, test.a
        self.actions = [self.link, self.address, self.route, self.rule, self.neighbour, self.mac,
                        self.queues, self.mtu, self.tunnel, self.namespace, self.datagrams]

    def run(self, namespace, command):
        return subprocess.run(["nsenter", f"--net=/run/netns/{namespace}", *command.split()],
                              check=False, capture_output=True, text=True)

    def link(self):
        namespace = self.rng.choice((self.test.a, self.test.b))
        self.run(namespace, "ip link set eth0 down")
        self.run(namespace, "ip link set eth0 up")
        self.addresses()

    def addresses(self):
        for namespace, host in ((self.test.a, 1), (self.test.b, 2)):
            self.run(namespace, f"ip address add 192.0.2.{host}/24 dev eth0")
            self.run(namespace, f"ip address add 2001:db8::{host}/64 dev eth0 nodad")
        for place in PLACES:
            length, flag = ("64", "nodad") if ":" in place else ("24", "")
            self.run(self.test.b, f"ip address add {place}/{length} dev eth0 {flag}")

    def address(self):
        host = self.rng.choice((1, 5, 6))
        self.run(self.test.a, f"ip address del 192.0.2.{host}/24 dev eth0")
        self.run(self.test.a, f"ip address add 192.0.2.{host}/24 dev eth0")

    def route(self):
        self.run(self.test.a, self.rng.choice((
            "ip route replace 192.0.2.2/32 dev eth0 mtu 1400", "ip route del 192.0.2.2/32",
            "ip route replace blackhole 192.0.2.21/32", "ip route del blackhole 192.0.2.21/32",
            "ip route replace default via 192.0.2.2", "ip route del default",
            f"ip route replace 10.99.0.0/16 dev {self.test.interface} mtu 1300",
            f"ip route replace 192.0.2.22/32 dev {self.test.interface}",
            "ip route del 192.0.2.22/32")))

    def rule(self):
        verb = self.rng.choice(("add", "del"))
        self.run(self.test.a, self.rng.choice((
            f"ip rule {verb} fwmark 7 lookup 100",
            f"ip rule {verb} ipproto udp sport 51820 lookup 100",
            "ip route replace default via 192.0.2.2 table 100",
            f"ip rule {verb} to 192.0.2.23 unreachable")))

    def neighbour(self):
        place = self.rng.choice(PLACES)
        self.run(self.test.a, self.rng.choice((
            "ip neigh flush dev eth0", f"ip neigh del {place} dev eth0",
            f"ip neigh replace {place} lladdr 02:00:00:00:00:99 dev eth0 nud reachable",
            f"ip neigh replace {place} lladdr 02:00:00:00:00:98 dev eth0 nud permanent")))

    def mac(self):
        namespace = self.rng.choice((self.test.a, self.test.b))
        self.run(namespace,
                 f"ip link set eth0 address 02:00:00:00:00:{self.rng.randrange(16, 64):x}")

    def queues(self):
        count = self.rng.choice((1, 2))
        self.run(self.test.a, f"ethtool -L eth0 rx {count} tx {count}")

    def mtu(self):
        mtu = self.rng.choice((1300, 1500, 1600))
        for namespace in (self.test.a, self.test.b):
            self.run(namespace, f"ip link set eth0 mtu {mtu}")

    def tunnel(self):
        self.run(self.home, f"ip link set {self.test.interface} "
                 f"{self.rng.choice(('down', 'up', 'up', 'mtu 1300', 'mtu 1420'))}")
        self.bring_up()

    def namespace(self):
        home = self.test.c if self.home == self.test.a else self.test.a
        moved = self.run(self.home, f"ip link set {self.test.interface} netns {home}")
        if moved.returncode == 0:
            self.home = home
        self.bring_up()

    def bring_up(self):
        self.run(self.home, f"ip link set {self.test.interface} up")
        self.run(self.home, f"ip address add 10.99.0.1/24 dev {self.test.interface}")

    def datagrams(self):
        """Sends the host's own packets into the tunnel."""
        with wgpeer.namespace(self.home), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for _ in range(200):
                with contextlib.suppress(OSError):
                    s.sendto(b"x" * self.rng.randrange(1400),
                             (f"10.99.0.{self.rng.randrange(2, 40)}", 9))

    def act(self):
        self.rng.choice(self.actions)()

    def restore(self):
        if self.home != self.test.a:
            self.namespace()
        for namespace in (self.test.a, self.test.b):
            for command in ("ip link set eth0 up mtu 1500", "ip route flush table 100",
                            "ip neigh flush dev eth0 nud all", "ip route flush cache"):
                self.run(namespace, command)
        for command in ("ip route del 192.0.2.2/32", "ip route del blackhole 192.0.2.21/32",
                        "ip route del default", "ip route del 192.0.2.22/32",
                        "ethtool -L eth0 rx 2 tx 2"):
            self.run(self.test.a, command)
        for rule in ("fwmark 7 lookup 100", "ipproto udp sport 51820 lookup 100",
                     "to 192.0.2.23 unreachable"):
            while self.run(self.test.a, f"ip rule del {rule}").returncode == 0:
                pass
        self.run(self.test.a, f"ip link set {self.test.interface} mtu 1420")
        self.addresses()
        self.bring_up()
        self.run(self.test.a, f"ip route replace 10.99.0.0/24 dev {self.test.interface}")


class Test:
    def __init__(self, pid, interface, a, b, c, keys, seed):
        self.pid, self.interface, self.a, self.b, self.c = int(pid), interface, a, b, c
        self.hub_public, self.port = key_file(f"{keys}/a.pub"), PORTS[0]
        self.daemon = Daemon(interface, a)
        self.seed, self.over = seed, threading.Event()
        self.world = World(self, random.Random(f"{seed} world"))
        self.world.addresses()
        self.peers = [Peer(n, self, random.Random(f"{seed} peer {n}")) for n in range(PEERS)]
        self.configuration = Configuration(self, random.Random(f"{seed} configuration"))
        self.steps, self.queues = 0, None

    def repeat(self, act):
        while not self.over.is_set():
            act()
            self.steps += 1

    def peers_act(self, peers, rng):
        rng.choice(peers).act()
        time.sleep(0.001)

    def chaos(self, seconds):
        """Runs all threads for @seconds. Returns the exceptions with which threads ended."""
        rng, failed = random.Random(f"{self.seed} turns"), []
        acts = [self.configuration.act, self.world.act,
                lambda: self.peers_act(self.peers[::2], rng),
                lambda: self.peers_act(self.peers[1::2], rng)]

        def guarded(act):
            try:
                self.repeat(act)
            except Exception as error:  # pylint: disable=broad-exception-caught
                failed.append(repr(error))

        self.over.clear()
        threads = [threading.Thread(target=guarded, args=(act,)) for act in acts]
        for thread in threads:
            thread.start()
        self.over.wait(seconds)
        self.over.set()
        for thread in threads:
            thread.join()
        return failed

    def restore(self):
        self.world.restore()
        self.configuration.restore()

    def stuck(self):
        return [peer.address for peer in self.peers if not peer.recovers()]

    def memory_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def files(self):
        """Returns how many files of each kind the daemon has open."""
        kinds, folder = collections.Counter(), f"/proc/{self.pid}/fd"
        for number in os.listdir(folder):
            with contextlib.suppress(OSError):  # the socket was closed meanwhile
                kinds[re.sub(r"\d+", "N", os.readlink(f"{folder}/{number}"))] += 1
        return kinds

    def has_all_queues(self):
        """True if the queues that were in use at the beginning are in use again."""
        return self.daemon.show()["path"]["queues"] == self.queues

    def is_instrumented(self):
        """True if the daemon was built with ASan or TSan, which keep freed memory for a while."""
        with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="replace") as maps:
            return "libasan" in (text := maps.read()) or "libtsan" in text

    def entries(self, name):
        pin = self.daemon.show()["path"].get("pinned")
        if not pin:
            return 0
        return len(json.loads(subprocess.check_output(
            ["bpftool", "-j", "map", "dump", "pinned", f"{pin}/{name}"])))

    def is_empty(self):
        return [self.entries(n) for n in ("sessions", "peers", "allowed4")] == [0, 0, 0]

    def managed(self):
        entries = self.world.run(self.a, "ip -d neighbour show").stdout.splitlines()
        return [entry for entry in entries if "managed" in entry]

    def run(self, seconds):
        warm_up = min(20, seconds / 5)
        self.queues = self.daemon.show()["path"]["queues"]
        self.chaos(warm_up)
        self.restore()
        say("after a warm-up each peer gets a session", not (stuck := self.stuck()), stuck)
        say("after the warm-up all queues are in use", wait_until(self.has_all_queues),
            self.daemon.show()["path"])
        files, memory = self.files(), self.memory_kib()
        failed = self.chaos(seconds - warm_up)
        self.restore()
        say(f"{self.steps} steps were made", not failed, failed)
        say("no peer is stuck", not (stuck := self.stuck()), stuck)
        say("no file is left open", wait_until(lambda: self.files() <= files),
            f"{self.files() - files} more")
        grown = self.memory_kib() - memory
        if not self.is_instrumented():
            say(f"memory grows by less than {GROWS_KIB} KiB ({grown})", grown < GROWS_KIB)
        self.daemon.set("replace_peers=true")
        say("no session, peer or prefix stays in the maps", wait_until(self.is_empty),
            [self.entries(n) for n in ("sessions", "peers", "allowed4")])
        say("no neighbour entry stays managed", wait_until(lambda: not self.managed()),
            self.managed())


def main(*args):
    Test(*args[:-1]).run(float(args[-1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
