#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""floods.py PID INTERFACE A B KEYS VERB ARGUMENT... - the floods of floods.sh and their victims.

    established     floods from the address and port of a peer with a session
    cookies         from which address a cookie is accepted, and how many initiations a source with
                    a cookie may send; needs --handshake-rate 1
    swarm N quick   N initiators behind one address, for a hub that has just started
    swarm N loaded  the same, while a flood keeps the hub under load
    foreign PID INTERFACE  wireguard-go in B; first wgxdp is under load, then wireguard-go

    floods.py peers N KEYS   prints the configuration that the hub needs for the swarm

Prints "ok WHAT" and "not ok WHAT: why". A and B are namespaces; KEYS is as in accounting.py.
"""

import base64
import hashlib
import heapq
import os
import random
import resource
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import nullcontext, suppress

import wgpeer
from accounting import FORGER, INNER, OURS, TO, Bench, bound, drain, say

FLOOD, ROUNDS = 400, 5
BURST, FOREIGN_BURST = 700, 300  # wgxdp is under load at 512 queued messages, wireguard-go at 128
HONEST, OTHER, FLOODER = "192.0.2.2", "192.0.2.3", "192.0.2.66"
RETRY_S, JITTER_S, ATTEMPTS = 5, 0.333, 6  # the sixth attempt begins within 27 s of the first
PROBE_S = 1


def junk(remote, cookie=None):
    """Returns an initiation with correct macs, and random bytes in place of the handshake."""
    body = struct.pack("<II", wgpeer.INITIATION, 7) + os.urandom(108)
    return wgpeer.with_macs(body, remote, cookie=cookie)


class Load(threading.Thread):
    """Within this context a node is under load: @still stops the node again and again, and
    meanwhile @sock sends bursts of initiations to the node."""

    def __init__(self, still, sock, to, remote, burst=BURST):
        super().__init__()
        self.still, self.sock, self.to, self.burst = still, sock, to, burst
        self.message = junk(remote)
        self.over, self.begun = threading.Event(), threading.Event()

    def run(self):
        while not self.over.is_set():
            with self.still():
                for _ in range(self.burst):
                    self.sock.sendto(self.message, self.to)
            self.begun.set()
            self.over.wait(0.4)

    def __enter__(self):
        self.start()
        self.begun.wait()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()


class stopped:
    """Within this context the whole process is stopped."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def answer(sock, node, to=TO, patience_s=5):
    """Sends a new initiation of @node. Returns the answer or None."""
    for _ in drain(sock):
        pass
    sock.settimeout(patience_s)
    sock.sendto(node.initiation(), to)
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            message = sock.recv(65536)
        except TimeoutError:
            return None
        at = 8 if message[0] == wgpeer.RESPONSE else 4
        if message[0] in (wgpeer.RESPONSE, wgpeer.COOKIE) and \
                struct.unpack("<I", message[at:at + 4])[0] == node.pending[1]:
            return message
    return None


def kind(message):
    names = {None: "nothing", wgpeer.RESPONSE: "a response", wgpeer.COOKIE: "a cookie"}
    return names[message and message[0]]


