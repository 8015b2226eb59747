#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""offloads.py A B C ID TEST... - sends large packets between the nodes of offloads.sh."""

import hashlib
import random
import socket
import struct
import subprocess
import sys
import threading
import time

import wgpeer
from wire import same, say

PORT = 7000
TCP_BYTES = 6 << 20
UDP_SEGMENT = 103
SO_RCVBUFFORCE = 33


class Bench:
    def __init__(self, a, b, c, prefix):
        self.spaces = {1: a, 2: b, 3: c}
        self.interfaces = {1: f"{prefix}a", 2: f"{prefix}b", 3: f"{prefix}c"}

    def socket(self, node, *kind):
        with wgpeer.namespace(self.spaces[node]):
            return socket.socket(*kind)

    def run(self, node, *command):
        subprocess.run(["nsenter", f"--net=/run/netns/{self.spaces[node]}", *command], check=True)

    def snmp(self, node, protocol, field):
        """Returns a counter of /proc/net/snmp in the namespace of @node."""
        with wgpeer.namespace(self.spaces[node]):
            with open("/proc/thread-self/net/snmp", encoding="ascii") as f:
                lines = [line.split() for line in f if line.startswith(protocol + ":")]
        return int(lines[1][lines[0].index(field)])


def address(node, family):
    return f"10.99.0.{node}" if family == socket.AF_INET else f"fd99::{node}"


def transfer(bench, source, target, family, size=TCP_BYTES, slow=False):
    """Sends random bytes by TCP. Returns the digests of the sent and of the received bytes."""
    listener = bench.socket(target, family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address(target, family), PORT))
    listener.listen(1)
    arrived = hashlib.sha256()

    def serve():
        connection = listener.accept()[0]
        while data := connection.recv(1 << 16):
            arrived.update(data)
        connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    out = bench.socket(source, family, socket.SOCK_STREAM)
    out.connect((address(target, family), PORT))
    data = random.Random(size).randbytes(size)
    for at in range(0, size, 1 << 16):
        out.sendall(data[at:at + (1 << 16)])
        if slow:
            time.sleep(0.01)
    out.close()
    thread.join(60)
    listener.close()
    return hashlib.sha256(data).hexdigest(), arrived.hexdigest()


def tcp(bench):
    for family in (socket.AF_INET, socket.AF_INET6):
        for source, target in ((1, 2), (2, 1)):
            sent, arrived = transfer(bench, source, target, family)
            same(f"TCP, IPv{4 if family == socket.AF_INET else 6}, {source} to {target}", arrived,
                 sent)


