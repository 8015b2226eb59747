#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""outer.py A B INTERFACE KEYS OUTER PATH TEST... - the far end of outer.sh: a node of
wgpeer.py in namespace B. It reads packets on the NIC of B, and on the tunnel's interface in A.

OUTER is 4 or 6, PATH xdp or udp; each TEST is a function below. Prints "ok WHAT" and "not ok WHAT:
why".
"""

import base64
import os
import socket
import struct
import sys
import time

import wgpeer
from wire import PATIENCE_S, Packet, Daemon, Tap, key_file, same, say, wait_until

OURS = {4: "10.99.0.1", 6: "fd99::1"}
THEIRS = {4: "10.99.0.2", 6: "fd99::2"}
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
PORT, FAR_PORT = 51821, 51822
TTL = {4: 37, 6: 41}  # outer.sh sets these
SILENCE_S = 0.3  # how long a test waits to show that no packet comes
HANDSHAKE_CLASS = 0x88
NOT_ECT, ECT1, ECT0, CE = range(4)


def with_class(ip, tclass):
    """Returns the IP packet @ip with the traffic class @tclass, and for IPv4 with a correct
    checksum."""
    if ip[0] >> 4 == 6:
        return bytes([0x60 | tclass >> 4, tclass << 4 & 0xFF | ip[1] & 15]) + ip[2:]
    head = bytes([ip[0], tclass]) + ip[2:10] + bytes(2) + ip[12:20]
    return head[:10] + struct.pack(">H", wgpeer.checksum(head)) + head[12:] + ip[20:]


class Bench:
    def __init__(self, a, b, interface, keys, outer, path):
        self.daemon = Daemon(interface, a)
        self.a, self.b, self.interface = a, b, interface
        self.outer, self.path = int(outer), path
        self.family = {4: socket.AF_INET, 6: socket.AF_INET6}
        self.wire, self.tunnel = Tap(b, "eth0"), Tap(a, interface)
        self.loopback = Tap(a, "lo")  # ICMP errors for senders on the host come through lo
        with wgpeer.namespace(b):
            self.sock = socket.socket(self.family[self.outer], socket.SOCK_DGRAM)
            self.sock.bind((OUTER[self.outer][1], FAR_PORT))
        with wgpeer.namespace(a):
            self.host = {v: socket.socket(f, socket.SOCK_DGRAM) for v, f in self.family.items()}
            for version, s in self.host.items():
                s.bind((OURS[version], 0))
        self.to = (OUTER[self.outer][0], PORT)
        self.node = wgpeer.Node(*(key_file(os.path.join(keys, f)) for f in ("b.key", "a.pub")))
        self.session = None
        self.show, self.in_a = self.daemon.show, self.daemon.run

    def dropped(self):
        """Returns the drops by reason."""
        shown = self.show()
        return shown["drops"] | shown["lost"]

    def workers(self):
        credentials = self.daemon.control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return wgpeer.workers_of(struct.unpack("iII", credentials)[0])

    def set_mtu(self, mtu):
        """Sets the tunnel's MTU, and waits until the daemon knows it."""
        self.in_a("ip", "link", "set", self.interface, "mtu", str(mtu))
        say(f"the daemon sees MTU {mtu}", wait_until(lambda: self.show()["mtu"] == mtu))

    def say_class(self, version, tclass):
        """Sets the traffic class of the packets that the host sends from now on."""
        if version == 4:
            self.host[4].setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tclass)
        else:
            self.host[6].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tclass)

    def host_sends(self, version, inner_len=100, to=None):
        """The host sends a packet of @inner_len bytes, which include its IP header."""
        payload = bytes(inner_len - {4: 28, 6: 48}[version])
        self.host[version].sendto(payload, (to or THEIRS[version], 9))

    def outer_packets(self, patience_s=SILENCE_S):
        """Yields (Packet, message) for each message that the daemon sends."""
        for data in self.wire.packets(patience_s):
            packet = Packet(data)
            message = packet.message(PORT, FAR_PORT)
            if message is not None:
                yield packet, message

    def next(self, kind):
        """Returns (Packet, message) of the next message of type @kind."""
        for packet, message in self.outer_packets(PATIENCE_S):
            if message[0] == kind:
                return packet, message
        raise TimeoutError(f"no message of type {kind}")

    def padded_to(self, version, inner_len):
        """Sends a packet. Returns the length to which it was padded, or 0 if no unfragmented
        message is seen."""
        self.host_sends(version, inner_len)
        for _, message in self.outer_packets():
            return len(message) - 32
        return 0

    def connect(self):
        if not self.session:
            self.session = self.node.connect(self.sock, self.to)
            self.sock.sendto(self.session.seal(wgpeer.ipv4(THEIRS[4], OURS[4], (1, 9))), self.to)
            next(self.tunnel.packets(PATIENCE_S))  # the packet arrives, so it confirmed the session
        self.wire.forget()
        self.tunnel.forget()

    def sent(self):
        return self.show()["path"]["tx_packets"]["xsk" if self.path == "xdp" else "udp"]

    def settled(self):
        """Waits until the messages of the previous test are counted. Returns the number of sent
        messages."""
        count = self.sent()
        while time.sleep(0.05) or count != self.sent():
            count = self.sent()
        return count


