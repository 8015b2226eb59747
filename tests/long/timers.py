# SPDX-License-Identifier: MIT
"""timers.py SCENARIO NAMESPACE-A NAMESPACE-B INTERFACE KEYS [ARGUMENT] - one timer of [W] 6 in real
time.

INTERFACE is wgxdp's in namespace a, with 192.0.2.1 and 10.99.0.1. KEYS is the prefix of the files
b.key and a.pub. Each scenario says which node is in b, with 192.0.2.2 and 10.99.0.2. Times, and
numbers of messages that depend on jitter, are checked with a tolerance, and other numbers exactly.
"""

import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))

# pylint: disable=wrong-import-position
from wgpeer import COOKIE, DATA, INITIATION, RESPONSE, Node, ipv4, namespace
from wire import Daemon, bound, drain, key_file, say

TO = ("192.0.2.1", 51820)
ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE = 3, 4, 33


class Setting:
    def __init__(self, a, b, interface, keys):
        self.a, self.b, self.interface = a, b, interface
        self.node = Node(key_file(f"{keys}b.key"), key_file(f"{keys}a.pub"))
        self.daemon = Daemon(interface, a)
        self.log = f"{keys}{interface}.log"

    def pid(self):
        with open(f"/run/wgxdp/{self.interface}.lock", encoding="ascii") as f:
            return int(f.readline())

    def ping(self, ns="a", count=1):
        """Sends packets into the tunnel from @ns, and ignores the answers."""
        name, host = (self.a, 2) if ns == "a" else (self.b, 1)
        subprocess.run(["nsenter", f"--net=/run/netns/{name}", "ping", "-q", "-c", str(count), "-i",
                        "1", "-W", "1", f"10.99.0.{host}"], stdout=subprocess.DEVNULL, check=False)

    def drops(self, *reasons):
        drops = self.daemon.show()["drops"]
        return sum(drops.get(r, 0) for r in reasons)


def until(start, seconds):
    time.sleep(max(0, start + seconds - time.monotonic()))


def count(sock, kind):
    return sum(m[0] == kind for m, _ in drain(sock))


def given_up(s):
    """In namespace b a socket never answers. The daemon sends an initiation every 5 to 5.334 s, for
    90 s."""
    sock = bound(s.b, "192.0.2.2", 51820)
    s.ping()
    start = time.monotonic()
    until(start, 3)
    sent = count(sock, INITIATION)
    say("the first initiation is sent once, at once", sent == 1, sent)
    until(start, 85)
    sent += count(sock, INITIATION)
    say("another one follows every 5 to 5.334 seconds", sent in (16, 17), sent)
    waits = s.drops("no_session")
    say("meanwhile the packet is staged", waits == 0, waits)
    until(start, 97)
    sent += count(sock, INITIATION)
    say("initiations end after 90 seconds", sent in (17, 18), sent)
    waits = s.drops("no_session")
    say("then the staged packet is dropped", waits == 1, waits)
    until(start, 140)
    sent = count(sock, INITIATION)
    say("after that nothing is sent", sent == 0, sent)
    s.ping()
    time.sleep(2)
    sent = count(sock, INITIATION)
    say("the next packet causes an initiation", sent == 1, sent)


def unanswered(s):
    """The peer in namespace b has a session and falls silent. The daemon begins a new handshake
    15 s after it has sent data."""
    sock = bound(s.b, "192.0.2.2", 51820)
    s.node.connect(sock, TO)
    time.sleep(1)
    s.ping()
    start = time.monotonic()
    until(start, 12)
    messages = [m[0] for m, _ in drain(sock)]
    say("for 15 seconds after data no initiation is sent", messages == [DATA], messages)
    until(start, 18)
    messages = [m[0] for m, _ in drain(sock)]
    say("then an initiation is sent", messages == [INITIATION], messages)


def expires(s):
    """The peer in namespace b begins a session, and uses the session even after its end."""
    sock = bound(s.b, "192.0.2.2", 51820)
    session = s.node.connect(sock, TO)
    start = time.monotonic()
    time.sleep(1)

    def offer():
        sock.sendto(session.seal(ipv4("10.99.0.2", "10.99.0.1", (1, 9))), TO)
        time.sleep(1)
        return s.daemon.show()["peers"][0]["rx_packets"]

    before = offer()
    say("the search finds the session keys in memory", all(held(s, k) for k in session.keys))
    until(start, 172)
    list(drain(sock))
    after = offer()
    say("data is accepted for 180 seconds", after == before + 1, f"{before} {after}")
    # Data that arrives in a session older than 165 s makes an initiator renew the session. The
    # daemon is the responder of this session, so it begins no handshake.
    time.sleep(2)
    sent = count(sock, INITIATION)
    say("the responder begins no handshake", sent == 0, sent)
    until(start, 182)
    last = offer()
    say("data is not accepted after 180 seconds", last == after, f"{after} {last}")
    dropped = s.drops("expired", "unknown_index")
    say("such data is counted as dropped", dropped == 1, dropped)
    s.ping()
    time.sleep(1)
    kinds = [m[0] for m, _ in drain(sock) if m[0] != DATA]
    say("no data is sent in the expired session, and a packet causes a handshake",
        kinds[:1] == [INITIATION], kinds)
    until(start, 192)
    say("the keys are wiped", not any(held(s, k) for k in session.keys))


