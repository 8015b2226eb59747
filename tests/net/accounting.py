#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""accounting.py PID INTERFACE A B KEYS mixed N | reasons PATH | sources PATH - sends the packets of
accounting.sh.

Prints "ok WHAT" and "not ok WHAT: why". A and B are namespaces; KEYS a directory with a.pub,
forger.key, second.key and psk. The daemon under test listens in A at 192.0.2.1:51821.
"""

import base64
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time

import wgpeer
from wire import PATIENCE_S

OURS, OURS6 = "10.99.0.1", "fd99::1"
FORGER, FORGER6 = "10.99.0.2", "fd99::2"  # allowed IPs of the peer that forges packets
SILENT, LOST, NOBODY = "10.99.0.3", "10.99.0.4", "10.99.0.77"
TO = ("192.0.2.1", 51821)
INNER = 7000  # UDP port of the packets in the tunnel


def say(what, good, why=""):
    print(f"ok {what}" if good else f"not ok {what}: {why}", flush=True)


def bound(port=0, buffer=1 << 28, address=""):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, 33, buffer)  # SO_RCVBUFFORCE
    s.bind((address, port))
    return s


def drain(sock):
    """Yields all datagrams that are queued at @sock."""
    sock.setblocking(False)
    while True:
        try:
            yield sock.recv(65536)
        except BlockingIOError:
            return


class Bench:
    """The daemon under test, the host that it serves, and the host that attacks it."""

    def __init__(self, pid, interface, a, b, keys):
        self.pid, self.interface, self.a, self.b, self.keys = int(pid), interface, a, b, keys
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(f"/run/wgxdp/{interface}.sock")
        self.lines = self.control.makefile("r")
        with wgpeer.namespace(a):
            self.inner4 = bound(INNER, address=OURS)
            self.inner6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.inner6.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)
            self.inner6.bind((OURS6, INNER))
        with wgpeer.namespace(b):
            self.outer = bound()
        self.node = wgpeer.Node(self.key("forger.key"), self.key("a.pub"), self.key("psk"))

    def key(self, name):
        with open(os.path.join(self.keys, name), encoding="ascii") as f:
            return base64.b64decode(f.read())

    def show(self):
        self.control.sendall(b'{"op":"show"}\n')
        return json.loads(self.lines.readline())

    def drops(self):
        shown = self.show()
        return shown["drops"] | shown["lost"]

    def connect(self):
        self.session = self.node.connect(self.outer, TO)
        self.send(self.session.seal(wgpeer.ipv4(FORGER, OURS, (1, INNER))))
        self.wait_inner(1)

    def send(self, message, times=1):
        for _ in range(times):
            select.select([], [self.outer], [], PATIENCE_S)  # waits for room in the send buffer
            self.outer.sendto(message, TO)

    def good(self, **how):
        return self.session.seal(wgpeer.ipv4(FORGER, OURS, (1, INNER), bytes(8)), **how)

    def wait_inner(self, want):
        """Waits for @want datagrams at the host's sockets. Returns how many came."""
        got, end = 0, time.monotonic() + PATIENCE_S
        while got < want and time.monotonic() < end:
            got += sum(1 for s in (self.inner4, self.inner6) for _ in drain(s))
            time.sleep(0.002)
        return got

    def wait_now(self):
        return sum(1 for s in (self.inner4, self.inner6) for _ in drain(s))

    def veth_drops(self):
        total = 0
        for ns in (self.a, self.b):
            with wgpeer.namespace(ns):
                links = json.loads(subprocess.check_output(
                    ["ip", "-j", "-s", "link", "show", "dev", "eth0"]))
            total += links[0]["stats64"]["tx"]["dropped"]
        return total

    def run_in_a(self, *command):
        with wgpeer.namespace(self.a):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


# --- mixed ----------------------------------------------------------------------------------------


