# SPDX-License-Identifier: MIT
"""snapshot.py NAMESPACE DIRECTORY - restores and suspends a guest with a live session. A life of
the guest is one process of QEMU:

    first life    data ─▶ savevm ─▶ data ─▶ loadvm. The generation ID stays the same in one process
                  of QEMU, so the guest repeats counters, and the capture must show this.
    other lives   a new QEMU process, so a new generation ID: loadvm ─▶ data

NAMESPACE has the peer and the guest's tap, at which the capture is taken. DIRECTORY holds the
kernel, initramfs and disk of the guest. The guest has /wg.conf. Prints lines of TAP, and "figure
TEXT" for a measurement that no test judges.
"""

import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../net"))

import wgpeer
from guest import Guest
from wire import Packet, Tap, same, say, wait_until

PACKET_OUTGOING, SO_TIMESTAMPNS = 4, 35
GUEST_PORT, PEER_PORT, PEER = 51821, 51822, "10.99.0.2"
REKEY_TIMEOUT_S = 5
PINGS, FEW = 50, 10
ASLEEP_S = 3  # the guest reads the length of a suspend from a clock that counts whole seconds
PATIENCE_S = 120


class Message(bytes):
    """A WireGuard message, with the time of its arrival (.at, as of time.time())."""


class Capture:
    """The WireGuard messages from the guest."""

    def __init__(self, namespace):
        self.socket = Tap(namespace, "tap0").socket
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.settimeout(0.3)  # enough for messages in flight to arrive

    def take(self):
        """Returns the messages since the last call."""
        taken = []
        while True:
            try:
                data, control, _, address = self.socket.recvmsg(65536, 256)
            except socket.timeout:
                return taken
            if address[2] == PACKET_OUTGOING or data[0] >> 4 != 4:
                continue
            message = Packet(data).message(GUEST_PORT, PEER_PORT)
            if message:
                taken.append(Message(message))
                seconds, nanoseconds = struct.unpack("qq", control[0][2])
                taken[-1].at = seconds + nanoseconds / 1e9


def data_of(messages):
    return [m for m in messages if m[0] == wgpeer.DATA]


def handshakes_of(messages):
    return [m for m in messages if m[0] in (wgpeer.INITIATION, wgpeer.RESPONSE)]


def nonces(messages):
    """Returns (receiver's index, counter) of each data message. The index stands for the key."""
    return [struct.unpack("<IQ", m[4:16]) for m in data_of(messages)]


def keepalive(message):
    return message[0] == wgpeer.DATA and len(message) == 32


def keys_of(messages):
    return {index for index, _ in nonces(messages)}


def ephemeral(message):
    start = 8 if message[0] == wgpeer.INITIATION else 12
    return message[start:start + 32]