def by_this_path(bench, what, before, want):
    """Checks that @want messages take the path under test. Waits for the counters, because a
    message is counted only after it is on the wire."""
    wait_until(lambda: bench.sent() - before >= want)
    same(f"{what}: the messages take this path", bench.sent() - before, want)


def check_header(bench, what, packet, tclass):
    got = (packet.tclass, packet.ttl, packet.fragment, packet.flow, packet.sum_fits)
    same(f"{what}: class, TTL, DF, flow label and checksum are right", got,
         (tclass, TTL[bench.outer], 0, 0, True))


# --- headers --------------------------------------------------------------------------------------


def handshakes(bench):
    """Initiation and response have the traffic class AF41. A data message has class 0."""
    bench.host_sends(4)
    packet, initiation = bench.next(wgpeer.INITIATION)
    check_header(bench, "initiation", packet, HANDSHAKE_CLASS)
    session, response = bench.node.answer(initiation)
    bench.sock.sendto(response, bench.to)
    packet, message = bench.next(wgpeer.DATA)
    check_header(bench, "the staged packet", packet, 0)
    same("the staged packet is the one that the host sent", len(session.open(message)), 112)
    bench.sock.sendto(bench.node.initiation(), bench.to)
    packet, response = bench.next(wgpeer.RESPONSE)
    check_header(bench, "response", packet, HANDSHAKE_CLASS)
    bench.session = bench.node.finish(response)
    bench.sock.sendto(bench.session.seal(b""), bench.to)


def keepalive(bench):
    bench.connect()
    bench.daemon.wg("peer", base64.b64encode(bench.node.public).decode(),
                    "persistent-keepalive", "1000")
    packet, message = bench.next(wgpeer.DATA)
    same("a keepalive has 32 bytes", len(message), 32)
    check_header(bench, "keepalive", packet, 0)


def classes_out(bench):
    """DSCP is not copied to the outer header. ECN is copied, but CE becomes ECT(0). Each pair is
    (inner class, outer class)."""
    bench.connect()
    before = bench.settled()
    classes = [(0, 0), (ECT1, ECT1), (ECT0, ECT0), (CE, ECT0), (0xB8, 0), (0xFD, ECT1),
               (0x22, ECT0), (0xFF, ECT0)]
    for version in (4, 6):
        for inner, want in classes:
            bench.say_class(version, inner)
            bench.host_sends(version)
            packet, message = bench.next(wgpeer.DATA)
            what = f"inner IPv{version}, class {inner:#x}"
            check_header(bench, what, packet, want)
            inside = Packet(bench.session.open(message))
            same(f"{what}: the inner class is unchanged", (inside.version, inside.tclass),
                 (version, inner))
    by_this_path(bench, "all classes", before, 2 * len(classes))