class Mix:
    """Makes messages, each with the drop reason that it must cause, or None if it must pass."""

    def __init__(self, bench, seed):
        self.b, self.rng = bench, random.Random(seed)
        self.old = None
        self.kinds = [
            (60, self.good), (6, self.bad_tag), (6, self.replayed), (6, self.truncated),
            (6, self.unknown), (4, self.unallowed), (3, self.bad_inner), (3, self.wrong_type),
            (2, self.wrong_length), (2, self.expired), (2, self.bad_mac1),
        ]
        self.weights = [w for w, _ in self.kinds]

    def inner(self):
        if self.rng.random() < 0.3:
            return wgpeer.ipv6(FORGER6, OURS6, (1, INNER), bytes(self.rng.randrange(64)))
        return wgpeer.ipv4(FORGER, OURS, (1, INNER), bytes(self.rng.randrange(64)))

    def good(self):
        self.old = self.b.session.seal(self.inner())
        return None, self.old

    def bad_tag(self):
        message = bytearray(self.b.session.seal(self.inner()))
        message[self.rng.randrange(16, len(message))] ^= 1 << self.rng.randrange(8)
        return "bad_tag", bytes(message)

    def replayed(self):
        return ("replayed", self.old) if self.old else self.good()

    def truncated(self):
        message = self.b.session.seal(self.inner())
        length = self.rng.randrange(len(message))
        return "malformed" if length < 32 else "bad_tag", message[:length]

    def unknown(self):
        index = (self.b.session.remote_index + self.rng.randrange(1, 1 << 31)) % 2**32
        return "unknown_index", self.b.session.seal(self.inner(), index=index)

    def unallowed(self):
        inner = self.rng.choice((
            wgpeer.ipv4(SILENT, OURS, (1, INNER)), wgpeer.ipv4(NOBODY, OURS, (1, INNER)),
            wgpeer.ipv6("fd99::3", OURS6, (1, INNER))))
        return "unallowed_source", self.b.session.seal(inner)

    def bad_inner(self):
        inner = self.rng.choice((
            b"\x00" * 32, b"\x45" + bytes(15), self.inner()[:-1][:24] + bytes(1)))
        if len(inner) == 25:
            inner = inner[:2] + b"\xff\xff" + inner[4:]
            if inner[0] >> 4 == 6:
                inner = inner[:16]
        return "bad_inner", self.b.session.seal(inner)

    def wrong_type(self):
        message = bytearray(self.b.session.seal(self.inner()))
        at = self.rng.randrange(4)
        message[at] = self.rng.randrange(5, 256) if at == 0 else self.rng.randrange(1, 256)
        return "malformed", bytes(message)

    def wrong_length(self):
        kind, length = self.rng.choice(((1, 148), (2, 92), (3, 64)))
        length = self.rng.choice([n for n in (32, 64, 91, 93, 147, 149, 200) if n != length])
        return "malformed", struct.pack("<I", kind) + bytes(length - 4)

    def expired(self):
        counter = wgpeer.REJECT_AFTER_MESSAGES + self.rng.randrange(1 << 12)
        return "expired", self.b.session.seal(self.inner(), counter=counter)

    def bad_mac1(self):
        return "bad_mac1", struct.pack("<II", 1, 7) + self.rng.randbytes(140)

    def next(self):
        return self.rng.choices(self.kinds, self.weights)[0][1]()


class Tally:
    def __init__(self, bench):
        self.b = bench
        self.sent = self.arrived = self.left = 0

    def collect(self):
        self.arrived += sum(1 for s in (self.b.inner4, self.b.inner6) for _ in drain(s))
        self.left += sum(1 for m in drain(self.b.outer) if m[0] == wgpeer.DATA and len(m) > 32)

    def settle(self, before, veth):
        """Waits until every packet is accounted for, but at most PATIENCE_S. Returns how many are
        missing, and what the daemon shows then."""
        end = time.monotonic() + PATIENCE_S
        while True:
            self.collect()
            shown = self.b.show()
            missing = (self.sent - self.arrived - self.left - (shown["dropped"] - before["dropped"])
                       - (self.b.veth_drops() - veth))
            if not missing or time.monotonic() > end:
                return missing, shown
            time.sleep(0.05)


