#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""faults.py SOCKET A B M BYTES DATAGRAMS SEED SECONDS - sends over the bad link of faults.sh.

A and B are "namespace,interface,kind", where kind is "ours" for wgxdp and "go" for wireguard-go.
Their addresses in the tunnel are 10.99.0.1 and 10.99.0.2. M is the namespace of the middlebox
between them, which listens at SOCKET. All transfers run once, and then again until SECONDS are
over. Prints "ok WHAT" and "not ok WHAT: why".
"""

import hashlib
import json
import random
import re
import socket
import struct
import subprocess
import sys
import threading
import time

import wgpeer

PATIENCE_S = 20 * wgpeer.PATIENCE
FORGERIES = 600
TCP, UDP = 7001, 7002
OUTGOING = {"no_peer", "no_endpoint", "staged_full", "no_session", "too_big", "send_failed",
            "tx_full", "loop"}
# tally() leaves out these losses, although the daemon reports them: tun_tx and xsk_tx concern
# packets in the other direction, and kernel_drops() already includes udp_rx.
LOST_ELSEWHERE = {"tun_tx", "xsk_tx", "udp_rx"}


def say(what, good, why=""):
    print(f"ok {what}" if good else f"not ok {what}: {why}", flush=True)


def run_in(namespace, *command):
    return subprocess.run(["nsenter", f"--net=/run/netns/{namespace}", *command], check=True,
                          capture_output=True, text=True).stdout


class Box:
    """A client of the middlebox."""

    def __init__(self, path, namespace):
        self.namespace = namespace
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")

    def tell(self, command):
        self.socket.sendall(command.encode())
        return self.lines.readline().strip()

    def counts(self):
        return json.loads(self.tell("counts"))

    def refused(self, nic):
        """Returns how many packets the other end of the veth dropped because its ring was full."""
        links = json.loads(run_in(self.namespace, "ip", "-j", "-s", "link", "show", "dev", nic))
        return links[0]["stats64"]["tx"]["dropped"]


class End:
    """A node, and the host in whose namespace the node runs."""

    def __init__(self, words, address, box, side):
        self.namespace, self.interface, self.kind = words.split(",")
        self.address, self.box, self.side = address, box, side
        self.ours = self.kind == "ours"
        if self.ours:
            self.control = socket.socket(socket.AF_UNIX)
            self.control.connect(f"/run/wgxdp/{self.interface}.sock")
            self.lines = self.control.makefile("r")

    def show(self):
        self.control.sendall(b'{"op":"show"}\n')
        return json.loads(self.lines.readline())

    def bound(self, kind, port):
        with wgpeer.namespace(self.namespace):
            s = socket.socket(socket.AF_INET, kind)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
            s.bind((self.address, port))
        return s

    def kernel_drops(self):
        """Returns how many packets the kernel dropped because they were damaged or a socket was
        full."""
        old = run_in(self.namespace, "cat", "/proc/net/snmp", "/proc/net/netstat")
        rows, values = {}, {}
        for line in old.splitlines():
            name, _, rest = line.partition(":")
            if name in rows:
                values.update({f"{name}{k}": int(v) for k, v in zip(rows[name], rest.split())})
            else:
                rows[name] = rest.split()
        six = run_in(self.namespace, "cat", "/proc/net/snmp6")
        values.update({k: int(v) for k, v in re.findall(r"^(\S+)\s+(\d+)$", six, re.M)})
        return (values["IpInHdrErrors"] + values["IpExtInTruncatedPkts"] +
                values["UdpInErrors"] + values["Ip6InHdrErrors"] + values["Ip6InTruncatedPkts"] +
                values["Udp6InErrors"])

    def tally(self):
        """Returns how many datagrams the middlebox sent to this node, and {fate: number}: how many
        were delivered, and how many were dropped or lost for each reason."""
        shown = self.show()
        fates = {k: n for k, n in shown["drops"].items() if k not in OUTGOING}
        fates |= {k: n for k, n in shown["lost"].items() if k not in LOST_ELSEWHERE}
        fates["delivered"] = sum(p["rx_packets"] for p in shown["peers"])
        fates["kernel"] = self.kernel_drops()
        fates["veth"] = self.box.refused(self.side)
        return self.box.counts()[self.side]["sent"], fates

    def settled(self, before):
        """Waits until every datagram since @before is accounted for. Returns the number of missing
        datagrams and {fate: number}, as tally() does."""
        end = time.monotonic() + PATIENCE_S
        while True:
            sent, fates = self.tally()
            became = {k: n - before[1].get(k, 0) for k, n in fates.items()}
            missing = sent - before[0] - sum(became.values())
            if not missing or time.monotonic() > end:
                return missing, {k: n for k, n in became.items() if n}
            time.sleep(0.05)

    def dump(self):
        return run_in(self.namespace, "wg", "show", self.interface, "dump")

    def settings(self):
        """Returns the dump without the counters: keys, endpoints, allowed IPs, keepalive."""
        return [row.split("\t")[:4] + row.split("\t")[7:] for row in self.dump().splitlines()[1:]]

    def state(self):
        """Returns all state that an outsider must not change."""
        maps = []
        if self.ours:
            shown = self.show()
            pins = shown["path"].get("pinned")
            maps = [json.dumps(shown["peers"]), json.dumps(shown["path"])]
            for name in ("sessions", "peers", "allowed4", "allowed6", "listen") if pins else ():
                maps.append(run_in(self.namespace, "bpftool", "-j", "map", "dump", "pinned",
                                   f"{pins}/{name}"))
            # `path` also counts received data that failed authentication, so remove this count.
            maps[1] = re.sub(r'"rx_packets": (\{[^}]*\}|\d+)', "", maps[1])
        return self.dump(), maps


# --- data through the link ------------------------------------------------------------------------


class Transfer(threading.Thread):
    """Sends @size bytes by TCP. The receiver compares their digest."""

    def __init__(self, source, sink, size, seed):
        super().__init__()
        self.data = random.Random(seed).randbytes(size)
        self.listener = sink.bound(socket.SOCK_STREAM, TCP)
        self.listener.listen()
        self.sender = source.bound(socket.SOCK_STREAM, 0)
        self.to = (sink.address, TCP)
        self.got = None

    def send(self):
        self.sender.connect(self.to)
        self.sender.sendall(self.data)
        self.sender.shutdown(socket.SHUT_WR)

    def run(self):
        threading.Thread(target=self.send).start()
        connection, _ = self.listener.accept()
        digest, size = hashlib.sha256(), 0
        while block := connection.recv(1 << 16):
            digest.update(block)
            size += len(block)
        self.got = size, digest.digest()

    def exact(self):
        return self.got == (len(self.data), hashlib.sha256(self.data).digest())


class Datagrams(threading.Thread):
    """Sends @count datagrams, each with a number and bytes that depend on it."""

    def __init__(self, source, sink, count, seed):
        super().__init__()
        self.sink = sink.bound(socket.SOCK_DGRAM, UDP)
        self.source = source.bound(socket.SOCK_DGRAM, 0)
        self.to = (sink.address, UDP)
        self.count, self.seed = count, seed

    def datagram(self, number):
        rng = random.Random(self.seed * 1000003 + number)
        return struct.pack("<I", number) + rng.randbytes(rng.randrange(1300))

    def run(self):
        for number in range(self.count):
            self.source.sendto(self.datagram(number), self.to)
            time.sleep(0.001)

    def came(self):
        """Returns how many numbers arrived, how many arrived twice, and how many datagrams were
        altered."""
        self.sink.setblocking(False)
        seen, twice, wrong = set(), 0, 0
        while True:
            try:
                data = self.sink.recv(65536)
            except BlockingIOError:
                return len(seen), twice, wrong
            number = struct.unpack("<I", data[:4])[0]
            twice += number in seen
            seen.add(number)
            wrong += data != self.datagram(number)


def cross(a, b, box, size, count, seed):
    """Sends in both directions at once, with every fault."""
    ends = [e for e in (a, b) if e.ours]
    before = {e: e.tally() for e in ends}
    counts, settings = box.counts(), (a.settings(), b.settings())
    tasks = [Transfer(a, b, size, seed), Transfer(b, a, size, seed + 1),
             Datagrams(a, b, count, seed + 2), Datagrams(b, a, count, seed + 3)]
    box.tell("faults on")
    for t in tasks:
        t.start()
    for t in tasks:
        t.join()
    pings = subprocess.run(["nsenter", f"--net=/run/netns/{a.namespace}", "ping", "-q", "-c", "100",
                            "-i", "0.01", "-W", "1", b.address], capture_output=True, text=True,
                           check=False).stdout
    box.tell("faults off")
    done = {side: {k: n - counts[side][k] for k, n in now.items()}
            for side, now in box.counts().items()}
    for t, way in zip(tasks, ("there", "back")):
        say(f"{size} bytes by TCP, {way}, arrive unaltered", t.exact(), f"got {t.got}")
    for e in ends:
        missing, became = e.settled(before[e])
        say(f"to the {e.side} {done[e.side]['sent']} datagrams, {became}: all are accounted for",
            missing == 0, f"{missing} missing of {done[e.side]}")
    for t, side in zip(tasks[2:], ("right", "left")):
        got, twice, wrong = t.came()
        say(f"to the {side}: {got} of {count} datagrams arrive, none twice and all unaltered",
            not twice and not wrong and count // 2 < got < count, f"{twice} twice, {wrong} wrong")
    got = int(re.search(r"(\d+) received", pings)[1])
    say(f"{got} of 100 pings are answered, none twice", got > 50 and "duplicates" not in pings,
        pings)
    say("no endpoint and no setting has changed", (a.settings(), b.settings()) == settings,
        f"{settings} before, {a.settings()} {b.settings()}")


def forge(a, b, box):
    """Sends only forgeries. If a node sends anything meanwhile, the test is repeated, because
    sending may change the node's state."""
    states = {}
    for _ in range(5):
        ends = [e for e in (a, b) if e.ours]
        seen = {s: c["seen"] for s, c in box.counts().items()}
        before = {e: e.tally() for e in ends}
        states = {e: e.state() for e in (a, b)}
        sent = {e: int(box.tell(f"forge {e.side} {FORGERIES}")) for e in (a, b)}
        became = {e: e.settled(before[e]) for e in ends}
        after = {e: e.state() for e in (a, b)}
        if {s: c["seen"] for s, c in box.counts().items()} == seen:
            break
    for e in ends:
        missing, fates = became[e]
        say(f"to the {e.side} {sent[e]} forgeries, {fates}: all are accounted for",
            not missing and "delivered" not in fates, f"{missing} missing")
    for e in (a, b):
        say(f"{sent[e]} forgeries change nothing in the {e.kind} node, {e.side}",
            after[e] == states[e], f"{states[e]} before, {after[e]} after")


