#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""queues.py A B - sends forty UDP flows of three datagrams each from A to B through the tunnel.

Prints "ok WHAT" and "not ok WHAT: why".
"""

import sys
import time

from wire import bound, drain, same

FLOWS, EACH = 40, 3


def main(a, b):
    receiver = bound(b, "10.99.0.2", 7000)
    flows = [bound(a, "10.99.0.1", 20000 + i) for i in range(FLOWS)]
    for _ in range(EACH):
        for flow in flows:
            flow.sendto(b"x" * 100, ("10.99.0.2", 7000))
            time.sleep(0.001)
    time.sleep(1)
    came = [port for _, (_, port) in drain(receiver)]
    whole = sum(came.count(20000 + i) == EACH for i in range(FLOWS))
    same("flows that arrive whole", whole, FLOWS)


main(*sys.argv[1:])