def mixed(b, count):
    """Sends @count packets: the host sends a fifth of them into the tunnel, and the peer the
    others."""
    b.connect()
    before, veth = b.show(), b.veth_drops()
    mix, tally, want = Mix(b, 1), Tally(b), {}
    for i in range(count):
        tally.sent += 1
        if i % 5 == 0:
            b.inner4.sendto(bytes(i % 600), (FORGER, 9))
        else:
            reason, message = mix.next()
            want[reason] = want.get(reason, 0) + 1
            b.send(message)
        if i % 500 == 499:
            tally.collect()
    missing, after = tally.settle(before, veth)
    say(f"{count} packets sent, {tally.arrived} in, {tally.left} out, "
        f"{after['dropped'] - before['dropped']} dropped: all are accounted for", missing == 0,
        f"{missing} missing; drops {after['drops']}, lost {after['lost']}")
    got = {r: n - before["drops"].get(r, 0) for r, n in after["drops"].items()}
    got = {r: n for r, n in got.items() if n}
    arrived = want.pop(None)
    lost = sum(after["lost"].values()) - sum(before["lost"].values()) + b.veth_drops() - veth
    if lost:  # the kernel does not report which packets it lost
        say(f"{lost} packets were lost by the kernel; no reason is counted too often",
            all(n <= want.get(r, 0) for r, n in got.items()), f"{got} of {want}")
    else:
        say("each drop has its reason", got == want and tally.arrived == arrived,
            f"got {got} and {tally.arrived} arrived, want {want} and {arrived}")
    peer = next(p for p in after["peers"] if p["endpoint"].startswith("192.0.2.2:"))
    was = next(p for p in before["peers"] if p["public_key"] == peer["public_key"])
    authentic = tally.arrived + sum(got.get(r, 0) for r in ("unallowed_source", "bad_inner"))
    say("rx_packets of the peer counts the authentic packets", lost or
        peer["rx_packets"] - was["rx_packets"] == authentic,
        f"{peer['rx_packets'] - was['rx_packets']}, not {authentic}")


# --- reasons --------------------------------------------------------------------------------------


