# SPDX-License-Identifier: MIT
"""Sends and receives numbered datagrams, for staging.sh.

    staging.py send ADDRESS FIRST COUNT           sends datagrams to port 9999 of ADDRESS, in order
    staging.py receive COUNT SECONDS              prints the received numbers in their order, and
                                                  ends after COUNT or when the time is over
    staging.py many COUNT BYTES                   sends one datagram to each of COUNT addresses
                                                  from 10.99.0.0 on, no faster than the daemon
                                                  reads the tunnel
"""

import socket
import sys
import time

PORT = 9999


def send(address, first, count):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for number in range(first, first + count):
        out.sendto(b"%d" % number, (address, PORT))


def receive(count, seconds):
    inbound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inbound.bind(("", PORT))
    print("ready", file=sys.stderr, flush=True)
    end = time.monotonic() + seconds
    numbers = []
    while len(numbers) < count and time.monotonic() < end:
        inbound.settimeout(max(0.01, end - time.monotonic()))
        try:
            numbers.append(inbound.recv(100).decode())
        except socket.timeout:
            break
    print(" ".join(numbers))


def many(count, size):
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(count):
        out.sendto(bytes(size), (f"10.99.{i >> 8}.{i & 255}", PORT))
        if i % 100 == 99:
            time.sleep(0.002)


VERBS = {"send": send, "receive": receive, "many": many}
VERBS[sys.argv[1]](*(a if "." in a else int(a) for a in sys.argv[2:]))
