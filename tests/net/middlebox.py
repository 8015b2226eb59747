#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""middlebox.py LEFT RIGHT SEED SOCKET - simulates an unreliable link between two NICs.

It forwards each frame from LEFT to RIGHT and back. Each UDP datagram gets one of these fates, or
passes:

    drop        it is dropped
    duplicate   it is sent twice
    reorder     up to 40 other datagrams are sent before it
    cut         the frame becomes shorter than its headers say
    shorten     the datagram becomes shorter, and its headers say so
    flip        one bit behind the Ethernet header is flipped; with IPv6, one behind the IP header,
                because the IPv6 header has no checksum, so the frame could reach another host
    forge       one bit of the UDP payload is flipped, and the outer checksums are corrected

It listens at the UNIX socket SOCKET. Each line is a command, which is answered by a line:

    faults on|off         off also sends the frames that were held back
    counts                answers {"right": {"seen": 9, "sent": 8, "drop": 2, ...}, "left": ...},
                          which counts the datagrams that leave on each side
    forget                forgets the frames that are kept for `forge` and `readdress`
    forge right|left N    sends N datagrams that must change nothing, made from the datagrams that
                          passed to this side: with flipped bits, shortened, replayed, junk; from
                          the same addresses and ports and from others; answers how many were sent
    readdress right|left  sends the dropped data messages from another port, with the checksum for
                          the original port; answers how many were sent