class Reasons:
    """Causes the drop reasons one by one, except those that accounting.sh lists."""

    def __init__(self, bench, path):
        self.b, self.path = bench, path

    def expect(self, what, want, act, goes=0):
        """act() must cause the drops @want: a dictionary {reason: packets}, or a function that
        returns true for an acceptable dictionary. @goes datagrams reach the host."""
        right = want if callable(want) else lambda got: got == want
        self.b.wait_now()
        before = self.b.drops()
        act()
        came = self.b.wait_inner(goes)
        end = time.monotonic() + PATIENCE_S
        while True:
            after = self.b.drops()
            got = {r: n - before.get(r, 0) for r, n in after.items() if n != before.get(r, 0)}
            if right(got) or time.monotonic() > end:
                break
            time.sleep(0.02)
        came += self.b.wait_now()
        say(f"{what}: the drops are {got}", right(got) and came == goes,
            f"want {want}; {came} reached the host")

    def from_a(self, to, times, size=8):
        for _ in range(times):
            self.b.inner4.sendto(bytes(size), (to, 9))

    def wg(self, *words):
        self.b.run_in_a("wg", "set", self.b.interface, *words)

    def outside(self):
        b, s = self.b, self.b.session
        self.expect("shorter than any message", {"malformed": 1}, lambda: b.send(b"\4\0\0\0"))
        self.expect("an empty datagram", {"malformed": 1}, lambda: b.send(b""))
        self.expect("the largest datagrams of junk", {"malformed": 3, "unknown_index": 3}, lambda: (
            b.send(b"\x05" + bytes(65506), 3), b.send(b"\x04" + bytes(65506), 3)))
        self.expect("the largest forged messages of the session", {"bad_tag": 3}, lambda: b.send(
            wgpeer.data_message(s.remote_index, 7, bytes(65491)), 3))
        self.expect("a message with a reserved byte set", {"malformed": 1},
                    lambda: b.send(b"\4\1" + bytes(60)))
        self.expect("data for an unknown index", {"unknown_index": 2}, lambda: b.send(
            b.good(index=s.remote_index ^ 1), 2))
        self.expect("a response for an unknown index", {"unknown_index": 1}, lambda: b.send(
            wgpeer.with_macs(struct.pack("<III", 2, 9, s.remote_index ^ 1) + bytes(48),
                             b.node.remote)))
        self.expect("an unsolicited response", {"not_pending": 1}, lambda: b.send(
            wgpeer.with_macs(struct.pack("<III", 2, 9, s.remote_index) + bytes(48),
                             b.node.remote)))

    def data(self):
        b, s = self.b, self.b.session
        self.expect("a counter above the limit", {"expired": 2}, lambda: (
            b.send(b.good(counter=wgpeer.REJECT_AFTER_MESSAGES)),
            b.send(b.good(counter=2**64 - 1))))
        forged = bytearray(b.good())
        forged[-1] ^= 1
        self.expect("a forged tag", {"bad_tag": 3}, lambda: b.send(bytes(forged), 3))
        twice = b.good()
        self.expect("a message that is sent twice", {"replayed": 1}, lambda: b.send(twice, 2), 1)
        s.counter += 20000
        self.expect("a counter far ahead", {}, lambda: b.send(b.good()), 1)
        self.expect("counters behind the window", {"too_old": 2}, lambda: (
            b.send(b.good(counter=s.counter - 8200)), b.send(b.good(counter=100))))
        self.expect("data that is no IP packet", {"bad_inner": 2}, lambda: (
            b.send(s.seal(bytes(40))), b.send(s.seal(b"\x45" + bytes(31)))))
        self.expect("data with another peer's source", {"unallowed_source": 1}, lambda: b.send(
            s.seal(wgpeer.ipv4(SILENT, OURS, (1, INNER)))))
        self.expect("data with a source of no peer", {"unallowed_source": 1}, lambda: b.send(
            s.seal(wgpeer.ipv4(NOBODY, OURS, (1, INNER)))))
        self.expect("a keepalive, which is not dropped", {}, lambda: b.send(s.seal(b"")))

    def handshakes(self):
        b = self.b
        junk = struct.pack("<II", 1, 7) + bytes(108)
        right = wgpeer.with_macs(junk, b.node.remote)
        self.expect("initiations with a wrong mac1", {"bad_mac1": 2}, lambda: (
            b.send(wgpeer.with_macs(junk, b.node.remote, bytes(16)), 2)))
        self.expect("an initiation from an unknown key", {"bad_handshake": 1},
                    lambda: b.send(right))
        time.sleep(0.1)
        first, second = b.node.initiation(), b.node.initiation()
        self.expect("the second of two initiations at once", {"rate_limited": 1}, lambda: (
            b.send(first), b.send(second)))
        time.sleep(0.1)
        self.expect("a replayed initiation", {"old_timestamp": 1}, lambda: b.send(first))
        self.expect("an unsolicited cookie reply", {"bad_cookie": 1}, lambda: b.send(
            struct.pack("<II", 3, b.session.remote_index) + bytes(56)))

        def flood():
            with wgpeer.held(b.pid):  # stops the daemon's control thread
                b.send(right, 10000)
        # Both queue_full and no_mac2 occur. How often each occurs depends on the number of workers
        # that receive the messages.
        self.expect("more initiations than the queue holds",
                    lambda got: set(got) == {"queue_full", "no_mac2"} and
                    sum(got.values()) == 10000, flood)
        time.sleep(1.5)  # wait until the daemon is no longer under load

    def outgoing(self):
        b = self.b
        self.expect("packets to no peer", {"no_peer": 200}, lambda: self.from_a(NOBODY, 200))
        self.expect("packets to a peer without endpoint", {"no_endpoint": 3},
                    lambda: self.from_a(LOST, 3))
        self.expect("packets to a peer that never answers", {"staged_full": 5},
                    lambda: self.from_a(SILENT, 133))
        self.expect("staged packets of a removed peer", {"no_session": 128}, lambda: self.wg(
            "peer", SILENT_KEY(b), "remove"))
        b.run_in_a("ip", "link", "set", b.interface, "mtu", "65535")
        self.expect("a packet larger than a frame", {"too_big": 1},
                    lambda: self.from_a(FORGER, 1, 65507))
        self.expect("a packet larger than a datagram", {"send_failed": 1},
                    lambda: self.from_a(FORGER, 1, 65460))
        b.run_in_a("ip", "link", "set", b.interface, "mtu", "1420")

    def inside(self):
        b = self.b
        pin = f"/sys/fs/bpf/wgxdp/{b.interface}/allowed4"
        key = ["key", "hex", "20", "0", "0", "0", "0a", "63", "0", "2"]
        slot = json.loads(subprocess.check_output(
            ["bpftool", "-j", "map", "lookup", "pinned", pin, *key]))["value"]
        subprocess.run(["bpftool", "map", "delete", "pinned", pin, *key], check=True)
        self.expect("a packet whose prefix is missing in the map", {"inject_mismatch": 1},
                    lambda: b.send(b.good()))
        subprocess.run(["bpftool", "map", "update", "pinned", pin, *key, "value", "hex",
                        *(v[2:] for v in slot)], check=True, stdout=subprocess.DEVNULL)
        self.expect("a packet whose prefix is in the map again", {}, lambda: b.send(b.good()), 1)

    def losses(self):
        """While the workers are stopped, the kernel drops packets. How many it drops varies, but
        each must be counted."""
        b = self.b
        full = b.session.seal(wgpeer.ipv4(FORGER, OURS, (1, INNER), bytes(1372)))
        self.lose("packets in", {"xdp": "xsk_rx", "udp": "udp_rx"}[self.path], 10000,
                  lambda i: b.send(full if i else b.good()))
        self.lose("packets out", "tun_tx", 1500, lambda i: self.from_a(FORGER, 1))

    def lose(self, what, name, count, act):
        """Calls act() @count times while all workers are stopped. The kernel must lose some of the
        packets, which the daemon counts as @name. Every packet must be accounted for. All workers
        are stopped, because the kernel chooses the TUN queue of a flow, and each queue belongs to
        one worker."""
        b, tally = self.b, Tally(self.b)
        tally.collect()
        tally.arrived = tally.left = 0
        before, veth = b.show(), b.veth_drops()
        with wgpeer.held(*wgpeer.workers_of(b.pid)):
            for i in range(count):
                act(i)
        tally.sent = count
        missing, after = tally.settle(before, veth)
        lost = {k: n - before["lost"].get(k, 0) for k, n in after["lost"].items()}
        say(f"{what} without a worker: {lost.get(name, 0)} of {count} are lost as {name}, "
            "and all are accounted for", missing == 0 and lost.get(name, 0) > 0,
            f"{missing} missing, lost {lost}")

    def link_lost(self):
        """The NIC loses its carrier while the control thread is stopped."""
        b = self.b

        def act():
            with wgpeer.held(b.pid), wgpeer.namespace(b.b):
                subprocess.run(["ip", "link", "set", "eth0", "down"], check=True)
                self.from_a(FORGER, 20)
                time.sleep(0.2)
                subprocess.run(["ip", "link", "set", "eth0", "up"], check=True)
        self.expect("packets for a NIC without carrier", {"xsk_tx": 20}, act)

    def other_port(self):
        """When the port changes, the counts of the closed sockets are kept."""
        b, before = self.b, self.b.show()
        self.wg("listen-port", "51822")
        self.wg("listen-port", str(TO[1]))
        after = b.show()
        say("the port changes and changes back, and no count is lost",
            all(after[k] == before[k] for k in ("drops", "lost", "dropped")) and
            after["path"]["rx_packets"] == before["path"]["rx_packets"], f"{before} {after}")
        b.send(b.good())
        say("the session still works after that", b.wait_inner(1) == 1)

    def without_us(self):
        b = self.b
        self.wg("private-key", "/dev/null")
        self.expect("an initiation to a daemon without private key", {"down": 1},
                    lambda: b.send(b.node.initiation()))

    def run(self):
        self.outside()
        self.data()
        self.handshakes()
        self.outgoing()
        self.inside()
        self.losses()
        if self.path == "xdp":
            self.link_lost()
        self.other_port()
        self.without_us()


