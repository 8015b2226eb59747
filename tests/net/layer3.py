#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""layer3.py INTERFACE A B KEYS - sends authenticated packets with valid and invalid sources.

Prints "ok WHAT" and "not ok WHAT: why". The daemon listens in A at 192.0.2.1:51820. A reaches B
through one NIC, and the network 10.1.2.0/24 through another.
"""

import sys
import time

import wgpeer
from wire import Daemon, Raw, bound, drain, key_file, mac_of_link, say, wait_until

PORT, INNER = 51820, 7000
HOME, WRONG, RIGHT = "192.0.2.2", "10.1.2.3", "192.0.2.3"


def main(interface, a, b, keys):
    daemon = Daemon(interface, a)
    node = wgpeer.Node(key_file(f"{keys}/b.key"), key_file(f"{keys}/a.pub"))
    home = bound(b, HOME, 4000)
    session = node.connect(home, ("192.0.2.1", PORT))
    raw = Raw(b, "eth0", mac_of_link(a, "eth0"))

    def endpoint_after(source):
        inner = wgpeer.ipv4("10.99.0.2", "10.99.0.1", (1, INNER), b"x" * 8)
        raw.udp(source, 4000, "192.0.2.1", PORT, session.seal(inner))
        time.sleep(0.3)
        return daemon.endpoint(node.public)

    for what, source, want in [
        ("the endpoint follows a source behind the peer's NIC", RIGHT, RIGHT),
        ("the endpoint does not follow a source behind another NIC", WRONG, RIGHT),
        ("the endpoint does not follow an address of the host itself", "192.0.2.1", RIGHT),
        ("the endpoint does not follow a loopback address", "127.0.0.1", RIGHT),
        ("the endpoint does not follow the broadcast address", "192.0.2.255", RIGHT),
        ("the endpoint follows the peer's first address again", HOME, HOME),
    ]:
        got = endpoint_after(source)
        say(what, got == f"{want}:4000", got)

    # The stack refuses packets from the wire to a loopback address, and so must XDP. The packet to
    # 127.0.0.1 is sent first, so it would arrive before the packet to 192.0.2.1.
    inside, got = bound(a, "10.99.0.1", INNER), []
    for to in "127.0.0.1", "192.0.2.1":
        packet = wgpeer.ipv4("10.99.0.2", "10.99.0.1", (1, INNER), to.encode())
        raw.udp(HOME, 4000, to, PORT, session.seal(packet))
    wait_until(lambda: got.extend(m for m, _ in drain(inside)) or b"192.0.2.1" in got)
    say("a packet to 127.0.0.1 is not received", got == [b"192.0.2.1"], got)


main(*sys.argv[1:])
