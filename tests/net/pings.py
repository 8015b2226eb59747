#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""pings.py ADDRESS [COUNT [INTERVAL_S [PATIENCE_S [LENGTH]]]] - sends echo requests and waits for
each answer.

ping(8) waits for the last answers no longer than twice the slowest round trip, so on a busy machine
it counts late answers as lost. Prints "N of COUNT". The exit status is 0 if all were answered.
"""

import os
import select
import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main(address, count="20", interval_s="0.005", patience_s="8", length="56"):
    count, v6 = int(count), ":" in address
    family, protocol = (socket.AF_INET6, 58) if v6 else (socket.AF_INET, 1)
    request, reply = (128, 129) if v6 else (8, 0)
    sock = socket.socket(family, socket.SOCK_RAW, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.connect((address, 0))
    ident, waiting, sent = os.getpid() & 0xFFFF, set(), 0
    due = time.monotonic()
    patience = int(os.environ.get("PATIENCE") or 1)  # as in lib.sh: a factor for slow machines
    end = due + count * float(interval_s) + float(patience_s) * patience
    while sent < count or waiting:
        now = time.monotonic()
        if now > end:
            break
        if sent < count and now >= due:
            head = struct.pack("!BBHHH", request, 0, 0, ident, sent)
            packet = head + bytes(int(length))
            if not v6:
                packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
            try:
                sock.send(packet)
            except OSError:
                pass  # the ping counts as not answered
            waiting.add(sent)
            sent += 1
            due += float(interval_s)
            continue
        until = due if sent < count else end
        if not select.select([sock], [], [], max(0, until - now))[0]:
            continue
        try:
            data = sock.recv(2048)
        except OSError:
            continue  # an ICMP error
        icmp = data if v6 else data[(data[0] & 15) * 4:]
        if len(icmp) >= 8 and icmp[0] == reply:
            answered, number = struct.unpack("!HH", icmp[4:8])
            if answered == ident:
                waiting.discard(number)
    print(f"{sent - len(waiting)} of {count}")
    return 0 if sent == count and not waiting else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
