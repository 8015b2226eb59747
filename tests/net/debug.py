# SPDX-License-Identifier: MIT
"""debug.py NAMESPACE KEY PUBLIC ACTION [COUNT] - sends packets that a node logs in debug mode.

It sends from 192.0.2.2:51820 to 192.0.2.1:51820, as the peer with private key KEY in base64:

    stranger  initiations from an unknown key
    replay    an initiation that was already answered
    mac       initiations with a wrong mac1
    macs      the same, but every second message is a response
    past      an initiation, and another one after the clock was set back
    spoof     data from 10.99.0.77 and fd00::77, which are not the peer's, in a session
"""

import base64
import os
import socket
import struct
import sys
import time

from wgpeer import Node, ipv4, ipv6, namespace, tai64n

TO = ("192.0.2.1", 51820)


def mac(node, sock, count):
    for _ in range(count):
        message = bytearray(node.initiation())
        message[116] ^= 1
        sock.sendto(message, TO)


def macs(node, sock, count):
    session = node.connect(sock, TO)
    response = bytearray(os.urandom(92))
    struct.pack_into("<III", response, 0, 2, session.local_index, session.remote_index)
    for i in range(count):
        message = bytearray(node.initiation())
        message[116] ^= 1
        sock.sendto(response if i % 2 else message, TO)


def stranger(node, sock, count):
    other = Node(os.urandom(32), node.remote)
    for _ in range(count):
        sock.sendto(other.initiation(), TO)


def replay(node, sock, count):
    message = node.initiation()
    sock.sendto(message, TO)
    sock.recv(65536)
    for _ in range(count):
        time.sleep(0.06)  # more than 50 initiations a second would be dropped for another reason
        sock.sendto(message, TO)


def past(node, sock, count):
    node.connect(sock, TO)
    node.stamp_ns -= 3600 * 10**9
    node.next_stamp = lambda: tai64n(node.stamp_ns)
    for _ in range(count):
        time.sleep(0.06)
        sock.sendto(node.initiation(), TO)


def spoof(node, sock, count):
    session = node.connect(sock, TO)
    for i in range(count):
        inner = ipv4("10.99.0.77", "10.99.0.1", (1, 9)) if i % 2 == 0 else \
            ipv6("fd00::77", "fd00::1", (1, 9))
        sock.sendto(session.seal(inner), TO)


def main():
    name, key, public, action = sys.argv[1:5]
    count = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    node = Node(base64.b64decode(key), base64.b64decode(public))
    with namespace(name):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("192.0.2.2", 51820))
    sock.settimeout(5)
    actions = {"mac": mac, "macs": macs, "past": past, "stranger": stranger, "replay": replay,
               "spoof": spoof}
    actions[action](node, sock, count)


main()
