# SPDX-License-Identifier: MIT
"""Namespaces, veth pairs, and commands in them. clean_up() removes everything made here."""

import os
import signal
import subprocess
import sys
import tempfile
import time

ID = f"wb{os.getpid()}"
TMP = tempfile.TemporaryDirectory(prefix=ID)
DEVNULL = subprocess.DEVNULL
_namespaces = []
_processes = []


class Failure(Exception):
    """The benchmark cannot continue. The text says why."""


def private_bpffs():
    """BPF pins need a bpffs. If the host has none, restarts this process with its own bpffs."""
    if os.environ.get("BENCH_BPFFS") == "private":
        return
    kind = subprocess.run(["stat", "-f", "-c", "%T", "/sys/fs/bpf"], capture_output=True, text=True)
    if kind.stdout.strip() == "bpf_fs":
        return
    os.environ["BENCH_BPFFS"] = "private"
    TMP.cleanup()  # the new process makes its own
    os.execvp("unshare", ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
                          'mount -t bpf bpf /sys/fs/bpf && exec "$@"', "sh", *sys.orig_argv])


def run(*command, stdin=None, check=True):
    """Returns the command's output. A Failure contains the output as well."""
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True)
    if check and done.returncode:
        raise Failure(f"{' '.join(map(str, command))}: exit status {done.returncode}: "
                      f"{(done.stderr or done.stdout).strip()}")
    return done.stdout


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds} s")
        time.sleep(0.05)


class Namespace:
    """A network namespace. All commands in it, a WireGuard node and its load, share one core."""

    def __init__(self, name, core):
        self.name, self.core = f"{ID}-{name}", core
        run("ip", "netns", "add", self.name)
        _namespaces.append(self)
        self.run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                 "net.ipv6.conf.default.accept_dad=0")
        self.run("ip", "link", "set", "lo", "up")

    def command(self, *command):
        # `ip netns exec` would mount a fresh sysfs, which hides bpffs.
        return ["nsenter", f"--net=/run/netns/{self.name}", "--",
                "taskset", "-c", str(self.core), *map(str, command)]

    def run(self, *command, stdin=None, check=True):
        return run(*self.command(*command), stdin=stdin, check=check)

    def spawn(self, *command, output=subprocess.PIPE, **env):
        process = subprocess.Popen(self.command(*command), env={**os.environ, **env},
                                   stdout=output, stderr=subprocess.DEVNULL,
                                   stdin=subprocess.DEVNULL, text=True)
        _processes.append(process)
        return process

    def pids(self):
        return [int(p) for p in run("ip", "netns", "pids", self.name).split()]

    def remove(self):
        if self in _namespaces:
            _namespaces.remove(self)
            run("ip", "netns", "delete", self.name, check=False)


def join(a, nic_a, b, nic_b, subnet, queues=1):
    """Makes a veth pair. a gets subnet.1, b gets subnet.2."""
    q = ["numtxqueues", str(queues), "numrxqueues", str(queues)] if queues > 1 else []
    run("ip", "link", "add", nic_a, "netns", a.name, *q, "type", "veth",
        "peer", "name", nic_b, "netns", b.name, *q)
    for ns, nic, host in ((a, nic_a, 1), (b, nic_b, 2)):
        ns.run("ip", "address", "add", f"{subnet}.{host}/24", "dev", nic)
        ns.run("ip", "link", "set", nic, "up")
    wait_until(lambda: answers(a, f"{subnet}.2"), 10, f"ping from {a.name} to {b.name}")


def namespace_inodes():
    return [os.stat(f"/run/netns/{ns.name}").st_ino for ns in _namespaces]


def ancestors(pid):
    """Yields @pid and the PIDs of its ancestors, whose CPU time does not count as noise."""
    while pid > 1:
        yield pid
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            pid = int(file.read().rsplit(")", 1)[1].split()[1])


def thread_napi(ns, nic):
    """Makes @nic receive on the namespace's core, as a NIC's interrupt does, instead of the
    sender's core."""
    ns.run("ethtool", "-K", nic, "gro", "on")
    before = set(napi_threads(nic))
    # A sysfs shows the network namespace in which it was mounted, so mount another sysfs in this
    # namespace.
    ns.run("unshare", "--mount", "sh", "-c",
           f"mount -t sysfs sysfs /sys && echo 1 >/sys/class/net/{nic}/threaded")
    for pid in set(napi_threads(nic)) - before:
        run("taskset", "-p", "-c", ns.core, pid)


def napi_threads(nic):
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().startswith(f"napi/{nic}-"):
                    yield int(pid)
        except FileNotFoundError:
            continue


def answers(ns, address):
    return bool(ns.run("ping", "-q", "-c", 1, "-W", 1, address, check=False)
                .count("1 received"))


def stop(process, with_signal=signal.SIGTERM):
    """Ends a process of spawn(). Returns its output."""
    if process.poll() is None:
        process.send_signal(with_signal)
    try:
        output, _ = process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    if process in _processes:
        _processes.remove(process)
    return output


def clean_up():
    for process in list(_processes):
        stop(process)
    for ns in list(_namespaces):
        ns.remove()
    TMP.cleanup()
