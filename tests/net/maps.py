#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""maps.py PID INTERFACE A B KEYS - the daemon's peer in maps.sh, and the reader of the BPF maps.

`bpftool map dump` and `wg show dump` must agree with each other and with what the test has set.
"""

import base64
import collections
import ipaddress
import json
import os
import random
import socket
import subprocess
import sys
import time

import accounting
import wgpeer
from accounting import FORGER, INNER, OURS, OURS6, PATIENCE_S, TO, bound, drain, say

PENDING, DATA = 0, 1
PINS = "/sys/fs/bpf/wgxdp"


def base64_of(key):
    return base64.b64encode(key).decode()


class Wire:
    """Collects every receiver index of the daemon that crosses the wire."""

    def __init__(self, b):
        with wgpeer.namespace(b):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
            self.sock.bind(("eth0", 3))
        self.seen = set()

    def look(self):
        """Updates self.seen. Returns the sender indices of the daemon's messages, oldest first."""
        sent = []
        for packet in drain(self.sock):
            if packet[0] >> 4 != 4 or packet[9] != 17:
                continue
            udp = packet[(packet[0] & 15) * 4:]
            ports, message = (udp[0:2], udp[2:4]), udp[8:]
            port = TO[1].to_bytes(2, "big")
            if port not in ports or len(message) < 16:
                continue
            if ports[0] == port and message[0] in (wgpeer.INITIATION, wgpeer.RESPONSE):
                sent.append(int.from_bytes(message[4:8], "little"))
            elif ports[1] == port and message[0] == wgpeer.RESPONSE:
                self.seen.add(int.from_bytes(message[8:12], "little"))
            elif ports[1] == port and message[0] == wgpeer.DATA:
                self.seen.add(int.from_bytes(message[4:8], "little"))
        self.seen.update(sent)
        return sent


