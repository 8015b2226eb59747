#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Sends datagrams that look like WireGuard between other hosts.

bystanders.py stream C S UNTIL LINE: sends an answer every half millisecond until the file UNTIL
exists. bystanders.py COUNT C S LINE...: sends COUNT datagrams each way.

Each LINE is "FROM TO REPLY". A socket on FROM:51820 in namespace C sends to a socket on TO:51820 in
namespace S, and the second socket sends its answers to REPLY. All datagrams must arrive unaltered.
With a fourth word, "strict", only answers that need no fragments are sent, and none may arrive.
"""

import collections
import os
import random
import socket
import struct
import sys
import time

import wgpeer
from accounting import PATIENCE_S, say

PORT = 51820


def shapes(rng, count):
    """Yields messages that a WireGuard node may send, with unknown indices; malformed messages; and
    messages that need fragments."""
    for i in range(count):
        kind = rng.choice((1, 2, 3, 4, 4, 4, 4, 5, 255))
        length = {1: 148, 2: 92, 3: 64}.get(kind, 16 * rng.randrange(2, 90))
        if i % 10 == 9:
            length = rng.choice((4, 31, 33, 147, 149, 1500, 3000))
        reserved = 1 << 8 if i % 10 == 8 else 0
        yield struct.pack("<I", kind | reserved) + rng.randbytes(length - 4)


def opened(namespace, address):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with wgpeer.namespace(namespace):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)
        s.bind((address, PORT))
    s.setblocking(False)
    return s


def exchange(sender, to, receiver, messages, patience_s=PATIENCE_S):
    """Sends @messages. Returns how many are lost, how many arrived that were not sent, and the
    source of the last one that arrived."""
    want, got, source = collections.Counter(messages), collections.Counter(), None

    def take():
        nonlocal source
        try:
            while True:
                data, source = receiver.recvfrom(65536)
                got[data] += 1
        except BlockingIOError:
            return

    for message in messages:
        sender.sendto(message, (to, PORT))
        take()
    end = time.monotonic() + patience_s
    while got != want and time.monotonic() < end:
        time.sleep(0.01)
        take()
    return sum((want - got).values()), sum((got - want).values()), source


def stream(c, s, until, line):
    own, to, reply = line.split()
    client, server = opened(c, own), opened(s, to)
    client.sendto(b"the mapping", (to, PORT))
    sent = got = 0
    end, latest = None, time.monotonic() + 60
    while end is None or got < sent and time.monotonic() < end:
        if end is None:
            server.sendto(struct.pack("<IIQ", 4, sent, 0) + bytes(48), (reply, PORT))
            sent += 1
            if os.path.exists(until) or time.monotonic() > latest:
                end = time.monotonic() + 1
        try:
            while client.recv(65536):
                got += 1
        except BlockingIOError:
            time.sleep(0.0005)
    say(f"none of {sent} answers is lost", got == sent, f"{sent - got} lost")


def exchanges(count, c, s, *lines):
    for line in lines:
        rng = random.Random(line)
        own, to, reply, *strict = line.split()
        client, server = opened(c, own), opened(s, to)
        messages = list(shapes(rng, int(count)))
        lost, odd, source = exchange(client, to, server, messages)
        say(f"{own} to {to}: {count} datagrams, and all arrive", lost == odd == 0,
            f"{lost} lost, {odd} that were not sent")
        say(f"the datagrams come from {reply} port {PORT}",
            source and source[:2] == (reply, PORT), source)
        if strict:
            messages = [m for m in messages if len(m) <= 1472]
        lost, odd, source = exchange(server, reply, client, messages,
                                     0.5 if strict else PATIENCE_S)
        if strict:
            say(f"{to} to {reply}: {len(messages)} datagrams, and none arrives",
                lost == len(messages),
                f"{lost} lost")
        else:
            say(f"{to} to {reply}: {count} datagrams, and all arrive", lost == odd == 0,
                f"{lost} lost, {odd} that were not sent")
        client.close()
        server.close()


if __name__ == "__main__":
    if sys.argv[1] == "stream":
        stream(*sys.argv[2:])
    else:
        exchanges(*sys.argv[1:])
