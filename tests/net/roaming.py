#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""roaming.py INTERFACE A B KEYS PATH - what changes a peer's endpoint, and what must not.

Prints "ok WHAT" and "not ok WHAT: why". The daemon under test listens in A at 192.0.2.1 and
2001:db8::1, port 51820; KEYS is a directory with a.pub, b.key and silent.pub. PATH: xdp or udp.
"""

import json
import os
import select
import socket
import subprocess
import sys
import time

import wgpeer
from wire import (PATIENCE_S, SILENCE_S, Daemon, Raw, bound, drain, key_file, mac_of_link, receive,
                  say, wait_until)

PORT, INNER = 51820, 7000
A4, A6, OTHER4 = "192.0.2.1", "2001:db8::1", "192.0.2.12"
B4, B6, ELSE4, ELSE6 = "192.0.2.2", "2001:db8::2", "192.0.2.3", "2001:db8::3"


def text(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Roaming:
    def __init__(self, interface, a, b, keys, path):
        self.path, self.b_ns, self.keys = path, b, keys
        self.d = Daemon(interface, a)
        self.node = wgpeer.Node(key_file(f"{keys}/b.key"), key_file(f"{keys}/a.pub"))
        self.inner = bound(a, "10.99.0.1", INNER)
        self.home = bound(b, B4)
        self.raw = Raw(b, "eth0", mac_of_link(a, "eth0"))
        self.session = self.node.connect(self.home, (A4, PORT))

    # --- helpers ---

    def endpoint(self):
        return self.d.endpoint(self.node.public)

    def data(self, **how):
        return self.session.seal(
            wgpeer.ipv4("10.99.0.2", "10.99.0.1", (1, INNER), bytes(8)), **how)

    def count(self, want):
        got, end = 0, time.monotonic() + (PATIENCE_S if want else SILENCE_S)
        while got < want or not want:
            got += sum(1 for _ in drain(self.inner))
            if time.monotonic() > end:
                break
            time.sleep(0.01)
        return got

    def at_home(self):
        """Sends a valid message from the home address. Returns true if the message arrives and the
        endpoint becomes the home address."""
        self.home.sendto(self.data(), (A4, PORT))
        came = self.count(1)
        where = text(*self.home.getsockname()[:2])
        return came == 1 and wait_until(lambda: self.endpoint() == where)

    def follows(self, what, send, address, port, arrives=1):
        send()
        came = self.count(arrives)
        moved = wait_until(lambda: self.endpoint() == text(address, port))
        say(f"the endpoint follows {what}", moved and came == arrives,
            f"it is at {self.endpoint()}; {came} arrived")
        say(f"the endpoint returns after {what}", self.at_home(), self.endpoint())

    def stays(self, what, send, arrives=0, drops=None):
        """Checks that the message of send() does not change the endpoint, that @arrives packets
        reach the host, and that @drops are counted (unless None)."""
        where, before = self.endpoint(), self.d.drops()
        send()
        came = self.count(arrives)
        time.sleep(SILENCE_S if arrives else 0)
        after = self.d.drops()
        got = {r: n - before.get(r, 0) for r, n in after.items() if n != before.get(r, 0)}
        say(f"the endpoint stays after {what}", self.endpoint() == where and came == arrives and
            (drops is None or got == drops),
            f"{where} became {self.endpoint()}; {came} arrived, not {arrives}; {got}, not {drops}")

    # --- what changes the endpoint ---

    def sockets(self):
        """The peer sends from another port, another address, the other family, and a link-local
        address."""
        link6 = link_local(self.b_ns)
        for what, to, source in (
                ("another port", A4, B4), ("another address", A4, ELSE4),
                ("IPv4 to IPv6", A6, B6), ("another IPv6 address", A6, ELSE6),
                ("a link-local address", link_local(self.d.namespace), link6)):
            scope = "%eth0" if to.startswith("fe80") else ""
            s = bound(self.b_ns, source + scope)
            port = s.getsockname()[1]
            with wgpeer.namespace(self.b_ns):
                to = socket.getaddrinfo(to + scope, PORT, s.family, socket.SOCK_DGRAM)[0][4]
            s.sendto(self.data(), to)
            came = self.count(1)
            shown = wait_until(lambda: self.endpoint().replace("%" + index_of(self.d), "")
                               == text(source, port))
            say(f"the endpoint follows {what}", came == 1 and shown, f"it is at {self.endpoint()}")
            self.inner.sendto(b"answer", ("10.99.0.2", 9))
            answer = receive(s, kind=wgpeer.DATA)
            opened = self.session.open(answer) if answer else None
            say(f"the answer goes to {what}", opened is not None and b"answer" in opened)
        say("the endpoint returns", self.at_home(), self.endpoint())

    def handshake(self):
        s = bound(self.b_ns, ELSE4)
        port = s.getsockname()[1]
        time.sleep(0.06)  # the daemon accepts 50 initiations a second from a peer
        self.follows("an initiation", lambda: s.sendto(self.node.initiation(), (A4, PORT)),
                     ELSE4, port, 0)
        receive(s, kind=wgpeer.RESPONSE)

    def answers(self):
        """The pings come from four sources in turn. Each answer must go to the ping's source, and
        come from the address to which the ping was sent."""
        senders = [bound(self.b_ns, source) for source in (B4, ELSE4, B6, ELSE6)]
        tos = {socket.AF_INET: (A4, OTHER4), socket.AF_INET6: (A6,)}
        right = wrong = 0
        for number in range(40):
            s = senders[number % len(senders)]
            to = tos[s.family][number // 4 % len(tos[s.family])]
            time.sleep(0.015)  # the daemon changes a peer's endpoint at most every 10 ms
            s.sendto(self.session.seal(
                wgpeer.echo_request("10.99.0.2", "10.99.0.1", number)), (to, PORT))
            came = select.select(senders, (), (), 5)[0]
            for at in came:
                message, source = at.recvfrom(65536)
                opened = self.session.open(message)
                if at is s and source[0] == to and opened and opened[26:28] == bytes([0, number]):
                    right += 1
                else:
                    wrong += 1
        say("each of forty pings from changing sources is answered at its source",
            (right, wrong) == (40, 0),
            f"{right} right, {wrong} wrong")
        time.sleep(0.015)
        say("the endpoint returns", self.at_home(), self.endpoint())

    # --- what does not change the endpoint ---

    def unauthentic(self):
        s = bound(self.b_ns, ELSE4)

        def send(message):
            return lambda: s.sendto(message, (A4, PORT))

        forged = bytearray(self.data())
        forged[-1] ^= 1
        self.stays("a forged tag", send(bytes(forged)), 0, {"bad_tag": 1})
        again = self.data()
        self.home.sendto(again, (A4, PORT))
        self.count(1)
        self.stays("a replay", send(again), 0, {"replayed": 1})
        time.sleep(0.06)
        initiation = self.node.initiation()
        bad = bytearray(initiation)
        bad[50] ^= 1  # within the static key's ciphertext
        bad = wgpeer.with_macs(bytes(bad[:116]), self.node.remote)
        self.stays("an initiation that does not authenticate", send(bad), 0, {"bad_handshake": 1})
        self.home.sendto(initiation, (A4, PORT))
        receive(self.home, kind=wgpeer.RESPONSE)
        time.sleep(0.06)
        self.stays("a replayed initiation", send(initiation), 0, {"old_timestamp": 1})
        say("the session still works", self.at_home())

    def cookie(self):
        """A bad and a good cookie reply to the daemon's initiation come from another address."""
        silent = key_file(f"{self.keys}/silent.pub")
        first, s = bound(self.b_ns, B4, 9), bound(self.b_ns, ELSE4)
        self.inner.sendto(b"", ("10.99.0.3", 9))
        initiation = receive(first, kind=wgpeer.INITIATION)
        where = self.d.endpoint(silent)
        good = wgpeer.cookie_reply(silent, initiation, os.urandom(16))
        bad = good[:-1] + bytes([good[-1] ^ 1])
        for what, message, drops in (("bad", bad, {"bad_cookie": 1}), ("good", good, {})):
            self.stays(f"a {what} cookie reply for another peer",
                       lambda m=message: s.sendto(m, (A4, PORT)), 0, drops)
            say(f"that peer's endpoint stays after a {what} cookie reply",
                self.d.endpoint(silent) == where,
                self.d.endpoint(silent))

    def martians(self):
        """Authentic data with a martian source. If the source is martian on every host, XDP passes
        the data to the stack, which drops some of it. The data that arrives does not change the
        endpoint. 240.0.0.0/4 is not tested, because Linux does not treat it as martian."""
        xdp = int(self.path == "xdp")
        for source, arrives in (
                ("0.0.0.0", 0), ("0.1.2.3", 1), ("127.0.0.1", 0), ("224.0.0.1", 0),
                ("255.255.255.255", 0), ("192.0.2.255", 1), (A4, 0), (OTHER4, xdp),
                ("::", 1), ("::1", 0), ("ff02::1", 0), ("::ffff:192.0.2.3", 1), (A6, 1)):
            to = A6 if ":" in source else A4
            self.stays(f"authentic data from {source}",
                       lambda s=source, t=to: self.raw.udp(s, 1, t, PORT, self.data()), arrives)
        self.stays("authentic data from port 0",
                   lambda: self.raw.udp(ELSE4, 0, A4, PORT, self.data()), 1)
        say("the session still works", self.at_home())

    def checksums(self):
        """Authentic data with valid and invalid outer checksums. If the checksum is invalid, the
        source cannot be trusted, and the endpoint stays. On the UDP path the stack drops such a
        datagram before a socket sees it."""
        xdp = self.path == "xdp"
        for source, to in ((ELSE4, A4), (ELSE6, A6)):
            v6 = ":" in source

            def send(kind, port, source=source, to=to):
                return lambda: self.raw.udp(source, port, to, PORT, self.data(), kind)

            self.follows(f"a right checksum from {source}", send("full", 7001), source, 7001)
            self.stays(f"a wrong checksum from {source}", send("wrong", 7002), int(xdp))
            if xdp:
                self.follows(f"a checksum left to the NIC from {source}", send("pseudo", 7003),
                             source, 7003)
            else:
                self.stays(f"a checksum left to the NIC from {source}", send("pseudo", 7003))
            if v6:
                self.stays(f"no checksum from {source}", send("none", 7004), int(xdp))
            else:
                self.follows(f"no checksum from {source}", send("none", 7004), source, 7004)

    def run(self):
        self.sockets()
        self.answers()
        self.handshake()
        self.unauthentic()
        self.cookie()
        self.checksums()
        self.martians()


def link_local(namespace):
    """Returns the link-local address of eth0 in @namespace."""
    with wgpeer.namespace(namespace):
        link = json.loads(subprocess.check_output(["ip", "-j", "-6", "address", "show", "dev",
                                                   "eth0", "scope", "link"]))
    return next(i["local"] for found in link for i in found.get("addr_info", ()) if "local" in i)


def index_of(daemon):
    with wgpeer.namespace(daemon.namespace):
        return str(socket.if_nametoindex("eth0"))


if __name__ == "__main__":
    Roaming(*sys.argv[1:]).run()