class Bench(accounting.Bench):
    def __init__(self, *args):
        super().__init__(*args)
        self.wire = Wire(self.b)
        self.uapi = socket.socket(socket.AF_UNIX)
        self.uapi.connect(f"/var/run/wireguard/{self.interface}.sock")
        self.model = {}  # allowed IPs that the test has set: prefix -> public key in base64

    def map(self, name):
        dump = json.loads(subprocess.check_output(
            ["bpftool", "-j", "map", "dump", "pinned", f"{PINS}/{self.interface}/{name}"]))
        return [(e["formatted"]["key"], e["formatted"]["value"]) for e in dump]

    def slots(self):
        return {slot: v["public_key"] for slot, v in self.map("peers")}

    def offered(self):
        """Returns {slot of the peer: packets that TC egress of the tunnel saw for this peer}."""
        dump = json.loads(subprocess.check_output(
            ["bpftool", "-j", "map", "dump", "pinned", f"{PINS}/{self.interface}/peer_stats"]))
        return {e["key"]: sum(cpu["value"]["tx_packets"] for cpu in e["values"])
                for e in (element["formatted"] for element in dump)}

    def allowed_maps(self):
        slots, allowed = self.slots(), {}
        for name in ("allowed4", "allowed6"):
            for key, slot in self.map(name):
                address = ipaddress.ip_address(bytes(key["address"]))
                allowed[ipaddress.ip_network((address, key["length"]))] = slots[slot]
        return allowed

    def sessions(self):
        """Returns {index: (public key of its peer, kind)}."""
        slots = self.slots()
        return {i: (slots.get(v["slot"]), v["kind"]) for i, v in self.map("sessions")}

    def wg_dump(self):
        with wgpeer.namespace(self.a):
            text = subprocess.check_output(["wg", "show", self.interface, "dump"], text=True)
        fields = ("psk", "endpoint", "allowed", "handshake", "rx", "tx", "keepalive")
        return {line.split("\t")[0]: dict(zip(fields, line.split("\t")[1:]))
                for line in text.splitlines()[1:]}

    def set(self, *lines):
        self.uapi.sendall(("set=1\n" + "\n".join(lines) + "\n\n").encode())
        answer = b""
        while not answer.endswith(b"\n\n"):
            answer += self.uapi.recv(4096)
        if answer != b"errno=0\n\n":
            raise OSError(answer)

    # --- comparing

    def differences(self):
        """Compares the maps with wg field by field. Returns the differences."""
        dump, wrong = self.wg_dump(), []
        peers = {v["public_key"]: (slot, v) for slot, v in self.map("peers")}
        auth = dict(self.map("peer_auth"))
        names = {p["public_key"]: p["name"] for p in self.show()["peers"]}
        if set(peers) != set(dump) or set(auth) != {slot for slot, _ in peers.values()}:
            return [f"peers {set(peers)}, wg {set(dump)}, peer_auth of {set(auth)}"]
        for key, said in dump.items():
            slot, v = peers[key]
            for field, of_map, of_wg in (
                    ("endpoint", v["endpoint"] or "(none)", said["endpoint"]),
                    ("latest_handshake", v["latest_handshake"], int(said["handshake"])),
                    ("name", v["name"], names[key]),
                    ("rx_bytes", auth[slot]["rx_bytes"], int(said["rx"])),
                    ("tx_bytes", auth[slot]["tx_bytes"], int(said["tx"]))):
                if of_map != of_wg:
                    wrong.append(f"{field} of {key}: map {of_map}, wg {of_wg}")
        of_wg = {ipaddress.ip_network(p): key for key, said in dump.items()
                 for p in said["allowed"].split(",") if p != "(none)"}
        of_map = self.allowed_maps()
        for what, one, other in (("map and wg", of_map, of_wg), ("wg and what was set", of_wg,
                                                                  self.model)):
            if one != other:
                odd = [str(p) for p in set(one) | set(other) if one.get(p) != other.get(p)]
                wrong.append(f"{what} differ in {len(odd)} of {len(other)} prefixes: {odd[:5]}")
        return wrong

    def same(self, what):
        """Waits until the maps and wg agree, because the daemon writes counters only once a
        second."""
        end = time.monotonic() + PATIENCE_S
        while True:
            wrong = self.differences()
            if not wrong or time.monotonic() > end:
                break
            time.sleep(0.1)
        say(f"{what}: maps and wg agree", not wrong, wrong[:5])

    def sessions_are(self, what, want):
        """Waits until the map of sessions equals @want, {index: (key, kind)}, and checks that each
        index was seen on the wire."""
        end = time.monotonic() + PATIENCE_S
        while self.sessions() != want and time.monotonic() < end:
            time.sleep(0.02)
        self.wire.look()
        got = self.sessions()
        say(f"{what}: `sessions` has {len(want)} entries, each seen on the wire",
            got == want and set(got) <= self.wire.seen, f"got {got}, want {want}")


# --- sessions -------------------------------------------------------------------------------------


def receive(sock, kind):
    sock.settimeout(PATIENCE_S)
    while True:
        message = sock.recv(65536)
        if message[0] == kind:
            return message


def sessions(b):
    forger, second = base64_of(b.node.public), base64_of(wgpeer.public_of(b.key("second.key")))
    b.sessions_are("before any handshake", {})
    b.connect()
    first = b.session.remote_index
    b.sessions_are("after a handshake", {first: (forger, DATA)})
    b.same("after a handshake")
    others = []
    for _ in range(4):
        time.sleep(0.07)
        others.append(b.node.connect(b.outer, TO))
        b.outer.sendto(others[-1].seal(wgpeer.ipv4(FORGER, OURS, (1, INNER))), TO)
        b.wait_inner(1)
    b.sessions_are("after four more handshakes",
                   {s.remote_index: (forger, DATA) for s in others[-2:]})
    b.session = others[-1]
    old = {s.remote_index: (forger, DATA) for s in others[-2:]}

    node = wgpeer.Node(b.key("second.key"), b.key("a.pub"))
    with wgpeer.namespace(b.b):
        sock = bound()
    b.wire.look()
    b.run_in_a("wg", "set", b.interface, "peer", second, "endpoint",
               f"192.0.2.2:{sock.getsockname()[1]}", "persistent-keepalive", "60")
    receive(sock, wgpeer.INITIATION)
    (pending,) = b.wire.look()
    b.sessions_are("after an initiation of the daemon", old | {pending: (second, PENDING)})
    again = receive(sock, wgpeer.INITIATION)
    (second_try,) = b.wire.look()
    b.sessions_are("after its repetition 5 s later", old | {second_try: (second, PENDING)})
    session, response = node.answer(again)
    sock.sendto(response, TO)
    receive(sock, wgpeer.DATA)
    say("session and map have the same index",
        session.remote_index == second_try and pending != second_try)
    b.sessions_are("after the response", old | {second_try: (second, DATA)})
    b.same("after a handshake of the daemon")
    slot = next(s for s, key in b.slots().items() if key == second)
    b.run_in_a("wg", "set", b.interface, "peer", second, "remove")
    b.model = {p: key for p, key in b.model.items() if key != second}
    b.sessions_are("after that peer is removed", old)
    say("the slot of the removed peer is in no map",
        slot not in dict(b.map("peer_auth")) | b.offered())
    b.same("after a peer is removed")


