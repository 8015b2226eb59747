# SPDX-License-Identifier: MIT
"""Shared by the tests that inspect single messages on the wire.

    d = Daemon(interface, namespace)   d.show(), d.endpoint(key), d.wg("set", ...),
                                       d.set("private_key=...")
    raw = Raw(namespace, nic, to_mac)  raw.udp(source, sport, destination, dport, payload, checksum)
    tap = Tap(namespace, nic)          for data in tap.packets(patience_s): Packet(data)
    say("what", good, why)             prints a line of TAP, numbered by python_tap of lib.sh
"""

import base64
import ipaddress
import json
import socket
import struct
import subprocess
import time

import wgpeer

PATIENCE_S = 10 * wgpeer.PATIENCE
SILENCE_S = 0.2  # how long a test waits to show that nothing happens


def say(what, good, why=""):
    print(f"ok {what}" if good else f"not ok {what}: {why}", flush=True)


def same(what, got, want):
    say(what, got == want, f"got {got}, want {want}")


def wait_until(true, patience_s=PATIENCE_S):
    """Calls @true() until it returns true or the time is over. Returns its last result."""
    end = time.monotonic() + patience_s
    while not (answer := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return answer


def key_file(path):
    with open(path, encoding="ascii") as f:
        return base64.b64decode(f.read())


def text_of(key):
    return base64.b64encode(key).decode()


def bound(namespace, address, port=0, buffer=1 << 24):
    """Returns a UDP socket in @namespace, bound to @address, IPv4 or IPv6 ("%nic" allowed)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with wgpeer.namespace(namespace):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, 33, buffer)  # SO_RCVBUFFORCE
        s.bind(socket.getaddrinfo(address, port, family, socket.SOCK_DGRAM)[0][4])
    return s


def drain(sock):
    """Yields the queued datagrams of @sock, as (message, from)."""
    sock.setblocking(False)
    while True:
        try:
            yield sock.recvfrom(65536)
        except BlockingIOError:
            return


def receive(sock, patience_s=PATIENCE_S, kind=None):
    """Returns the next message at @sock, or the next of type @kind, or None."""
    end = time.monotonic() + patience_s
    while (left := end - time.monotonic()) > 0:
        sock.settimeout(left)
        try:
            message = sock.recv(65536)
        except socket.timeout:
            break
        if kind is None or message[0] == kind:
            return message
    return None


class Daemon:
    """The daemon under test."""

    def __init__(self, interface, namespace):
        self.interface, self.namespace = interface, namespace
        self.control = socket.socket(socket.AF_UNIX)
        self.control.connect(f"/run/wgxdp/{interface}.sock")
        self.lines = self.control.makefile("r")

    def show(self):
        self.control.sendall(b'{"op":"show"}\n')
        return json.loads(self.lines.readline())

    def drops(self):
        return self.show()["drops"]

    def peer(self, public):
        return next(p for p in self.show()["peers"] if p["public_key"] == text_of(public))

    def endpoint(self, public):
        return self.peer(public)["endpoint"]

    def run(self, *command):
        with wgpeer.namespace(self.namespace):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def wg(self, *words):
        self.run("wg", "set", self.interface, *words)

    def set(self, *lines):
        """Sends lines to the configuration socket, faster than wg(8) would."""
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(f"/var/run/wireguard/{self.interface}.sock")
            s.sendall(("\n".join(("set=1", *lines)) + "\n\n").encode())
            answer = s.makefile("r").readline().strip()
        if answer != "errno=0":
            raise OSError(answer)


    def link_down(self):
        """Sets the link down, and returns when the daemon has closed its sockets."""
        self.run("ip", "link", "set", self.interface, "down")
        wait_until(lambda: not self.has_sockets())

    def link_up(self):
        self.run("ip", "link", "set", self.interface, "up")

    def has_sockets(self):
        port = f":{self.show()['listen_port']:04X} "
        with wgpeer.namespace(self.namespace), \
                open("/proc/thread-self/net/udp", encoding="ascii") as f:
            return port in f.read()


def mac_of_link(namespace, nic):
    with wgpeer.namespace(namespace):
        link = json.loads(subprocess.check_output(["ip", "-j", "link", "show", "dev", nic]))[0]
    return bytes.fromhex(link["address"].replace(":", ""))


class Raw:
    """Sends frames of any kind, from a NIC of @namespace to @to_mac."""

    def __init__(self, namespace, nic, to_mac):
        with wgpeer.namespace(namespace):
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.socket.bind((nic, 0))
        self.to_mac, self.own_mac = to_mac, mac_of_link(namespace, nic)

    def udp(self, source, sport, destination, dport, payload, checksum="full"):
        """Sends a UDP datagram. @checksum: full, none (0), pseudo (for a NIC to complete),
        wrong."""
        source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
        length = 8 + len(payload)
        head = struct.pack(">HHHH", sport, dport, length, 0)
        pseudo = source.packed + destination.packed + struct.pack(">II", length, 17)
        check = {
            "full": lambda: wgpeer.checksum(pseudo + head + payload) or 0xFFFF,
            "none": lambda: 0,
            "pseudo": lambda: ~wgpeer.checksum(pseudo) & 0xFFFF,
            "wrong": lambda: wgpeer.checksum(pseudo + head + payload) ^ 0x5555 or 1,
        }[checksum]()
        head = head[:6] + struct.pack(">H", check)
        if source.version == 4:
            ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0)
            ip += source.packed + destination.packed
            ip = ip[:10] + struct.pack(">H", wgpeer.checksum(ip)) + ip[12:]
            kind = 0x0800
        else:
            ip = struct.pack(">IHBB", 6 << 28, length, 17, 64) + source.packed + destination.packed
            kind = 0x86DD
        frame = self.to_mac + self.own_mac + struct.pack(">H", kind) + ip + head + payload
        self.socket.send(frame)


class Tap:
    """Reads every packet that arrives on @nic of @namespace, without its Ethernet header."""

    def __init__(self, namespace, nic):
        with wgpeer.namespace(namespace):
            # 3 is ETH_P_ALL. SOCK_DGRAM strips an Ethernet header.
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 24)  # SO_RCVBUFFORCE
            self.socket.bind((nic, 3))

    def packets(self, patience_s):
        """Yields packets until none has come for @patience_s."""
        self.socket.settimeout(patience_s)
        while True:
            try:
                packet, (_, _, kind, _, _) = self.socket.recvfrom(65536)
            except socket.timeout:
                return
            if kind != 4:  # PACKET_OUTGOING
                yield packet

    def forget(self):
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(65536)
        except BlockingIOError:
            pass


class Packet:
    """A parsed IP packet."""

    def __init__(self, data):
        self.data, self.version = data, data[0] >> 4
        if self.version == 4:
            header = (data[0] & 15) * 4
            self.tclass, self.ttl, self.protocol = data[1], data[8], data[9]
            self.fragment = struct.unpack(">H", data[6:8])[0]  # the DF bit is 0x4000
            self.sum_fits = wgpeer.checksum(data[:header]) == 0
            self.flow, self.source = 0, str(ipaddress.IPv4Address(data[12:16]))
        else:
            header = 40
            self.tclass = (data[0] & 15) << 4 | data[1] >> 4
            self.ttl, self.protocol = data[7], data[6]
            self.fragment, self.sum_fits = 0, True
            self.flow = struct.unpack(">I", data[:4])[0] & 0xFFFFF
            self.source = str(ipaddress.IPv6Address(data[8:24]))
        self.payload = data[header:]

    def message(self, sport, dport):
        """Returns the payload if it is a UDP datagram between these ports, otherwise None."""
        if self.protocol != 17 or struct.unpack(">HH", self.payload[:4]) != (sport, dport):
            return None
        return self.payload[8:]
