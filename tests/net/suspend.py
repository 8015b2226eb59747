# SPDX-License-Identifier: MIT
"""suspend.py NAMESPACE-A NAMESPACE-B - the VM generation ID changes while data flows.

Data flows from a to b all the time. A process with CAP_SYS_ADMIN over a network namespace can make
the kernel send a uevent there, so the event comes from the kernel as in reality. The script first
sends forged events, which must change nothing. Then it sends the real event, and reads every data
message of a in order.
"""

import socket
import struct
import subprocess
import sys
import time

from wgpeer import namespace
from wire import wait_until

NETLINK_KOBJECT_UEVENT, NLMSG_MIN_TYPE, NLM_F_REQUEST = 15, 0x10, 1
ETH_P_ALL, PACKET_OUTGOING, SO_RCVBUFFORCE = 3, 4, 33
PINGS = 600


def uevent(*variables):
    fields = ("change@/devices/platform/VMGENCTR:00", "ACTION=change",
              "DEVPATH=/devices/platform/VMGENCTR:00", "SUBSYSTEM=platform", *variables)
    return b"".join(f.encode() + b"\0" for f in fields)


def by_kernel(sock, body):
    head = struct.pack("=IHHII", 16 + len(body), NLMSG_MIN_TYPE, NLM_F_REQUEST, 1, 0)
    sock.sendto(head + body, (0, 0))


def by_ourselves(sock, body):
    sock.sendto(body, (0, 1))


def data_messages(tap):
    """Yields (receiver index, counter) of every data message from 192.0.2.1 that is no
    keepalive."""
    while True:
        try:
            frame, address = tap.recvfrom(65536)
        except BlockingIOError:
            return
        if address[2] == PACKET_OUTGOING or frame[12:14] != b"\x08\x00" or frame[23] != 17:
            continue
        udp = frame[14 + (frame[14] & 15) * 4:]
        message = udp[8:int.from_bytes(udp[4:6], "big")]
        if frame[26:30] == bytes([192, 0, 2, 1]) and message[:1] == b"\x04" and len(message) > 32:
            yield struct.unpack("<IQ", message[4:16])


def echoes(name):
    """Returns how many ICMP echo requests a namespace has received."""
    text = subprocess.check_output(["nsenter", f"--net=/run/netns/{name}", "cat", "/proc/net/snmp"],
                                   text=True)
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp:"))
    return int(dict(zip(names, values))["InEchos"])


def tell(holds, what, detail=""):
    print(f"{'ok' if holds else 'not ok'} {what}{'' if holds else f': {detail}'}", flush=True)


def main():
    a, b = sys.argv[1:3]
    with namespace(b):
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        tap.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        tap.bind(("eth0", 0))
        tap.setblocking(False)
    with namespace(a):
        kobject = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_KOBJECT_UEVENT)
        kobject.bind((0, 0))
    echoed = echoes(b)
    ping = subprocess.Popen(
        ["nsenter", f"--net=/run/netns/{a}", "ping", "-q", "-c", str(PINGS), "-i", "0.003",
         "-W", "2", "10.99.0.2"], stdout=subprocess.DEVNULL)
    before = []
    wait_until(lambda: before.extend(data_messages(tap)) or len(before) > 50)
    by_ourselves(kobject, uevent("NEW_VMGENID=1"))
    by_kernel(kobject, uevent("SYNTH_UUID=0", "SYNTH_ARG_NEW_VMGENID=1"))
    by_kernel(kobject, uevent("NEW_VMGENID=10", "OLD_NEW_VMGENID=1"))
    time.sleep(0.3)  # more than the daemon needs to react
    before += data_messages(tap)
    tell(len(before) > 50, "data flows", len(before))
    tell(len({i for i, _ in before}) == 1, "forged events change nothing", {i for i, _ in before})

    by_kernel(kobject, uevent("NEW_VMGENID=1"))
    ping.wait()
    after = list(data_messages(tap))
    old = before[0][0]
    changed = next((n for n, (i, _) in enumerate(after) if i != old), len(after))
    tell(changed < len(after), "after the event data takes another session",
         f"{len(after)} under the old one")
    tell(all(i != old for i, _ in after[changed:]), "the earlier session is never used again")
    tell(len({i for i, _ in after}) <= 2, "there is just one other session", {i for i, _ in after})
    seen = before + after
    tell(len(set(seen)) == len(seen), "no counter is used twice under one key")
    # Answers that are in flight under the old session are lost, because its keys are wiped.
    arrived = echoes(b) - echoed
    tell(arrived == PINGS, "no outgoing packet is lost", f"{arrived} of {PINGS}")


main()