def expire(b):
    """Waits until all sessions have expired, 180 s after their handshakes. Only with LONG=1."""
    time.sleep(190)
    b.sessions_are("after 190 s", {})


# --- allowed IPs ----------------------------------------------------------------------------------


class Shuffle:
    """Adds, removes and moves random allowed IPs of the test node (the forger) and of 20 peers
    without endpoints."""

    def __init__(self, b, seed):
        self.b, self.rng = b, random.Random(seed)
        self.forger = base64_of(b.node.public)
        self.keys = [self.forger] + [base64_of(self.rng.randbytes(32)) for _ in range(20)]

    def address(self, v6):
        """Returns a random address. The addresses are close to each other, so that prefixes nest.
        None of them is the daemon's."""
        if v6:
            low = self.rng.getrandbits(self.rng.choice((8, 16, 40, 96)))
            return ipaddress.IPv6Address(0xFD10 << 112 | low)
        return ipaddress.IPv4Address(0x0A100000 | self.rng.getrandbits(self.rng.choice((6, 12,
                                                                                        20))))

    def prefix(self):
        v6 = self.rng.random() < 0.4
        length = self.rng.randint(40, 128) if v6 else self.rng.randint(20, 32)
        return ipaddress.ip_network((self.address(v6), length), strict=False)

    def hex(self, key):
        return f"public_key={base64.b64decode(key).hex()}"

    def give(self, count):
        lines = []
        for key in self.keys:
            lines.append(self.hex(key))
            for _ in range(count * 8 if key == self.forger else count):
                prefix = self.prefix()
                self.b.model[prefix] = key
                lines.append(f"allowed_ip={prefix}")
        self.b.set(*lines)

    def take(self, part):
        lines, held = [], collections.defaultdict(list)
        for prefix, key in self.b.model.items():
            held[key].append(prefix)
        for key in self.keys:
            lines.append(self.hex(key))
            for prefix in self.rng.sample(held[key], int(len(held[key]) * part)):
                del self.b.model[prefix]
                lines.append(f"allowed_ip=-{prefix}")
            # Removing a prefix that belongs to another peer has no effect.
            other = self.rng.choice([p for p, k in self.b.model.items() if k != key])
            lines.append(f"allowed_ip=-{other}")
        self.b.set(*lines)

    def replace(self, key, count):
        for prefix in [p for p, k in self.b.model.items() if k == key]:
            del self.b.model[prefix]
        lines = [self.hex(key), "replace_allowed_ips=true"]
        for _ in range(count):
            prefix = self.prefix()
            self.b.model[prefix] = key
            lines.append(f"allowed_ip={prefix}")
        self.b.set(*lines)

    def remove(self, key):
        self.keys.remove(key)
        self.b.model = {p: k for p, k in self.b.model.items() if k != key}
        self.b.set(self.hex(key), "remove=true")

    def holder(self, address):
        bits = address.max_prefixlen
        for length in range(bits, -1, -1):
            key = self.b.model.get(ipaddress.ip_network((address, length), strict=False))
            if key:
                return key
        return None

    def compare_in(self, count):
        """Sends @count packets from random sources. The worker must refuse exactly the sources that
        the forger does not have in the model, and TC must refuse no packet."""
        b, want, before = self.b, {True: 0, False: 0}, self.b.drops()
        for _ in range(count):
            source = self.address(self.rng.random() < 0.4)
            make, ours = (wgpeer.ipv6, OURS6) if source.version == 6 else (wgpeer.ipv4, OURS)
            want[self.holder(source) == self.forger] += 1
            b.send(b.session.seal(make(source, ours, (1, INNER))))
        got = b.wait_inner(want[True])
        drops = self.dropped(before, {"unallowed_source": want[False]})
        say(f"{count} sources, {want[True]} allowed: worker and TC agree",
            got == want[True] and not drops, f"{got} came, {drops}, want {want}")

    def compare_out(self, count):
        """Sends @count packets to random destinations. The worker must choose the peer that has
        the destination in the model, and TC must count the packet for this peer."""
        b, want, before = self.b, collections.Counter(), self.b.drops()
        offered, slots = self.b.offered(), self.b.slots()
        list(drain(b.outer))
        for _ in range(count):
            to = self.address(self.rng.random() < 0.4)
            want[self.holder(to)] += 1
            (b.inner6 if to.version == 6 else b.inner4).sendto(b"x", (str(to), 9))
        end, left = time.monotonic() + PATIENCE_S, 0
        while left < want[self.forger] and time.monotonic() < end:
            left += sum(1 for m in drain(b.outer) if m[0] == wgpeer.DATA and len(m) > 32)
        nobody = want.pop(None, 0)
        nowhere = sum(want.values()) - want[self.forger]
        drops = self.dropped(before, {"no_endpoint": nowhere, "no_peer": nobody})
        say(f"{count} destinations, {left} to the forger, {nobody} to no peer: the worker's "
            "trie is right", left == want[self.forger] and not drops,
            f"{left} left, {drops}, want {want}")
        got = {slots[s]: n - offered.get(s, 0) for s, n in self.b.offered().items()
               if n != offered.get(s, 0)}
        want = {key: n for key, n in want.items() if n}
        say("TC's map is right for each peer", got == want, f"{got}, want {want}")

    def dropped(self, before, want):
        """Waits until the drops have grown by @want since @before. Returns the differences."""
        end = time.monotonic() + PATIENCE_S
        while True:
            after = self.b.drops()
            odd = {r: after.get(r, 0) - before.get(r, 0) - want.get(r, 0) for r in after | want}
            odd = {r: n for r, n in odd.items() if n}
            if not odd or time.monotonic() > end:
                return odd
            time.sleep(0.02)

    def run(self):
        b = self.b
        self.give(40)
        b.same(f"{len(b.model)} prefixes of {len(self.keys)} peers")
        self.compare_in(1500)
        self.compare_out(1500)
        for n in range(3):
            self.give(20)
            self.take(0.3)
            self.replace(self.keys[n], 60)
            self.remove(self.keys[-1])
            b.same(f"round {n + 1}, {len(b.model)} prefixes")
        self.compare_in(1500)
        self.compare_out(1500)
        self.give(400)
        b.same(f"{len(b.model)} prefixes")
        self.replace(self.forger, 1)
        b.set(self.hex(self.keys[1]), "allowed_ip=0.0.0.0/0", "allowed_ip=::/0")
        b.model |= {ipaddress.ip_network(p): self.keys[1] for p in ("0.0.0.0/0", "::/0")}
        b.same("with both /0")
        self.compare_in(300)
        self.compare_out(300)
        for key in self.keys[1:]:
            self.replace(key, 0)
        self.replace(self.forger, 0)
        b.same("without any prefix")


def main(*args):
    b = Bench(*args)
    forger, second = base64_of(b.node.public), base64_of(wgpeer.public_of(b.key("second.key")))
    b.model = {ipaddress.ip_network(p): key for p, key in (
        ("10.99.0.2/32", forger), ("fd99::2/128", forger), ("10.99.0.0/24", second),
        ("fd99::/64", second))}
    b.same("after attach")
    sessions(b)
    Shuffle(b, 2).run()
    if os.environ.get("LONG"):
        expire(b)


if __name__ == "__main__":
    main(*sys.argv[1:])