class Lives:
    def __init__(self, namespace, directory):
        self.guest, self.capture = Guest(directory, namespace), Capture(namespace)
        self.earlier = []  # messages that the guest sent so far

    def keep(self):
        """Takes what the guest has sent. Returns how many data messages there were so far."""
        self.earlier += self.capture.take()
        return len(nonces(self.earlier))

    def ping(self, count=PINGS):
        self.guest.run(f"ping -q -A -c {count} -w {PATIENCE_S} {PEER}")

    def wiped(self):
        return int(self.guest.run("wgxdp logs wg | grep -c wiped || true"))

    def first(self):
        """Takes the snapshots "idle" and "busy", and uses many counters after each."""
        self.guest.start()
        self.guest.run("wgxdp attach eth0 /wg.conf")
        self.ping()
        say("data flows", self.keep() >= PINGS)
        # Wait for a keepalive before the snapshot. If a keepalive were still due, the restored
        # guest might send it before its kernel reports the restore.
        say("a keepalive is the last message",
            wait_until(lambda: self.keep() and keepalive(self.earlier[-1]), PATIENCE_S))
        self.guest.monitor("savevm idle")
        self.ping()
        sent = self.capture.take()
        same("the session lives on after savevm", keys_of(sent), keys_of(self.earlier))
        self.earlier += sent
        self.guest.run(f"ping -q -i 0.1 {PEER} >/dev/null 2>&1 &")
        want = self.keep() + FEW
        wait_until(lambda: self.keep() >= want, PATIENCE_S)
        self.guest.monitor("savevm busy")
        self.ping()
        self.keep()
        used = nonces(self.earlier)
        same("before any restore no counter is used twice", len(set(used)), len(used))

    def same_id(self):
        """Without a new generation ID, the test must see the repeated counters."""
        self.guest.monitor("loadvm idle")
        self.capture.take()
        self.guest.run(f"ping -q -i 0.1 -c {FEW} -W 1 {PEER}; true")  # the peer drops replays
        again = set(nonces(self.earlier)) & set(nonces(self.capture.take()))
        say("with the same ID the capture shows repeated counters", len(again) >= FEW, len(again))

    def restore(self, name, snapshot):
        """Continues @snapshot, and lets data flow. Returns what the guest sends, and the time when
        the guest was continued."""
        self.guest.stop()
        self.capture.take()
        self.guest.start(snapshot)
        began = time.time()
        self.guest.command("cont")
        # The peer refuses initiations that are not newer than the last one, and the guest's clock
        # still has the time of the snapshot, so set the clock.
        self.guest.run("hwclock -s -u")
        say(f"{name}: the daemon notices the restore", wait_until(self.wiped, PATIENCE_S))
        self.ping()
        return self.capture.take(), began

    def back(self, name, sent, began):
        """Checks that data flows again in time. @sent begins with a handshake."""
        again = data_of(sent)
        took_s = again[0].at - began if again else PATIENCE_S
        say(f"{name}: the tunnel is back within 2 * REKEY_TIMEOUT", took_s <= 2 * REKEY_TIMEOUT_S,
            f"{took_s:.1f} s")
        print(f"figure {name}: the tunnel was back after {took_s:.1f} s")

    def idle(self, name):
        """Restores the snapshot in which no data flows. The guest sends data only after the daemon
        has noticed the restore."""
        sent, _ = self.restore(name, "idle")
        same(f"{name}: a handshake comes first", sent[0][0], wgpeer.INITIATION)
        self.back(name, sent, sent[0].at)
        same(f"{name}: no earlier key is used", keys_of(sent) & keys_of(self.earlier), set())
        self.earlier += sent
        used = nonces(self.earlier)
        same(f"{name}: no counter occurs twice under one key", len(set(used)), len(used))
        made = [ephemeral(m) for m in handshakes_of(self.earlier)]
        same(f"{name}: no ephemeral key occurs twice", len(set(made)), len(made))

    def busy(self, name):
        """Restores the snapshot in which data flows. A few messages may leave before the kernel
        reports the restore."""
        sent, began = self.restore(name, "busy")
        first = next((n for n, m in enumerate(sent) if m[0] != wgpeer.DATA), len(sent))
        late, sent = sent[:first], sent[first:]
        self.back(name, sent, began)
        same(f"{name}: no earlier key is used after the daemon has noticed",
             keys_of(sent) & keys_of(self.earlier), set())
        again = set(nonces(late)) & set(nonces(self.earlier))
        took_s = late[-1].at - began if late else 0
        print(f"figure {name}: {len(again)} counters were used again, until {took_s:.1f} s")
        self.earlier += sent
        self.guest.run("killall ping || true")

    def sleep(self, name):
        """Suspends the running guest to RAM."""
        count = self.wiped()
        self.guest.ask("echo mem >/sys/power/state")
        self.guest.event("SUSPEND")
        self.keep()
        time.sleep(ASLEEP_S)
        self.guest.monitor("system_wakeup")
        self.guest.answer(PATIENCE_S)
        self.ping()
        same(f"{name}: the daemon wiped all keys", self.wiped(), count + 1)
        sent = self.capture.take()
        same(f"{name}: a handshake comes first", sent[0][0], wgpeer.INITIATION)
        self.back(name, sent, sent[0].at)
        same(f"{name}: no earlier key is used", keys_of(sent) & keys_of(self.earlier), set())


def main(namespace, directory):
    lives = Lives(namespace, directory)
    try:
        lives.first()
        if lives.guest.run("ls -d /sys/bus/*/drivers/vmgenid 2>/dev/null; true"):
            lives.same_id()
            lives.busy("restored while data flows")
            lives.idle("restored")
            lives.idle("restored again")
        else:
            print("figure the kernel has no driver for generation IDs")
        lives.sleep("suspended")
    finally:
        lives.guest.stop()


main(*sys.argv[1:])