def classes_in(bench):
    """Decapsulation sets the inner ECN mark by RFC 6040, for all pairs of inner and outer marks,
    but drops no packet. The inner DSCP stays the same."""
    bench.connect()
    for version, make in ((4, wgpeer.ipv4), (6, wgpeer.ipv6)):
        for inner in range(4):
            for outer in range(4):
                want = inner
                if outer == CE and inner != NOT_ECT:
                    want = CE
                elif outer == ECT1 and inner == ECT0:
                    want = ECT1
                plain = make(THEIRS[version], OURS[version], (1, 9), b"marks")
                if bench.outer == 4:
                    bench.sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x48 | outer)
                else:
                    bench.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, 0x48 | outer)
                bench.sock.sendto(bench.session.seal(with_class(plain, 0xB8 | inner)), bench.to)
                got = next(bench.tunnel.packets(PATIENCE_S), b"")
                same(f"IPv{version}, {inner:02b} inside, {outer:02b} outside give {want:02b}",
                     got.hex(), with_class(plain, 0xB8 | want).hex())
    same("nothing is dropped", bench.dropped(), {})


# --- padding --------------------------------------------------------------------------------------


def lengths(bench, what, version, want):
    """Checks the padding. @want maps the length of an inner packet to that of the padded
    plaintext."""
    overhead = {4: 28, 6: 48}[bench.outer] + 32
    before = bench.settled()
    for inner, padded in want.items():
        bench.host_sends(version, inner)
        packet, message = bench.next(wgpeer.DATA)
        text = bench.session.open(message)
        total = padded + overhead
        what_of = f"{what}: IPv{version} of {inner} bytes becomes {padded}, {total} outside"
        same(what_of, (len(packet.data), len(text)), (total, padded))
        same(f"{what_of}, padded with zeros", text[inner:], bytes(padded - inner))
    by_this_path(bench, f"{what}: IPv{version}", before, len(want))


def until(bench, version, inner, padded):
    """Sends packets until their padding shows that the daemon has learned of a new route."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        if bench.padded_to(version, inner) == padded:
            return
        time.sleep(0.05)
    say(f"{inner} bytes are padded to {padded}", False, "not within the time")


def routes_by(bench, version, *words):
    bench.in_a("ip", f"-{version}", "route", *words)


def padding(bench):
    """Padding goes to a multiple of 16, but never beyond the MTU of the tunnel or of the inner
    route."""
    bench.connect()
    bench.set_mtu(1300)
    for version in (4, 6):
        lengths(bench, "MTU 1300", version, {
            64: 64, 65: 80, 1279: 1280, 1280: 1280, 1281: 1296, 1296: 1296, 1297: 1300, 1300: 1300})
    for version, host in ((4, "10.99.0.2/32"), (6, "fd99::2/128")):
        # 1297 bytes are padded to the route's MTU, 1299, and not to 1300, the tunnel's MTU.
        routes_by(bench, version, "add", host, "dev", bench.interface, "mtu", "1299")
        until(bench, version, 1297, 1299)
        lengths(bench, "inner route of MTU 1299", version, {
            65: 80, 1280: 1280, 1281: 1296, 1296: 1296, 1297: 1299, 1298: 1299, 1299: 1299})
        other = {4: "10.99.0.3", 6: "fd99::3"}[version]
        bench.host_sends(version, 1297, other)
        same("another destination is not affected", len(bench.next(wgpeer.DATA)[1]), 1300 + 32)
        routes_by(bench, version, "change", host, "dev", bench.interface, "mtu", "1285")
        until(bench, version, 1281, 1285)
        routes_by(bench, version, "delete", host, "dev", bench.interface)
        until(bench, version, 1297, 1300)
    # The MTU of a route in another table also counts, because a rule might select that table.
    routes_by(bench, 4, "add", "10.99.0.2/32", "dev", bench.interface, "mtu", "1298", "table", "77")
    until(bench, 4, 1297, 1298)
    routes_by(bench, 4, "flush", "table", "77")
    until(bench, 4, 1297, 1300)
    same("nothing is dropped", bench.dropped(), {})


def padding_outside(bench):
    """Padding never goes beyond the MTU of the outer route."""
    bench.connect()
    bench.set_mtu(1300)
    far = {4: "192.0.2.2/32", 6: "2001:db8::2/128"}[bench.outer]
    for mtu in (1337, 1350):
        routes_by(bench, bench.outer, "replace", far, "dev", "eth0", "mtu", str(mtu))
        most = mtu - {4: 60, 6: 80}[bench.outer]
        until(bench, 6, most - 3, most)
        lengths(bench, f"outer route of MTU {mtu}", 6, {
            100: 112, most - 30: (most - 30 + 15) // 16 * 16, most - 1: most, most: most})
    routes_by(bench, bench.outer, "delete", far, "dev", "eth0")
    until(bench, 4, 1297, 1300)
    same("nothing is dropped", bench.dropped(), {})


# --- too big --------------------------------------------------------------------------------------


def careful_socket(bench, version):
    """Opens a socket of the host that sends IPv4 with DF and receives ICMP errors."""
    level = {4: socket.IPPROTO_IP, 6: socket.IPPROTO_IPV6}[version]
    discover, errors = {4: (10, 11), 6: (23, 25)}[version]  # IP_MTU_DISCOVER, IP_RECVERR
    with wgpeer.namespace(bench.a):
        s = socket.socket(bench.family[version], socket.SOCK_DGRAM)
    s.setsockopt(level, discover, 2)  # IP_PMTUDISC_DO
    s.setsockopt(level, errors, 1)
    s.bind((OURS[version], 0))
    s.connect((THEIRS[version], 9))
    return s


def told_mtu(sock):
    """Returns (errno, whether ICMP or ICMPv6 reported it, MTU) of the next error, or None."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            _, control, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT)
        except BlockingIOError:
            time.sleep(0.01)
            continue
        errno, origin, _, _, _, mtu, _ = struct.unpack("=IBBBBII", control[0][2][:16])
        return (errno, origin > 1, mtu)  # origin 2 is ICMP, 3 is ICMPv6
    return None


