# SPDX-License-Identifier: MIT
"""A virtual machine that can be saved, restored and suspended.

    guest = Guest(directory, namespace)
    guest.start()                       boots; guest.start("NAME") loads a snapshot, paused
    guest.run("ip link")                runs a command in the guest and returns its output
    guest.monitor("savevm NAME")        a command of QEMU's monitor
    guest.command("cont")               a command of QMP; guest.event("SUSPEND") waits for an event
    guest.stop()

@directory has the guest's `vmlinuz`, `initramfs` and `disk.qcow2`. QEMU's process runs in
@namespace, which has the guest's tap device, tap0. The guest's /main must read commands from
/dev/ttyS1, and print "DONE STATUS" after the output of each command. QEMU emulates the CPU.
"""

import json
import os
import socket
import subprocess
import time

import wgpeer

BOOT_S = 240
PATIENCE_S = 180


class Guest:
    def __init__(self, directory, namespace):
        self.directory, self.namespace = directory, namespace
        self.process = self.agent = self.qmp = None
        self.events = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def options(self, snapshot):
        yield from ("qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "1", "-m", "384",
                    "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none")
        yield from ("-kernel", self.path("vmlinuz"), "-initrd", self.path("initramfs"), "-append",
                    "console=ttyS0 loglevel=6 panic=-1 oops=panic nowatchdog mitigations=off "
                    # A snapshot does not hold the emulated TSC. Clocks that are based on the TSC
                    # would therefore jump after a restore.
                    "clocksource=hpet")
        yield from ("-chardev", f"file,id=console,append=on,path={self.path('console')}",
                    "-serial", "chardev:console")
        for name in ("agent", "qmp"):
            yield from ("-chardev",
                        f"socket,id={name},server=on,wait=off,path={self.path(name)}")
        yield from ("-serial", "chardev:agent", "-mon", "chardev=qmp,mode=control")
        # Each new QEMU process makes a new VM generation ID. Nothing else changes this ID.
        yield from ("-device", "vmgenid,guid=auto", "-device", "virtio-rng-pci")
        yield from ("-drive", f"file={self.path('disk.qcow2')},if=virtio,format=qcow2")
        # The same NIC as in tools/vm. XDP needs its additional queues.
        yield from ("-netdev", "tap,id=net0,ifname=tap0,script=no,downscript=no,queues=2",
                    "-device", "virtio-net-pci,netdev=net0,mac=02:57:47:44:50:00,romfile=,mq=on,"
                    "vectors=6,iommu_platform=on,disable-legacy=on")
        if snapshot:
            yield from ("-S", "-loadvm", snapshot)

    def start(self, snapshot=None):
        """Boots the guest, or loads a snapshot without running it."""
        for name in ("agent", "qmp"):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        with wgpeer.namespace(self.namespace), open(self.path("errors"), "ab") as errors:
            self.process = subprocess.Popen(list(self.options(snapshot)), stderr=errors)
        self.agent, self.qmp = self.connect("agent"), self.connect("qmp").makefile("rw")
        self.read()  # QMP's greeting
        self.command("qmp_capabilities")
        if not snapshot:
            self.answer(BOOT_S)

    def connect(self, name):
        end = time.monotonic() + PATIENCE_S
        while True:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(self.path(name))
                s.settimeout(PATIENCE_S)
                return s
            except OSError:
                s.close()
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(f"QEMU does not start: {self.said('errors')}") from None
                time.sleep(0.05)

    def said(self, name):
        with open(self.path(name), encoding="ascii", errors="replace") as f:
            return f.read()[-3000:]

    # --- QEMU's monitor ---------------------------------------------------------------------------

    def read(self):
        line = self.qmp.readline()
        if not line:
            raise RuntimeError(f"QEMU ended: {self.said('errors')}")
        message = json.loads(line)
        if "event" in message:
            self.events.append(message["event"])
        return message

    def command(self, name, **arguments):
        self.qmp.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self.qmp.flush()
        while True:
            answer = self.read()
            if "error" in answer:
                raise RuntimeError(f"{name}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def event(self, name):
        while name not in self.events:
            self.read()
        self.events.clear()

    def monitor(self, line):
        text = self.command("human-monitor-command", **{"command-line": line}).strip()
        if text:
            raise RuntimeError(f"{line}: {text}")

    # --- commands in the guest --------------------------------------------------------------------

    def answer(self, patience_s):
        """Returns what the guest prints until its next "DONE STATUS"."""
        self.agent.settimeout(patience_s)
        text = b""
        while b"DONE " not in text or not text.endswith(b"\n"):
            try:
                data = self.agent.recv(65536)
            except socket.timeout:
                data = b""
            if not data:
                raise RuntimeError(f"the guest does not answer; its console: "
                                   f"{self.said('console')}")
            text += data
        output, _, status = text.decode(errors="replace").replace("\r", "").rpartition("DONE ")
        if status.strip() != "0":
            raise RuntimeError(f"status {status.strip()}: {output}")
        return output

    def ask(self, line):
        """Starts a command. answer() then returns its output."""
        self.agent.sendall(line.encode() + b"\n")

    def run(self, line, patience_s=PATIENCE_S):
        self.ask(line)
        return self.answer(patience_s)

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None