def readdress(a, b, box):
    """Sends authentic data with a changed source port and the old checksum. No endpoint may change
    to this port."""
    ends = [e for e in (a, b) if e.ours]
    before = {e: e.tally() for e in ends}
    settings = a.settings(), b.settings()
    sent = {e: int(box.tell(f"readdress {e.side}")) for e in (a, b)}
    for e in ends:
        missing, became = e.settled(before[e])
        say(f"to the {e.side} {sent[e]} from a damaged source port, {became}: all are counted",
            missing == 0 and sent[e] > 0, f"{missing} missing")
    say("no endpoint follows these packets", (a.settings(), b.settings()) == settings,
        f"{settings} before, {a.settings()} {b.settings()}")


def handshake(end):
    return run_in(end.namespace, "wg", "show", end.interface, "latest-handshakes")


def main(path, a, b, namespace, size, count, seed, seconds):
    box = Box(path, namespace)
    a, b = End(a, "10.99.0.1", box, "left"), End(b, "10.99.0.2", box, "right")
    seed, stop = int(seed), time.monotonic() + float(seconds)
    while True:
        cross(a, b, box, int(size), int(count), seed)
        seed += 4
        if time.monotonic() >= stop:
            break
    readdress(a, b, box)
    session = handshake(a)
    forge(a, b, box)
    ping = subprocess.run(["nsenter", f"--net=/run/netns/{a.namespace}", "ping", "-q", "-c", "5",
                           "-i", "0.01", "-W", "5", b.address], capture_output=True, check=False)
    say("the tunnel still works", ping.returncode == 0, ping.stdout)
    say("the session is still the same", handshake(a) == session)


if __name__ == "__main__":
    main(*sys.argv[1:])