def too_big(bench):
    """Packets were queued before the MTU was lowered. Those that must not be fragmented are
    dropped, and their senders get an ICMP error."""
    bench.connect()
    bench.set_mtu(1400)
    bench.loopback.forget()
    before = bench.show()["drops"].get("too_big", 0)
    careful = {version: careful_socket(bench, version) for version in (4, 6)}
    with wgpeer.held(*bench.workers()):
        for version, s in careful.items():
            s.send(bytes(1400 - {4: 28, 6: 48}[version]))
        bench.host[4].setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_PMTUDISC_DONT: without DF
        bench.host_sends(4, 1400)
        bench.host_sends(6, 1300)
        bench.set_mtu(1300)
    for version, s in careful.items():
        same(f"IPv{version} of 1400 bytes: an ICMP error says that 1300 would pass", told_mtu(s),
             (90, True, 1300))
    came = sorted((Packet(bench.session.open(m)).version, len(m) - 32) for _,
                  m in bench.outer_packets())
    same("1400 bytes of IPv4 without DF and 1300 of IPv6 are sent", came, [(4, 1400), (6, 1300)])
    same("the other packets are counted as dropped",
         bench.show()["drops"].get("too_big", 0) - before, 2)
    errors = [Packet(p) for p in bench.loopback.packets(SILENCE_S)]
    same("the errors have the right type and code",
         sorted((e.version, e.payload[0], e.payload[1]) for e in errors),
         [(4, 3, 4), (6, 2, 0)])
    # Clear the socket's pending error. The kernel may set it after queueing the report read above.
    careful[4].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    # The daemon sends at most 50 ICMP errors in a burst, and then 100 a second.
    with wgpeer.held(*bench.workers()):
        for _ in range(100):
            careful[4].send(bytes(1300 - 28))
        bench.set_mtu(1280)
    say("100 such packets are counted",
        wait_until(lambda: bench.show()["drops"].get("too_big", 0) - before == 102))
    told = sum(1 for _ in bench.loopback.packets(SILENCE_S))
    say(f"no more than a burst of errors is sent ({told})", 50 <= told < 75)
    # If a route has a larger MTU than the interface, larger packets are allowed.
    routes_by(bench, 6, "add", "fd99::9/128", "dev", bench.interface, "mtu", "1400")
    routes_by(bench, 4, "add", "10.99.0.2/32", "dev", bench.interface, "mtu", "1270")
    until(bench, 4, 1265, 1270)  # then the daemon knows the IPv6 route, too
    bench.host_sends(6, 1400, "fd99::9")
    same("1400 bytes by a route of MTU 1400 are sent", len(bench.next(wgpeer.DATA)[1]), 1400 + 32)
    same("such packets are not dropped", bench.show()["drops"].get("too_big", 0) - before, 102)


def main():
    bench = Bench(*sys.argv[1:7])
    for test in sys.argv[7:]:
        globals()[test](bench)


main()
