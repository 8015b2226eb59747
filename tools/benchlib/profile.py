# SPDX-License-Identifier: MIT
"""Shows where a packet's time goes: runs `perf record` around a case, and groups its samples.

The frames of a sample are compared with the rules from the innermost frame outward. The sample
belongs to the first rule that a frame matches. So work in a softirq counts as receiving, even if
the system call of another process triggered the softirq.
"""

import collections
import os
import re
import signal
import subprocess
import time

from . import net

FREQUENCY = 4999
WORTH_NS = 10  # per packet; smaller entries are not printed
LOAD = ("iperf3", "udpblast")

RULES = [(what, re.compile(pattern)) for what, pattern in (
    ("NIC receive: softirq, XDP, IP", r"^(veth_poll|process_backlog|__napi_poll|net_rx_action)$"),
    ("AF_XDP send", r"^(__)?xsk_(generic_xmit|sendmsg|poll)"),
    ("UDP send", r"^udpv?6?_sendmsg$"),
    ("UDP receive", r"^udpv?6?_recvmsg$"),
    ("TUN read", r"^tun_chr_read_iter$"),
    ("TUN write, stack up to the socket", r"^tun_chr_write_iter$"),
    ("sleeping and waking", r"^(do_sys_poll|do_epoll_wait|schedule)$|^__x64_sys_(e?poll|futex)"),
    ("AEAD", r"chacha|poly1305|aead|^by_lanes|^absorb$|^mac_many$|_avx|^(seal|open)_batch$|^lanes"),
    ("copying and checksums, own", r"^(__)?mem(cpy|move|set|cmp)|^sum_|csum|checksum"),
    ("Go runtime", r"^runtime\."),
)]
KERNEL_ENTRY = re.compile(r"^(do_syscall_64|entry_SYSCALL|x64_sys_call|syscall_|asm_|__x64_sys)")


class Profile:
    """Put the load in `with Profile(pids of the nodes) as profile:`, and then call
    profile.lines(packets received)."""

    def __init__(self, pids):
        self.pids = set(pids)

    def __enter__(self):
        self.path = os.path.join(net.TMP.name, "perf.data")
        self.perf = subprocess.Popen(
            ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-a", "-g",
             "-o", self.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        return self

    def __exit__(self, *_):
        self.perf.send_signal(signal.SIGINT)
        self.perf.wait()

    def samples(self):
        """Yields (command, pid, core, [frames, innermost first]) for each sample."""
        script = subprocess.Popen(["perf", "script", "-i", self.path, "-F", "comm,pid,cpu,ip,sym"],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        header, frames = None, []
        for line in script.stdout:
            if not line.strip():
                if header:
                    yield *header, frames
                header, frames = None, []
            elif header is None:
                header = re.match(r"\s*(.+?)\s+(-?\d+)\s+\[(\d+)\]", line).groups()
            else:
                frames.append(re.sub(r"\+0x.*", "", line.split(None, 1)[1].strip()))
        if header:
            yield *header, frames
        script.wait()

    def groups(self):
        """Counts the samples by (core, who, what), and by (core, who, what, innermost function)."""
        count = collections.Counter()
        for command, pid, core, frames in self.samples():
            if command == "swapper" and not any(RULES[0][1].match(f) for f in frames):
                continue
            by = "node" if int(pid) in self.pids else who(command)
            group = int(core), by, what_for(frames)
            count[group] += 1
            count[(*group, frames[0] if frames else "?")] += 1
        return count

    def lines(self, packets):
        """Yields the lines of a table per core: ns per received packet, most expensive first."""
        count = self.groups()
        per_packet = 1e9 / FREQUENCY / max(packets, 1)
        for core in sorted({key[0] for key in count}):
            mine = {key: n for key, n in count.items() if key[0] == core and len(key) == 3}
            yield f"core {core}: {sum(mine.values()) * per_packet:.0f} ns per packet"
            for key, n in sorted(mine.items(), key=lambda item: -item[1]):
                if n * per_packet >= WORTH_NS:
                    yield (f"  {n * per_packet:6.0f}  {key[1]}: {key[2]}"
                           f"{detail(count, key, per_packet)}")


def detail(count, group, per_packet):
    """Returns the functions of the node that take a group's time, most expensive first."""
    functions = sorted(((n * per_packet, key[3]) for key, n in count.items()
                        if len(key) == 4 and key[:3] == group), reverse=True)
    named = [f"{name} {ns:.0f}" for ns, name in functions[:6] if ns >= WORTH_NS]
    return f" ({', '.join(named)})" if group[1] == "node" and named else ""


def who(command):
    if command.startswith(LOAD):
        return "load"
    return "NAPI thread" if command.startswith("napi/") else "others"


def what_for(frames):
    for frame in frames:
        for what, pattern in RULES:
            if pattern.search(frame):
                return what
    if frames and any(KERNEL_ENTRY.match(frame) for frame in frames):
        return "system call entry and exit, other calls"
    return "own code"