class Floods:
    def __init__(self, bench):
        self.b, self.node = bench, bench.node
        with wgpeer.namespace(bench.b):
            bench.outer = bound(address=HONEST)
            self.flooder = bound(address=FLOODER)
            self.other = bound(self.b.outer.getsockname()[1], address=OTHER)
            self.elsewhere = bound(address=HONEST)

    def load(self, sock):
        return Load(lambda: wgpeer.held(self.b.pid), sock, TO, self.node.remote)

    def under_load(self):
        """True if a message without mac2 gets a cookie reply."""
        for _ in drain(self.elsewhere):
            pass
        self.elsewhere.settimeout(PROBE_S)
        self.elsewhere.sendto(junk(self.node.remote), TO)
        try:
            return self.elsewhere.recv(65536)[0] == wgpeer.COOKIE
        except TimeoutError:
            return False

    def until_calm(self):
        end = time.monotonic() + 20
        while self.under_load():
            if time.monotonic() > end:
                return False
            time.sleep(0.1)
        return True

    def peer(self):
        """Returns what `wg show` says of the peer, without the counters."""
        with wgpeer.namespace(self.b.a):
            rows = subprocess.check_output(["wg", "show", self.b.interface, "dump"], text=True)
        key = base64.b64encode(self.node.public).decode()
        row = next(r.split("\t") for r in rows.splitlines()[1:] if r.startswith(key))
        return row[:5] + row[7:]

    def there_and_back(self):
        """Sends a data message each way. True if both arrive."""
        b = self.b
        b.send(b.good())
        if b.wait_inner(1) != 1:
            return False
        b.inner4.sendto(bytes(8), (FORGER, 9))
        b.outer.settimeout(5)
        try:
            while True:
                message = b.outer.recv(65536)
                if message[0] == wgpeer.DATA and b.session.open(message):
                    return True
        except TimeoutError:
            return False

    # --- an established peer

    def flood(self, what, messages):
        """Sends forgeries from the peer's own socket. @messages(n) yields n forgeries. Each must be
        counted as dropped."""
        b = self.b
        self.there_and_back()
        before, was = b.drops(), self.peer()
        both_ways = 0
        for _ in range(ROUNDS):
            for message in messages(FLOOD):
                b.send(message)
            both_ways += self.there_and_back()
        say(f"{what}: the tunnel carries data both ways", both_ways == ROUNDS,
            f"{both_ways} of {ROUNDS} times")
        end = time.monotonic() + 20
        while True:
            got = {r: n - before.get(r, 0) for r, n in b.drops().items() if n != before.get(r, 0)}
            if sum(got.values()) >= FLOOD * ROUNDS or time.monotonic() > end:
                break
            time.sleep(0.05)
        say(f"{what}: every forgery is counted: {got}", sum(got.values()) == FLOOD * ROUNDS)
        say(f"{what}: the peer is unchanged", self.peer() == was, f"{was}, now {self.peer()}")

    def forged_data(self, count):
        for _ in range(count // 2):
            forged = bytearray(self.b.good())
            forged[-1] ^= 1
            yield bytes(forged)
            yield b"\4\0\0\0" + os.urandom(124)

    def established(self):
        b, node = self.b, self.node
        first = node.initiation()
        b.send(first)
        b.session = node.finish(next(m for m in self.answers(b.outer) if m[0] == wgpeer.RESPONSE))
        say("there is a session", self.there_and_back())
        index = b.session.remote_index
        self.flood("junk", lambda n: (os.urandom(random.randrange(1, 200)) for _ in range(n)))
        self.flood("forged data", self.forged_data)
        self.flood("replays of the peer's initiation", lambda n: (first for _ in range(n)))
        self.flood("initiations with a right mac1", lambda n: (junk(node.remote) for _ in range(n)))
        self.flood("responses", lambda n: (
            wgpeer.with_macs(struct.pack("<III", 2, 9, index) + os.urandom(48), node.remote)
            for _ in range(n)))
        self.flood("cookie replies", lambda n: (
            struct.pack("<II", 3, index) + os.urandom(56) for _ in range(n)))
        self.renewed()

    def answers(self, sock):
        sock.settimeout(5)
        while True:
            yield sock.recv(65536)

    def renewed(self):
        """A flood that seems to come from the peer keeps the hub under load."""
        b, node = self.b, self.node
        with self.load(b.outer):
            reply = answer(b.outer, node)
            say("under load: an initiation gets a cookie", reply and reply[0] == wgpeer.COOKIE,
                kind(reply))
            node.take_cookie(reply)
            again = node.initiation()
            b.send(again)
            b.session = node.finish(next(
                m for m in self.answers(b.outer) if m[0] == wgpeer.RESPONSE))
            say("under load: with the cookie there is a session", self.there_and_back())
            time.sleep(0.1)  # the hub accepts 50 initiations a second from a peer
            before = b.drops()
            b.send(again, 400)
            reply = answer(b.outer, node)
            say("under load: 400 replays of the peer's initiation with its mac2 do not use up "
                "the peer's share", kind(reply) == "a response",
                f"{kind(reply)}; {before}, now {b.drops()}")
            if kind(reply) == "a response":
                b.session = node.finish(reply)
            say("under load: the session is renewed", self.there_and_back())

    # --- cookies

    def cookies(self):
        b, node = self.b, self.node
        with self.load(self.flooder):
            say("another source keeps the hub under load", self.under_load())
            reply = answer(b.outer, node)
            say("an initiation gets a cookie", kind(reply) == "a cookie", kind(reply))
            node.take_cookie(reply)
            reply = answer(self.elsewhere, node)
            say("the cookie is not accepted from another port", kind(reply) == "a cookie",
                kind(reply))
            reply = answer(self.other, node)
            say("the cookie is not accepted from another address", kind(reply) == "a cookie",
                kind(reply))
            reply = answer(b.outer, node)
            say("the cookie is accepted from the address that it was sent to",
                kind(reply) == "a response", kind(reply))
            b.session = node.finish(reply)
            say("after that there is a session", self.there_and_back())
            self.limited()
        self.queue_full()

    def limited(self):
        """A source with a cookie exceeds its limit, which is a burst of 200 initiations and then
        one a second."""
        b, node = self.b, self.node
        probe = wgpeer.Node(b.key("second.key"), node.remote)
        probe.take_cookie(answer(self.other, probe))
        before, count = b.drops(), 2000
        for i in range(count):
            self.other.sendto(junk(node.remote, probe.cookie), TO)
            if i % 100 == 99:
                time.sleep(0.01)
        end = time.monotonic() + 20
        while True:
            got = {r: b.drops().get(r, 0) - before.get(r, 0)
                   for r in ("bad_handshake", "rate_limited")}
            if sum(got.values()) == count or time.monotonic() > end:
                break
            time.sleep(0.05)
        say(f"a source with a valid cookie gets its share: {got}",
            sum(got.values()) == count and 200 <= got["bad_handshake"] <= 230)
        reply = answer(b.outer, node)
        say("another source gets its share, too", kind(reply) == "a response", kind(reply))
        b.session = node.finish(reply)
        say("that source has a session", self.there_and_back())

    def queue_full(self):
        """Sends more messages than the queue holds. Once they are handled, no cookie is needed."""
        b = self.b
        self.until_calm()
        before = b.drops()
        with wgpeer.held(b.pid):
            for _ in range(10000):
                self.flooder.sendto(junk(self.node.remote), TO)
        end, got = time.monotonic() + 20, {}
        while sum(got.values()) < 10000 and time.monotonic() < end:
            got = {r: b.drops().get(r, 0) - before.get(r, 0) for r in ("no_mac2", "queue_full")}
            time.sleep(0.05)
        say(f"each of 10000 messages sent at once is counted: {got}", sum(got.values()) == 10000)
        say("the load passes", self.until_calm())
        self.node.cookie = None
        reply = answer(b.outer, self.node)
        say("after the load an initiation needs no cookie", kind(reply) == "a response",
            kind(reply))


# --- a swarm --------------------------------------------------------------------------------------


def member_key(i):
    return hashlib.blake2s(b"member of the swarm" + struct.pack("<I", i)).digest()


def member_address(i):
    return f"10.98.{i >> 8}.{i & 255}"


def print_peers(count):
    for i in range(count):
        key = base64.b64encode(wgpeer.public_of(member_key(i))).decode()
        print(f"[Peer]\nPublicKey = {key}\nAllowedIPs = {member_address(i)}/32")


class Member:
    def __init__(self, i, remote):
        self.node = wgpeer.Node(member_key(i), remote)
        self.address, self.sock = member_address(i), bound(address=HONEST)
        self.attempts, self.session, self.heard, self.cookies = 0, None, False, 0

    def initiate(self):
        self.attempts += 1
        self.sock.sendto(self.node.initiation(), TO)

    def take(self, message):
        """Handles @message. Returns true if it completes the handshake."""
        if message[0] == wgpeer.COOKIE:
            with suppress(ValueError):  # a reply to an older initiation
                self.node.take_cookie(message)
                self.cookies += 1
        elif message[0] == wgpeer.RESPONSE and not self.session:
            with suppress(ValueError):
                self.session = self.node.finish(message)
            if not self.session:
                return False
            self.sock.sendto(self.session.seal(wgpeer.ipv4(self.address, OURS, (1, INNER))), TO)
            return True
        elif message[0] == wgpeer.DATA and self.session:
            self.heard |= bool(self.session.open(message))
        return False


class Swarm:
    """@count initiators, each with a timer of 5 s and some jitter, [W] 6.4."""

    def __init__(self, floods, count):
        self.f, self.b = floods, floods.b
        resource.setrlimit(resource.RLIMIT_NOFILE, (count + 500, max(
            count + 500, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        with wgpeer.namespace(self.b.b):
            self.members = [Member(i, self.b.node.remote) for i in range(count)]
        self.by_fd = {m.sock.fileno(): m for m in self.members}
        self.poller = select.poll()
        for m in self.members:
            m.sock.setblocking(False)
            self.poller.register(m.sock, select.POLLIN)
        self.rng = random.Random(1)

    def connect(self, still):
        """Runs until all members have a session, or a member has used up its attempts."""
        due = []
        with still:  # so that the hub finds all initiations at the same time
            for n, m in enumerate(self.members):
                m.initiate()
                heapq.heappush(due, (time.monotonic() + self.retry_s(), n))
        left = len(self.members)
        while left:
            left -= self.take(max(0, due[0][0] - time.monotonic()))
            if due[0][0] > time.monotonic():
                continue
            n = heapq.heappop(due)[1]
            m = self.members[n]
            if not m.session:
                if m.attempts == ATTEMPTS:
                    return
                m.initiate()
            heapq.heappush(due, (time.monotonic() + self.retry_s(), n))

    def retry_s(self):
        return RETRY_S + self.rng.uniform(0, JITTER_S)

    def take(self, patience_s):
        made = 0
        for fd, _ in self.poller.poll(patience_s * 1000):
            for message in drain(self.by_fd[fd].sock):
                made += self.by_fd[fd].take(message)
        return made

    def run(self, how):
        count, before = len(self.members), self.b.drops()
        if how == "loaded":
            with self.f.load(self.f.flooder):
                self.connect(nullcontext())
        else:
            self.connect(wgpeer.held(self.b.pid))
        back = sum(m.session is not None for m in self.members)
        worst = max(m.attempts for m in self.members)
        say(f"{back} of {count} initiators behind one address have a session, after at most "
            f"{worst} attempts", back == count)
        cookies = sum(m.cookies for m in self.members)
        say(f"under load the hub sends {cookies} cookies", cookies >= (count // 2))
        arrived = self.b.wait_inner(count)
        say("the data of all peers arrives", arrived == count, f"{arrived}")
        for m in self.members:
            self.b.inner4.sendto(bytes(8), (m.address, 9))
        end = time.monotonic() + 10
        while not all(m.heard for m in self.members) and time.monotonic() < end:
            self.take(0.1)
        heard = sum(m.heard for m in self.members)
        say("the hub's data for all peers arrives", heard == count, f"{heard}")
        if how == "quick":
            full = self.b.drops().get("queue_full", 0) - before.get("queue_full", 0)
            say("the queue was never full", full == 0, f"{full}")


# --- wireguard-go ---------------------------------------------------------------------------------


class Sniffer:
    """Reads the initiations that a node sends, and records whether each has a mac2."""

    def __init__(self, namespace, source):
        with wgpeer.namespace(namespace):
            self.tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.tap.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
            self.tap.bind(("eth0", 3))
        self.source = socket.inet_aton(source)

    def initiations(self):
        found = []
        for ip in drain(self.tap):
            if len(ip) == 28 + 148 and ip[12:16] == self.source and ip[28] == wgpeer.INITIATION:
                found.append(ip[160:176] != bytes(16))
        return found


def pings(namespace, address):
    return subprocess.run(["nsenter", f"--net=/run/netns/{namespace}", "ping", "-q", "-c", "1",
                           "-w",
                           "20", address], check=False, stdout=subprocess.DEVNULL).returncode == 0


def cookie_obeyed(what, sniffer, load, ping):
    with load:
        good = ping()
        seen = sniffer.initiations()
    say(f"{what}: there is a session", good)
    say(f"{what}: the first initiation has no mac2, and a later one has: {seen}",
        seen and not seen[0] and seen[-1])


def foreign(floods, go_pid, interface):
    b = floods.b
    with wgpeer.namespace(b.a):
        flooder = bound(address="192.0.2.67")
    cookie_obeyed("wgxdp under load, wireguard-go begins", Sniffer(b.b, "192.0.2.2"),
                  floods.load(floods.flooder), lambda: pings(b.b, OURS))
    go = wgpeer.public_of(b.key("go.key"))
    with wgpeer.namespace(b.b):
        subprocess.run(["wg", "set", interface, "peer", base64.b64encode(wgpeer.public_of(
            b.key("a2.key"))).decode(), "allowed-ips", f"{OURS}/32"], check=True)
    b.run_in_a("wg", "set", b.interface, "private-key", os.path.join(b.keys, "a2.key"))
    cookie_obeyed("wireguard-go under load, wgxdp begins", Sniffer(b.a, "192.0.2.1"),
                  Load(lambda: stopped(go_pid), flooder, ("192.0.2.2", 51822), go,
                       FOREIGN_BURST),
                  lambda: pings(b.a, "10.99.0.9"))


def main(pid, interface, a, b, keys, verb, *arguments):
    floods = Floods(Bench(pid, interface, a, b, keys))
    if verb == "swarm":
        Swarm(floods, int(arguments[0])).run(arguments[1])
    elif verb == "foreign":
        foreign(floods, int(arguments[0]), arguments[1])
    else:
        getattr(floods, verb)()


if __name__ == "__main__":
    if sys.argv[1] == "peers":
        print_peers(int(sys.argv[2]))
    else:
        main(*sys.argv[1:])
