# SPDX-License-Identifier: MIT
"""A DNS server whose records can be changed while it runs.

usage: dns.py ADDRESS RECORDS LOG

It answers questions for A and AAAA at ADDRESS, port 53, by UDP. The directory RECORDS has a file
for each name. The server reads the file for each question. The file contains

    TTL all|one ADDRESS...

"all" gives all addresses, rotated by one with each answer; "one" gives only the first of the
rotated addresses. A name without a file does not exist. The file LOG gets a line "NAME TYPE" for
each question.
"""

import ipaddress
import os
import socket
import struct
import sys

A, AAAA = 1, 28


def record(directory, name):
    """Returns the TTL, the mode and the addresses of the name, or None."""
    try:
        with open(os.path.join(directory, os.path.basename(name)), encoding="ascii") as file:
            return file.read().split()
    except FileNotFoundError:
        return None


def question(packet):
    """Returns the name, the type, and the offset at which the question ends."""
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("ascii").lower())
        at += 1 + packet[at]
    return ".".join(labels), struct.unpack_from("!H", packet, at + 1)[0], at + 5


def answer(packet, directory, turns):
    name, kind, end = question(packet)
    found = record(directory, name)
    addresses = []
    if found:
        addresses = [address for address in map(ipaddress.ip_address, found[2:])
                     if kind == {4: A, 6: AAAA}[address.version]]
    if addresses:
        turns[name, kind] = turn = (turns.get((name, kind), -1) + 1) % len(addresses)
        addresses = addresses[turn:] + addresses[:turn]
        if found[1] == "one":
            addresses = addresses[:1]
    body = b"".join(struct.pack("!HHHIH", 0xc00c, kind, 1, int(found[0]), len(a.packed)) + a.packed
                    for a in addresses)
    flags = 0x8580 if found else 0x8583  # flags: authoritative, NXDOMAIN
    return (name, kind), (packet[:2] + struct.pack("!5H", flags, 1, len(addresses), 0, 0) +
                          packet[12:end] + body)


def main():
    address, directory, log = sys.argv[1:]
    turns = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            open(log, "a", buffering=1, encoding="ascii") as lines:
        server.bind((address, 53))
        while True:
            packet, client = server.recvfrom(4096)
            (name, kind), reply = answer(packet, directory, turns)
            print(name, {A: "A", AAAA: "AAAA"}.get(kind, kind), file=lines)
            server.sendto(reply, client)


main()
