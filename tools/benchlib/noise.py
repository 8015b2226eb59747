# SPDX-License-Identifier: MIT
"""Measures which share of the machine other processes took during a measurement."""

import os
import time

from . import net

REPEATS = 2
PAUSE_S = 1    # before a repetition, for the disturbance to pass

TICKS = os.sysconf("SC_CLK_TCK")
KTHREADD = 2
_STEAL = 8     # field of the first line of /proc/stat: time taken by other guests


def process_ticks():
    """Yields (pid, network namespace, CPU time) of every process, including the children it waited
    for.

    Kernel threads are left out, because most of their work is caused by the measured traffic.
    """
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
            if int(fields[1]) != KTHREADD:
                yield int(pid), namespace_inode(pid), sum(map(int, fields[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            continue


def namespace_inode(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino
    except PermissionError:
        return None


def steal_ticks():
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[_STEAL])


class Watch:
    """Put a measurement in `with Watch() as watch:`. Afterwards watch.share is the share of the
    machine's CPU time that other processes and guests took, 0 to 1."""

    def snapshot(self):
        ours = set(net.namespace_inodes())
        ancestors = set(net.ancestors(os.getpid()))
        return {pid: ticks for pid, inode, ticks in process_ticks()
                if inode not in ours and pid not in ancestors}

    def __enter__(self):
        self.share = 0.0
        self.before, self.steal, self.clock = self.snapshot(), steal_ticks(), time.monotonic()
        return self

    def __exit__(self, *_):
        seconds = max(time.monotonic() - self.clock, 1 / TICKS)
        after = self.snapshot()
        # A process that is missing in the first snapshot is new, and all of its CPU time counts.
        # But if this time is longer than the measurement, the process is not new: the first
        # snapshot left it out, and its CPU time does not count. The CPU time of a process that has
        # ended counts as that of its parent, which has waited for it.
        others = sum(max(ticks - self.before.get(pid, 0), 0) for pid, ticks in after.items()
                     if pid in self.before or ticks < seconds * TICKS)
        taken = (others + steal_ticks() - self.steal) / TICKS
        self.share = taken / (seconds * os.cpu_count())


def undisturbed(measure, limit):
    """Calls measure(), and repeats it at most REPEATS times while the share of other processes is
    more than @limit. Returns the least disturbed result and its share."""
    best = None
    for _ in range(1 + REPEATS):
        with Watch() as watch:
            measured = measure()
        if best is None or watch.share < best[1]:
            best = measured, watch.share
        if best[1] <= limit:
            break
        time.sleep(PAUSE_S)
    return best
