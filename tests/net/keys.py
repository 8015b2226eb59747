#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""keys.py INTERFACE A B KEYS all|again - keys that change while traffic flows; keepalives.

Prints "ok WHAT" and "not ok WHAT: why". The daemon under test is in A at 192.0.2.1:51820. Its peer
with the key b.pub is this script, in B at 192.0.2.2:51822. Only the daemon begins handshakes with
this peer, unless a test says otherwise.
"""

import sys
import threading
import time

import wgpeer
from wgpeer import DATA, INITIATION
from wire import (PATIENCE_S, SILENCE_S, Daemon, bound, drain, key_file, receive, say, text_of,
                  wait_until)

TO, PORT, INNER = ("192.0.2.1", 51820), 51822, 7000
SETTLE_S = 0.1  # a worker sends its current batch within this time
BEFORE_RETRY_S = 4  # an initiation within this time is no retry, because retries come after 5 s
ZEROS = bytes(32)

# Points of small order and their other encodings, from libsodium's list.
LOW_ORDER = [
    ZEROS, b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


class Flow:
    """Within this context the host sends to the peer without a pause."""

    def __init__(self, inner):
        self.inner, self.stop = inner, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stop.wait(0.001):
            try:
                self.inner.sendto(bytes(8), ("10.99.0.2", 9))
            except OSError:
                pass  # the ICMP error for an earlier packet

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Keys:
    def __init__(self, interface, a, b, keys):
        self.d, self.a, self.b_ns = Daemon(interface, a), a, b
        self.own = [key_file(f"{keys}/{name}.key") for name in ("a", "a2")]
        self.b = key_file(f"{keys}/b.key")
        self.peer = "public_key=" + wgpeer.public_of(self.b).hex()
        self.inner = bound(a, "10.99.0.1", INNER)
        self.outer = bound(b, "192.0.2.2", PORT)
        self.stamps, self.stamp_file = [], f"{keys}/stamp.{interface}"
        self.use(0)

    # --- helpers ---

    def use(self, which, psk=ZEROS):
        """From now on the peer uses the preshared key @psk, and assumes that the daemon's private
        key is number @which."""
        self.node = wgpeer.Node(self.b, wgpeer.public_of(self.own[which]), psk)

    def set_key(self, which):
        self.d.set("private_key=" + self.own[which].hex())

    def send(self):
        self.inner.sendto(b"hello", ("10.99.0.2", 9))

    def await_initiation(self, patience_s=BEFORE_RETRY_S):
        """Waits for an initiation that opens with the keys in use. Initiations under earlier keys
        may still arrive, and are skipped."""
        end = time.monotonic() + patience_s
        while message := receive(self.outer, end - time.monotonic(), INITIATION):
            try:
                answer = self.node.answer(message)
            except (ValueError, wgpeer.InvalidTag):
                continue
            self.stamps.append(self.node.remote_stamp)
            return answer
        return None

    def establish(self, trigger=True):
        """Returns a session that the daemon began and in which it has sent a message, or None."""
        if trigger:
            self.send()
        answer = self.await_initiation()
        if not answer:
            return None
        session, response = answer
        self.outer.sendto(response, TO)
        return session if self.opens(session) else None

    def opens(self, session):
        """True if a message arrives that opens under @session."""
        end = time.monotonic() + PATIENCE_S
        while message := receive(self.outer, end - time.monotonic(), DATA):
            if session.open(message) is not None:
                return True
        return False

    def reaches_host(self, session):
        for _ in drain(self.inner):
            pass
        packet = wgpeer.ipv4("10.99.0.2", "10.99.0.1", (9, INNER), b"to you")
        self.outer.sendto(session.seal(packet), TO)
        return wait_until(lambda: any(m == b"to you" for m, _ in drain(self.inner)))

    def sent_in(self, seconds):
        """Returns the types of the messages that arrive within @seconds."""
        time.sleep(seconds)
        return [m[0] for m, _ in drain(self.outer)]

    def begin(self, what):
        """The daemon removes the peer, adds it again, and makes a session."""
        self.set_key(0)
        for lines in (("remove=true",), ("endpoint=192.0.2.2:51822", "allowed_ip=10.99.0.2/32")):
            self.d.set(self.peer, *lines)
        self.use(0)
        self.sent_in(0)
        session = self.establish()
        say(f"{what}: there is a session", session is not None and self.reaches_host(session))
        return session

    # --- the private key ---

    def private_key(self):
        old = self.begin("private key changed")
        with Flow(self.inner):
            opened = self.opens(old)
            self.set_key(1)
            self.use(1)
            answer = self.await_initiation()
            time.sleep(SETTLE_S)
            self.sent_in(0)
            after = self.sent_in(SILENCE_S)
        say("private key changed under traffic: a handshake begins at once",
            opened and answer is not None)
        say("private key changed: nothing is sent in the old session", DATA not in after, after)
        unknown = self.d.drops().get("unknown_index", 0)
        self.outer.sendto(old.seal(b""), TO)
        say("private key changed: a message of the old session is dropped", wait_until(
            lambda: self.d.drops().get("unknown_index", 0) == unknown + 1), self.d.drops())
        session, response = answer
        self.outer.sendto(response, TO)
        say("private key changed: staged packets leave in the new session", self.opens(session))
        say("private key changed: the new session works in the other direction",
            self.reaches_host(session))

        # Each key change comes right after a session began, when the worker may be asleep. Even
        # then the worker must not seal the next packet in the old session.
        good = 0
        for round_ in range(10):
            which = round_ % 2
            self.set_key(which)
            self.use(which)
            good += self.establish() is not None
        say("private key changed ten times: the next packet causes a handshake each time",
            good == 10, good)

    def due_keepalive(self):
        self.begin("with persistent keepalive")
        self.d.set(self.peer, "persistent_keepalive_interval=25")
        self.sent_in(SETTLE_S)
        self.set_key(1)
        self.use(1)
        session = self.establish(trigger=False)
        say("private key changed with keepalive: a handshake begins without a packet",
            session is not None)
        self.set_key(0)
        self.d.set(self.peer, "persistent_keepalive_interval=0")

    def cleared(self):
        session = self.begin("private key cleared")
        with Flow(self.inner):
            self.opens(session)
            self.d.wg("private-key", "/dev/null")
            self.sent_in(SETTLE_S)
            after = self.sent_in(2 * SILENCE_S)
        say("private key cleared under traffic: nothing is sent any more", not after, after)
        down = self.d.drops().get("down", 0)
        self.outer.sendto(self.node.initiation(), TO)
        say("private key cleared: an initiation is not answered", wait_until(
            lambda: self.d.drops().get("down", 0) == down + 1) and not self.sent_in(SILENCE_S))
        self.set_key(0)
        session = self.establish(trigger=False)
        say("private key set again: staged packets cause a handshake", session is not None)
        self.d.wg("peer", text_of(self.node.public), "preshared-key", "/dev/null")
        say("clearing a preshared key that was not set keeps the session",
            self.reaches_host(session))

    # --- the preshared key ---

    def preshared_key(self):
        session = self.begin("preshared key changed")
        psk = bytes(range(32))
        self.d.set(self.peer, "preshared_key=" + psk.hex())
        self.send()
        say("preshared key changed: the session still works",
            self.opens(session) and self.reaches_host(session))
        without, fresh = self.node, wgpeer.Node(self.b, self.node.remote, psk)
        try:
            without.connect(self.outer, TO)
            say("preshared key changed: a handshake without the new key fails", False,
                "it succeeded")
        except wgpeer.InvalidTag:
            say("preshared key changed: a handshake without the new key fails", True)
        time.sleep(0.06)  # the daemon accepts 50 initiations a second from a peer
        self.send()
        say("preshared key changed: the failed handshake keeps the session",
            self.opens(session) and self.reaches_host(session))
        session = fresh.connect(self.outer, TO)
        say("preshared key changed: a handshake with the new key succeeds, the daemon responding",
            self.reaches_host(session))
        self.d.link_down()
        self.d.link_up()
        self.node = fresh
        session = self.establish()
        say("preshared key changed: a handshake with the new key succeeds, the daemon initiating",
            session is not None and self.reaches_host(session))
        self.d.wg("peer", text_of(self.node.public), "preshared-key", "/dev/null")
        self.send()
        say("preshared key cleared: the session still works",
            self.opens(session) and self.reaches_host(session))
        time.sleep(0.06)
        self.use(0)
        session = self.node.connect(self.outer, TO)
        say("preshared key cleared: the next handshake uses none", self.reaches_host(session))

    # --- sessions that follow each other ---

    def renewals(self):
        """The peer begins twenty handshakes while numbered datagrams flow both ways. Every message
        opens in one of these sessions, and no number is missing."""
        sessions, from_host, at_host = [self.begin("renewed under traffic")], set(), set()

        def collect():
            for message, _ in drain(self.outer):
                if message[0] == wgpeer.RESPONSE:
                    sessions.append(self.node.finish(message))
                    self.outer.sendto(sessions[-1].seal(b""), TO)
                elif message[0] == DATA:
                    opened = [s.open(message) for s in sessions]
                    text = next((t for t in opened if t), None)
                    if text:
                        from_host.add(text[28:36])
            at_host.update(m for m, _ in drain(self.inner))

        def numbers(count):
            for number in range(count):
                text = number.to_bytes(8, "big")
                self.inner.sendto(text, ("10.99.0.2", 9))
                packet = wgpeer.ipv4("10.99.0.2", "10.99.0.1", (9, INNER), text)
                self.outer.sendto(sessions[-1].seal(packet), TO)
                collect()
                if number % 60 == 0:
                    self.outer.sendto(self.node.initiation(), TO)
                time.sleep(0.001)

        numbers(1200)
        wait_until(lambda: collect() or (len(from_host), len(at_host)) == (1200, 1200))
        say("renewed twenty times under traffic: no packet is lost",
            (len(sessions), len(from_host), len(at_host)) == (21, 1200, 1200),
            f"{len(sessions)} sessions, {len(from_host)} sent by the host, {len(at_host)} received")

    # --- keepalives ---

    def keepalives(self):
        """A persistent keepalive is sent at once when it is turned on, the link comes up or a key
        is set. None is sent when it is off."""
        self.d.set(self.peer, "remove=true")
        self.d.set("private_key=" + ZEROS.hex(), self.peer, "endpoint=192.0.2.2:51822",
                   "allowed_ip=10.99.0.2/32", "persistent_keepalive_interval=1")
        self.sent_in(0)
        say("keepalive without private key: nothing is sent", not self.sent_in(1.5))
        self.set_key(0)
        self.use(0)
        session = self.establish(trigger=False)
        say("keepalive, the key is set: a handshake and a keepalive follow at once",
            session is not None)
        say("keepalive: another one follows after a second", self.opens(session))
        self.d.link_down()
        self.sent_in(0)
        say("keepalive, link down: nothing is sent", not self.sent_in(1.5))
        self.d.link_up()
        say("keepalive, link up: a handshake begins at once",
            self.establish(trigger=False) is not None)
        self.d.wg("peer", text_of(self.node.public), "persistent-keepalive", "off")
        self.sent_in(SETTLE_S)
        say("keepalive off: nothing is sent", not self.sent_in(2.2))
        self.d.wg("peer", text_of(self.node.public), "persistent-keepalive", "60")
        say("keepalive on: one is sent at once",
            receive(self.outer, SILENCE_S * 5, DATA) is not None)

    # --- which peer owns an address ---

    def overlapping(self):
        """Overlapping prefixes, among them 0.0.0.0/0 and ::/0, are replaced while the session
        lives. The longest prefix that contains 10.99.0.2 decides to which peer packets for this
        address go, and from which peer packets with this source are accepted."""
        session = self.begin("overlapping prefixes")
        other = bound(self.b_ns, "192.0.2.2", 51823)
        key = "public_key=" + wgpeer.public_of(bytes(range(1, 33))).hex()
        replace, wide = "replace_allowed_ips=true", ("allowed_ip=0.0.0.0/0", "allowed_ip=::/0")
        narrow = "allowed_ip=10.99.0.2/32"
        for what, ours, theirs, is_ours in (
                ("the peer has the wide prefix, another peer the narrow one", wide, (narrow,),
                 False),
                ("the peer has the wide prefix, another peer an unrelated one", wide,
                 ("allowed_ip=10.98.0.0/16",), True),
                ("another peer has the wide prefix, the peer the narrow one", (narrow,), wide,
                 True),
                ("the peer has both halves of 0.0.0.0/0, another peer half of one half",
                 ("allowed_ip=0.0.0.0/1", "allowed_ip=128.0.0.0/1"), ("allowed_ip=0.0.0.0/2",),
                 False),
                ("the peer has the narrow prefix, another peer none", (narrow,), (), True)):
            self.d.set(key, "remove=true")
            self.d.set(self.peer, replace, *ours, key, "endpoint=192.0.2.2:51823", replace, *theirs)
            list(drain(other))
            before = self.d.drops().get("unallowed_source", 0)
            self.send()
            went = self.opens(session) if is_ours else receive(other, kind=INITIATION) is not None
            packet = wgpeer.ipv4("10.99.0.2", "10.99.0.1", (9, INNER), b"to you")
            self.outer.sendto(session.seal(packet), TO)
            dropped = int(not is_ours)
            came = wait_until(lambda want=before + dropped: (
                self.d.drops().get("unallowed_source", 0) == want and
                (dropped or any(m == b"to you" for m, _ in drain(self.inner)))))
            say(f"overlapping prefixes: {what}", went and came, f"went {went}, came {came}")
        self.d.set(key, "remove=true")

    # --- invalid keys ---

    def low_order(self):
        sockets = [bound(self.b_ns, "192.0.2.2", 52000 + i) for i in range(len(LOW_ORDER))]
        for i, key in enumerate(LOW_ORDER):
            self.d.set("public_key=" + key.hex(), f"endpoint=192.0.2.2:{52000 + i}",
                       f"allowed_ip=10.99.0.{100 + i}/32", "persistent_keepalive_interval=1")
        for i in range(len(LOW_ORDER)):
            self.inner.sendto(b"hello", (f"10.99.0.{100 + i}", 9))
        time.sleep(1.2)
        got = sum(1 for s in sockets for _ in drain(s))
        sent = [self.d.peer(key)["tx_packets"] for key in LOW_ORDER]
        say("seven low-order public keys: nothing is sent to them", got == 0 and not any(sent),
            f"{got} came, counted {sent}")
        self.d.link_down()
        self.d.link_up()
        self.set_key(1)
        time.sleep(SILENCE_S)
        got = sum(1 for s in sockets for _ in drain(s))
        say("seven low-order public keys: nothing is sent after the key and the link change",
            got == 0, got)
        self.set_key(0)
        for key in LOW_ORDER:
            self.d.set("public_key=" + key.hex(), "remove=true")

    def timestamps(self):
        say("timestamps of initiations grow with every change of keys, peers and links",
            all(a < b for a, b in zip(self.stamps, self.stamps[1:])) and len(self.stamps) > 15,
            self.stamps)
        with open(self.stamp_file, "wb") as f:
            f.write(self.stamps[-1])

    def run(self):
        self.private_key()
        self.due_keepalive()
        self.renewals()
        self.preshared_key()
        self.cleared()
        self.keepalives()
        self.overlapping()
        self.low_order()
        self.timestamps()

    def again(self):
        """The daemon was restarted with the same keys."""
        with open(self.stamp_file, "rb") as f:
            before = f.read()
        say("after a restart there is a session", self.establish() is not None)
        say("after a restart the timestamp is later than any before", self.stamps[0] > before)


def main(interface, a, b, keys, what):
    test = Keys(interface, a, b, keys)
    if what == "all":
        test.run()
    else:
        test.again()


if __name__ == "__main__":
    main(*sys.argv[1:])