def zeroed(s):
    """The peer in namespace b completes one handshake and then stays silent. The daemon in
    namespace a writes to its log that it wiped the keys."""
    sock = bound(s.b, "192.0.2.2", 51820)
    s.node.connect(sock, TO)
    start = time.monotonic()

    def wiped():
        with open(s.log, encoding="utf-8") as f:
            return sum("wiped" in line for line in f)

    until(start, 534)
    say("for 540 seconds the keys are not wiped", wiped() == 0, wiped())
    until(start, 546)
    say("then the keys are wiped, once", wiped() == 1, wiped())
    messages = [m[0] for m, _ in drain(sock)]
    say("nothing is sent in these 546 seconds", messages == [], messages)


def held(s, key):
    """True if the 32 bytes of @key are in a private writable mapping of the daemon. Mappings over
    1 GiB and unreadable ones are skipped."""
    pid = s.pid()
    with (open(f"/proc/{pid}/maps", encoding="ascii") as maps,
          open(f"/proc/{pid}/mem", "rb", 0) as mem):
        for line in maps:
            span, mode, *_ = line.split()
            start, end = (int(x, 16) for x in span.split("-"))
            if not mode.startswith("rw") or "s" in mode or end - start > 1 << 30:
                continue
            try:
                mem.seek(start)
                if key in mem.read(end - start):
                    return True
            except OSError:
                pass
    return False


def tap(name):
    with namespace(name):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 26)
        sock.bind(("eth0", 0))
        sock.setblocking(False)
    return sock


def messages_at(sock):
    """Yields (sender, type, message) for each message that passed b's NIC. The sender is "a" or
    "b"."""
    while True:
        try:
            frame, address = sock.recvfrom(65536)
        except BlockingIOError:
            return
        if frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        udp = frame[14 + (frame[14] & 15) * 4:]
        message = udp[8:int.from_bytes(udp[4:6], "big")]
        if len(message) >= 32 and INITIATION <= message[0] <= DATA:
            yield "b" if address[2] == PACKET_OUTGOING else "a", message[0], message


def renewed(s, begins):
    """The node in namespace b is wgxdp or wireguard-go. The host in namespace @begins, "a" or "b",
    sends a packet every second for 310 s."""
    sock = tap(s.b)
    s.ping(begins, 310)
    seen = [(who, kind) for who, kind, _ in messages_at(sock)]
    other = "b" if begins == "a" else "a"
    handshakes = [seen.count((begins, INITIATION)), seen.count((other, RESPONSE))]
    say("there is a handshake at once, after 120 and after 240 seconds", handshakes == [3, 3],
        handshakes)
    strange = [m for m in seen if m in ((other, INITIATION), (begins, RESPONSE)) or m[1] == COOKIE]
    say("the other side begins no handshake", strange == [], strange)


def stopped(s):
    """The node in namespace b is wgxdp. While data flows, the daemon in namespace a is stopped for
    200 s."""
    sock = tap(s.b)
    flow = subprocess.Popen(["nsenter", f"--net=/run/netns/{s.a}", "ping", "-q", "-f", "-w", "215",
                             "10.99.0.2"], stdout=subprocess.DEVNULL)
    time.sleep(5)
    pid = s.pid()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(1)
    before = {m[4:8] for who, kind, m in messages_at(sock) if who == "a" and kind == DATA}
    time.sleep(199)
    say("a stopped daemon sends nothing", not any(who == "a" for who, _, _ in messages_at(sock)))
    os.kill(pid, signal.SIGCONT)
    flow.wait()
    after = [m for who, kind, m in messages_at(sock) if who == "a" and kind == DATA]
    late = sum(m[4:8] in before for m in after)
    say("nothing is sent in the session that expired meanwhile", late == 0,
        f"{late} of {len(after)}")
    say("data is sent in another session", len(after) > 100, len(after))


def main():
    scenario, a, b, interface, keys, *arguments = sys.argv[1:]
    globals()[scenario](Setting(a, b, interface, keys), *arguments)


main()