def receiver(bench, node, family):
    s = bench.socket(node, family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
    s.bind((address(node, family), PORT))
    s.settimeout(1)
    return s


def collect(s, count):
    """Receives up to @count datagrams. Returns pairs of number and length."""
    got = []
    try:
        while len(got) < count:
            data = s.recv(65536)
            number = struct.unpack_from("!I", data)[0]
            if data[4:] != bytes([number & 255]) * (len(data) - 4):
                number = -1
            got.append((number, len(data)))
    except TimeoutError:
        pass
    return got


def numbered(number, size):
    return struct.pack("!I", number) + bytes([number & 255]) * (size - 4)


def send_trains(bench, source, targets, family, size, trains=20, cars=20, last=0):
    """Sends trains of datagrams, to each target in turn. Returns the datagrams that each target
    should get."""
    out = bench.socket(source, family, socket.SOCK_DGRAM)
    out.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    expected = {target: [] for target in targets}
    number = 0
    for _ in range(trains):
        for target in targets:
            sizes = [size] * (cars - 1) + [last or size]
            data = b"".join(numbered(number + i, n) for i, n in enumerate(sizes))
            expected[target] += [(number + i, n) for i, n in enumerate(sizes)]
            out.sendto(data, (address(target, family), PORT))
            number += len(sizes)
        time.sleep(0.01)
    out.close()
    return expected


def trains(bench):
    for family in (socket.AF_INET, socket.AF_INET6):
        for size, last in ((1200, 0), (1200, 7), (64, 0)):
            into = receiver(bench, 2, family)
            expected = send_trains(bench, 1, [2], family, size, last=last)[2]
            same(f"UDP trains, IPv{4 if family == socket.AF_INET else 6}, {size} B, last {last}",
                 collect(into, len(expected)), expected)
            into.close()


def connect(bench, source, target, into):
    """Waits until a datagram has arrived, so that the peers have a session. A train that is sent
    during a slow handshake could exceed the packets that wait for the session."""
    out = bench.socket(source, into.family, socket.SOCK_DGRAM)
    out.sendto(b"hello", (address(target, into.family), PORT))
    timeout = into.gettimeout()
    into.settimeout(10)
    into.recv(65536)
    into.settimeout(timeout)
    out.close()


def two_peers(bench):
    into = {node: receiver(bench, node, socket.AF_INET) for node in (2, 3)}
    for node, s in into.items():
        connect(bench, 1, node, s)
    expected = send_trains(bench, 1, [2, 3], socket.AF_INET, 500)
    for node, s in into.items():
        same(f"trains to two peers, {node}", collect(s, len(expected[node])), expected[node])
        s.close()


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packet(protocol, transport, check_at, wrong):
    """Returns an IPv4 packet from a to b, whose transport checksum is wrong if @wrong."""
    source, target = bytes([10, 99, 0, 1]), bytes([10, 99, 0, 2])
    pseudo = source + target + struct.pack("!BBH", 0, protocol, len(transport))
    check = checksum(pseudo + transport) ^ (0x0100 if wrong else 0)
    transport = transport[:check_at] + struct.pack("!H", check) + transport[check_at + 2:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(transport), 0, 0x4000, 64, protocol, 0)
    ip += source + target
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return ip + transport


def udp_packet(number, wrong):
    data = numbered(number, 1000)
    return packet(17, struct.pack("!HHHH", 4444, PORT, 8 + len(data), 0) + data, 6, wrong)


def tcp_packet(number, wrong):
    """Returns one of a train of segments that belong to no connection."""
    header = struct.pack("!HHIIBBHHH", 4444, PORT + 1, 1000 * number, 1, 0x50, 0x10, 500, 0, 0)
    return packet(6, header + numbered(number, 1000), 16, wrong)


def wrong_checksums(bench):
    """Sends bursts of packets that would be merged if all had right checksums. A third of them has
    a wrong checksum."""
    out = bench.socket(1, socket.AF_PACKET, socket.SOCK_DGRAM)
    into = receiver(bench, 2, socket.AF_INET)
    right = [i for i in range(90) if i % 3 != 1]
    wrong_udp = bench.snmp(2, "Udp", "InCsumErrors")
    wrong_tcp = bench.snmp(2, "Tcp", "InCsumErrors")
    for make in (udp_packet, tcp_packet):
        for i in range(90):
            out.sendto(make(i, i not in right), (bench.interfaces[1], 0x0800))
    same("only UDP packets with right checksums arrive", [n for n, _ in collect(into, 90)], right)
    same("wrong UDP checksums stay wrong", bench.snmp(2, "Udp", "InCsumErrors") - wrong_udp, 30)
    end = time.monotonic() + 2
    while bench.snmp(2, "Tcp", "InCsumErrors") - wrong_tcp < 30 and time.monotonic() < end:
        time.sleep(0.01)
    same("wrong TCP checksums stay wrong", bench.snmp(2, "Tcp", "InCsumErrors") - wrong_tcp, 30)
    into.close()
    out.close()


def mtu_under_load(bench):
    """The MTU of both ends changes while a connection is busy."""
    done = threading.Event()

    def change():
        mtu = 1420
        while not done.wait(0.05):
            mtu = 1300 if mtu == 1420 else 1420
            for node in (1, 2):
                bench.run(node, "ip", "link", "set", bench.interfaces[node], "mtu", str(mtu))

    thread = threading.Thread(target=change)
    thread.start()
    sent, arrived = transfer(bench, 1, 2, socket.AF_INET, slow=True)
    done.set()
    thread.join()
    same("TCP while the MTU changes", arrived, sent)


def main():
    bench = Bench(*sys.argv[1:5])
    for test in sys.argv[5:]:
        globals()[test](bench)
    say("the tests run to their end", True)


main()