random.Random(SEED) chooses the faults, separately for each direction, in the order of the frames.
"""

import json
import random
import select
import socket
import struct
import sys
import time

import wgpeer

SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
ETH_P_ALL, ETH_LEN = 3, 14
HOLD_FRAMES, HOLD_S = 40, 0.02
KEPT = 100  # messages of each type, from which forgeries are made
FATES = ((10, "drop"), (20, "duplicate"), (50, "reorder"), (5, "cut"), (5, "shorten"), (10, "flip"),
         (10, "forge"), (890, "pass"))


# --- frames ---------------------------------------------------------------------------------------


def is_udp(frame):
    kind = frame[12:14]
    return ((kind == b"\x08\x00" and len(frame) > 42 and frame[14] == 0x45 and frame[23] == 17) or
            (kind == b"\x86\xdd" and len(frame) > 62 and frame[20] == 17))


def ip_len(frame):
    return 20 if frame[12] == 0x08 else 40


def payload_at(frame):
    return ETH_LEN + ip_len(frame) + 8


def mended(frame):
    """Returns @frame with correct lengths and checksums."""
    ip, n = bytearray(frame[ETH_LEN:]), ip_len(frame)
    ports, payload = struct.unpack(">HH", ip[n:n + 4]), bytes(ip[n + 8:])
    if n == 20:
        ip[2:4] = struct.pack(">H", len(ip))
        ip[10:12] = bytes(2)
        ip[10:12] = struct.pack(">H", wgpeer.checksum(bytes(ip[:20])))
        source, destination = bytes(ip[12:16]), bytes(ip[16:20])
    else:
        ip[4:6] = struct.pack(">H", len(ip) - 40)
        source, destination = bytes(ip[8:24]), bytes(ip[24:40])
    ip[n:n + 8] = wgpeer.udp_header(source, destination, ports, payload)
    return bytes(frame[:ETH_LEN] + ip)


def flipped(rng, frame, first):
    out = bytearray(frame)
    out[rng.randrange(first, len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def shortened(rng, frame):
    return mended(frame[:rng.randrange(payload_at(frame), len(frame))])


# --- one direction --------------------------------------------------------------------------------


class Direction:
    def __init__(self, source, sink, seed):
        self.source, self.sink, self.rng = source, sink, random.Random(seed)
        self.faults = False
        self.counts = dict.fromkeys(["seen", "sent", "refused"] + [name for _, name in FATES], 0)
        self.weights, self.names = zip(*FATES)
        self.held = []  # [how many frames may still pass before this one, frame]
        self.held_at = 0.0
        self.kept = {}  # type of message -> up to KEPT frames that have passed
        self.dropped = []  # data messages that the receiver never got

    def put(self, frame, udp=True):
        try:
            self.sink.send(frame)
            self.counts["sent"] += udp
        except OSError:
            self.counts["refused"] += udp

    def take(self):
        """Handles one queued frame of the source. Returns false if there is none."""
        try:
            frame = self.source.recv(65536)
        except BlockingIOError:
            return False
        if is_udp(frame):
            self.udp(frame)
        else:
            self.put(frame, False)
        return True

    def udp(self, frame):
        self.counts["seen"] += 1
        fate = self.rng.choices(self.names, self.weights)[0] if self.faults else "pass"
        self.counts[fate] += 1
        if fate == "pass":  # the receiver has got it, so it can be replayed
            self.keep(frame)
        if fate == "reorder":
            self.held.append([self.rng.randrange(1, HOLD_FRAMES), frame])
            self.held_at = time.monotonic()
        else:
            getattr(self, fate)(frame)
        self.age()

    def keep(self, frame):
        kind = self.kept.setdefault(frame[payload_at(frame)], [])
        if len(kind) < KEPT:
            kind.append(frame)

    def age(self):
        for item in self.held:
            item[0] -= 1
        self.release(lambda left: left <= 0)

    def release(self, which):
        for item in [i for i in self.held if which(i[0])]:
            self.held.remove(item)
            self.put(item[1])

    def idle(self):
        if self.held and time.monotonic() - self.held_at > HOLD_S:
            self.release(lambda left: True)

    # One method for each fate of a datagram, except reorder. `pass` is a keyword of Python, so the
    # method for datagrams that pass is called let_pass, and setattr() below adds the name `pass`.

    def let_pass(self, frame):
        self.put(frame)

    def drop(self, frame):
        if frame[payload_at(frame)] == wgpeer.DATA:
            self.dropped.append(frame)

    def duplicate(self, frame):
        self.put(frame)
        self.put(frame)

    def cut(self, frame):
        self.put(frame[:self.rng.randrange(ETH_LEN, len(frame))])

    def shorten(self, frame):
        self.put(shortened(self.rng, frame))

    def flip(self, frame):
        self.put(flipped(self.rng, frame, ETH_LEN if ip_len(frame) == 20 else ETH_LEN + 40))

    def forge(self, frame):
        self.put(mended(flipped(self.rng, frame, payload_at(frame))))

    # --- datagrams that a command requests; no frame is forwarded while the command runs

    def elsewhere(self, frame):
        """Changes the source port, and with a chance of one half the source address."""
        out = bytearray(frame)
        at = ETH_LEN + ip_len(frame)
        out[at:at + 2] = struct.pack(">H", self.rng.randrange(1024, 65536))
        if self.rng.random() < 0.5:
            out[at - 5 if ip_len(frame) == 20 else at - 17] = self.rng.randrange(10, 250)
        return bytes(out)

    def forgery(self):
        frame = self.rng.choice(self.kept[self.rng.choice(list(self.kept))])
        at, how = payload_at(frame), self.rng.randrange(4)
        if how == 0:
            frame = flipped(self.rng, frame, at)
        elif how == 1:
            frame = shortened(self.rng, frame)
        elif how == 2:
            frame = frame[:at + 4] + self.rng.randbytes(self.rng.choice((28, 60, 88, 144, 200)))
        if self.rng.random() < 0.7:
            frame = self.elsewhere(frame)
        return mended(frame)

    def send_forgeries(self, count):
        for i in range(count):
            self.put(self.forgery())
            if i % 64 == 63:
                time.sleep(0.001)  # so that a burst does not overflow the ring of the veth

    def readdress(self):
        for frame in self.dropped[-KEPT:]:
            out = bytearray(frame)
            out[payload_at(frame) - 8] ^= 1
            self.put(bytes(out))
        self.dropped.clear()


setattr(Direction, "pass", Direction.let_pass)


# --- the box --------------------------------------------------------------------------------------


def open_nic(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.bind((name, ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, 33, 1 << 28)  # SO_RCVBUFFORCE
    s.setblocking(False)
    return s


class Middlebox:
    def __init__(self, left, right, seed, path):
        left, right = open_nic(left), open_nic(right)
        self.to = {"right": Direction(left, right, seed), "left": Direction(right, left, seed + 1)}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.poller = select.poll()
        for s in (self.listener, left, right):
            self.poller.register(s, select.POLLIN)
        self.clients = {}

    def command(self, words):
        if words[0] == "faults":
            for d in self.to.values():
                d.faults = words[1] == "on"
                d.release(lambda left: True)
        elif words[0] == "forget":
            for d in self.to.values():
                d.kept.clear()
                d.dropped.clear()
        elif words[0] == "counts":
            return json.dumps({side: d.counts for side, d in self.to.items()})
        elif words[0] in ("forge", "readdress"):
            d = self.to[words[1]]
            before = d.counts["sent"]
            if words[0] == "forge":
                d.send_forgeries(int(words[2]))
            else:
                d.readdress()
            return str(d.counts["sent"] - before)
        return "done"

    def serve(self, fd):
        """Runs a command, or removes a client that has closed."""
        line = self.clients[fd].recv(1000)
        if line:
            self.clients[fd].sendall(self.command(line.decode().split()).encode() + b"\n")
        else:
            self.poller.unregister(fd)
            self.clients.pop(fd).close()

    def run(self):
        while True:
            for fd, _ in self.poller.poll(HOLD_S * 1000):
                if fd == self.listener.fileno():
                    client, _ = self.listener.accept()
                    self.clients[client.fileno()] = client
                    self.poller.register(client, select.POLLIN)
                elif fd in self.clients:
                    self.serve(fd)
            for d in self.to.values():
                for _ in range(64):
                    if not d.take():
                        break
                d.idle()


if __name__ == "__main__":
    Middlebox(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]).run()