# --- sources --------------------------------------------------------------------------------------


class Sources:
    """The longest prefix over all peers decides which peer may send from an address.

    The forger has 10.99.0.0/24 and fd99::/64. The second peer has 10.99.0.5 and fd99::5, which lie
    within these prefixes."""

    def __init__(self, bench):
        self.b = bench
        self.second = wgpeer.Node(bench.key("second.key"), bench.key("a.pub"))
        with wgpeer.namespace(bench.b):
            self.second_outer, self.roamed = bound(), bound()
        self.second_session = self.second.connect(self.second_outer, TO)

    def endpoint_port(self, node):
        with wgpeer.namespace(self.b.a):
            lines = subprocess.check_output(["wg", "show", self.b.interface, "endpoints"],
                                            text=True)
        ends = dict(line.split("\t") for line in lines.splitlines())
        return int(ends[base64.b64encode(node.public).decode()].rpartition(":")[2])

    def moved_to(self, node, sock, patience_s):
        """True if @node's endpoint becomes the address of @sock within @patience_s."""
        port, end = sock.getsockname()[1], time.monotonic() + patience_s
        while self.endpoint_port(node) != port:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def try_from(self, what, session, sock, source, goes):
        make, ours = (wgpeer.ipv6, OURS6) if ":" in source else (wgpeer.ipv4, OURS)
        before = self.b.drops().get("unallowed_source", 0)
        sock.sendto(session.seal(make(source, ours, (1, INNER))), TO)
        if goes:
            say(f"{what} {source}: the packet passes", self.b.wait_inner(1) == 1)
            return
        end = time.monotonic() + PATIENCE_S
        while self.b.drops().get("unallowed_source", 0) == before and time.monotonic() < end:
            time.sleep(0.02)
        say(f"{what} {source}: the packet is dropped and counted once", not self.b.wait_now() and
            self.b.drops().get("unallowed_source", 0) == before + 1)

    def run(self):
        b = self.b
        for net in ("10.99.0.", "fd99::"):
            self.try_from("the wide prefix, from", b.session, b.outer, net + "6", True)
            self.try_from("the wide prefix, from", b.session, b.outer, net + "5", False)
            self.try_from("the narrow prefix, from", self.second_session, self.second_outer,
                          net + "5", True)
            self.try_from("the narrow prefix, from", self.second_session, self.second_outer,
                          net + "6", False)
        say("the endpoint has not changed", self.moved_to(b.node, b.outer, 0))
        forged = bytearray(b.good())
        forged[20] ^= 1
        self.roamed.sendto(bytes(forged), TO)
        twice = b.good()
        b.send(twice)
        self.roamed.sendto(twice, TO)
        say("the endpoint follows neither a forgery nor a replay",
            not self.moved_to(b.node, self.roamed, 0.3))
        b.wait_inner(1)
        self.try_from("from another port and", b.session, self.roamed, "10.99.0.5", False)
        say("the endpoint follows data that was dropped for its source",
            self.moved_to(b.node, self.roamed, PATIENCE_S))
        key = base64.b64encode(self.second.public).decode()
        b.run_in_a("wg", "set", b.interface, "peer", key, "remove")
        for net in ("10.99.0.", "fd99::"):
            self.try_from("without the narrow prefix, from", b.session, b.outer, net + "5", True)


def SILENT_KEY(b):
    return next(p["public_key"] for p in b.show()["peers"] if p["endpoint"] == "192.0.2.2:9")


def main(pid, interface, a, b, keys, what, argument):
    bench = Bench(pid, interface, a, b, keys)
    if what == "mixed":
        mixed(bench, int(argument))
    else:
        bench.connect()
        if what == "reasons":
            Reasons(bench, argument).run()
        else:
            Sources(bench).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
