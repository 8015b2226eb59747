#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""flow.py SECONDS NS:ADDRESS,NS:ADDRESS... - sends datagrams both ways between each pair, at once.

It sends 100 datagrams a second each way, and waits for the last ones. For each pair it prints "sent
N lost N M": the losses from the first end to the second, and the losses back. It prints "begun"
once each end has received a datagram.
"""

import struct
import sys
import time

from wire import PATIENCE_S, bound, drain

INTERVAL_S = 0.01


class Pair:
    def __init__(self, text):
        self.ends = [end.split(":", 1) for end in text.split(",")]
        self.sockets = [bound(namespace, address) for namespace, address in self.ends]
        self.to = [s.getsockname() for s in reversed(self.sockets)]
        self.came = [set(), set()]  # numbers that the first and the second receiver got

    def send(self, number):
        for s, to in zip(self.sockets, self.to):
            try:
                s.sendto(struct.pack(">Q", number), to)
            except OSError:
                pass  # the packet counts as lost

    def collect(self):
        for s, came in zip(self.sockets, self.came):
            came.update(struct.unpack(">Q", m)[0] for m, _ in drain(s))


def main(seconds, *texts):
    pairs = [Pair(text) for text in texts]
    began, number, count = time.monotonic(), 0, int(float(seconds) / INTERVAL_S)
    begun = False
    while number < count:
        for pair in pairs:
            pair.send(number)
            pair.collect()
        number += 1
        if not begun and all(came for pair in pairs for came in pair.came):
            begun = True
            print("begun", flush=True)
        time.sleep(max(0, began + number * INTERVAL_S - time.monotonic()))
    end = time.monotonic() + PATIENCE_S
    while any(len(c) < count for p in pairs for c in p.came) and time.monotonic() < end:
        for pair in pairs:
            pair.collect()
        time.sleep(0.01)
    for pair in pairs:
        print(f"sent {count} lost {count - len(pair.came[1])} {count - len(pair.came[0])}")


if __name__ == "__main__":
    main(*sys.argv[1:])
