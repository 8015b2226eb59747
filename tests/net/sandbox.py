# SPDX-License-Identifier: MIT
"""sandbox.py UNIT COMMAND... - runs COMMAND under the sandbox of a systemd unit, although systemd
is not PID 1. It reads these settings of UNIT: CapabilityBoundingSet, NoNewPrivileges,
SystemCallFilter, RestrictAddressFamilies, RestrictNamespaces, MemoryDenyWriteExecute,
ProtectSystem, ProtectHome, ProtectControlGroups, ProtectKernelModules, DevicePolicy and
DeviceAllow.
"""

import ctypes
import os
import re
import struct
import subprocess
import sys
import tempfile

LIBC = ctypes.CDLL(None, use_errno=True)
HEADERS = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/linux/capability.h"
PR_CAPBSET_DROP, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 24, 22, 38
CLONE_NEWNS = 0x20000
NAMESPACES = {"cgroup": 1 << 25, "uts": 1 << 26, "ipc": 1 << 27, "user": 1 << 28, "pid": 1 << 29,
              "net": 1 << 30, "mnt": CLONE_NEWNS}
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16,
            "AF_XDP": 44}
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_MOVE, MS_REC, MS_SLAVE = 1, 32, 4096, 8192, 16384, 1 << 19
EPERM, ENOSYS = 1, 38


def call(name, *args):
    if getattr(LIBC, name)(*args):
        sys.exit(f"{name}{args}: {os.strerror(ctypes.get_errno())}")


def read_unit(path):
    unit = {}
    with open(path) as lines:
        for line in lines:
            if "=" in line and line[0] not in "#;":
                key, value = line.strip().split("=", 1)
                unit.setdefault(key, []).extend(value.split())
    return unit


def defines(path, prefix):
    with open(path) as header:
        return {name: int(n) for name, n in
                re.findall(rf"^#define {prefix}(\w+)\s+(\d+)$", header.read(), re.M)}


# --- files ----------------------------------------------------------------------------------------

def mount(source, target, kind=None, flags=0, data=None):
    args = [arg.encode() if isinstance(arg, str) else arg for arg in (source, target, kind)]
    call("mount", *args, ctypes.c_ulong(flags), data.encode() if data else None)


def read_only(path):
    if os.path.isdir(path) and not os.path.islink(path):
        mount(path, path, flags=MS_BIND | MS_REC)
        mount(None, path, flags=MS_BIND | MS_REMOUNT | MS_RDONLY)


def few_devices(allowed):
    """Replaces /dev by one with only the devices that DevicePolicy=closed leaves and DeviceAllow
    adds."""
    new = tempfile.mkdtemp()
    mount("tmpfs", new, "tmpfs", data="mode=755")
    closed = ["null", "zero", "full", "random", "urandom", "tty"]
    for name in closed + [word[5:] for word in allowed if word.startswith("/dev/")]:
        if os.path.exists("/dev/" + name):
            os.makedirs(os.path.dirname(f"{new}/{name}"), exist_ok=True)
            os.mknod(f"{new}/{name}", 0o20666, os.stat("/dev/" + name).st_rdev)
    os.symlink("/proc/self/fd", new + "/fd")
    mount(new, "/dev", flags=MS_MOVE)
    os.rmdir(new)


def protect_files(unit):
    call("unshare", CLONE_NEWNS)
    mount(None, "/", flags=MS_REC | MS_SLAVE)
    if unit.get("ProtectSystem") == ["yes"]:
        for path in "/usr", "/boot", "/efi":
            read_only(path)
    if unit.get("ProtectHome") == ["read-only"]:
        for path in "/home", "/root", "/run/user":
            read_only(path)
    if unit.get("ProtectControlGroups") == ["yes"]:
        read_only("/sys/fs/cgroup")
    if unit.get("ProtectKernelModules") == ["yes"] and os.path.isdir("/usr/lib/modules"):
        mount("tmpfs", "/usr/lib/modules", "tmpfs", data="mode=0")
    if unit.get("DevicePolicy") == ["closed"]:
        few_devices(unit.get("DeviceAllow", []))


# --- system calls ---------------------------------------------------------------------------------

def expand(words):
    names = set()
    for word in words:
        if not word.startswith("@"):
            names.add(word)
            continue
        text = subprocess.check_output(["systemd-analyze", "syscall-filter", word], text=True)
        names |= expand(line.strip() for line in text.splitlines()[1:]
                        if line.strip() and not line.strip().startswith("#"))
    return names


LD, JEQ, JSET, RET, AND = 0x20, 0x15, 0x45, 0x06, 0x54
ALLOW, ERRNO = 0x7fff0000, 0x00050000


def argument(i):
    return LD, 0, 0, 16 + 8 * i  # the low half of the argument


class Filter:
    def __init__(self):
        self.code = [(LD, 0, 0, 0)]

    def on(self, number, body):
        """Adds a rule that runs @body for the system call @number. The next rule follows unless
        @body returns."""
        self.code += [(JEQ, 0, len(body) + 1, number), *body, (LD, 0, 0, 0)]

    def install(self):
        self.code.append((RET, 0, 0, ERRNO | EPERM))
        text = b"".join(struct.pack("HBBI", *line) for line in self.code)
        buffer = ctypes.create_string_buffer(text)
        program = struct.pack("HxxxxxxP", len(self.code), ctypes.addressof(buffer))
        call("prctl", PR_SET_SECCOMP, 2, ctypes.create_string_buffer(program), 0, 0)


def filter_calls(unit):
    numbers = defines(HEADERS[0], "__NR_")
    f = Filter()
    refuse = (RET, 0, 0, ERRNO | EPERM)
    if "RestrictNamespaces" in unit:
        mask = sum(NAMESPACES[name] for name in NAMESPACES
                   if name not in unit["RestrictNamespaces"])
        for name, i in ("unshare", 0), ("clone", 0), ("setns", 1):
            f.on(numbers[name], [argument(i), (JSET, 0, 1, mask), refuse])
        f.on(numbers["setns"], [argument(1), (JEQ, 0, 1, 0), refuse])
        f.on(numbers["clone3"], [(RET, 0, 0, ERRNO | ENOSYS)])
    if "RestrictAddressFamilies" in unit:
        tests = [FAMILIES[name] for name in unit["RestrictAddressFamilies"]]
        f.on(numbers["socket"], [argument(0)] + [
            (JEQ, len(tests) - i, 0, family) for i, family in enumerate(tests)] + [refuse])
    if unit.get("MemoryDenyWriteExecute") == ["yes"]:
        f.on(numbers["mprotect"], [argument(2), (JSET, 0, 1, 4), refuse])
        f.on(numbers["mmap"], [argument(2), (AND, 0, 0, 6), (JEQ, 0, 1, 6), refuse])
    for name in expand(unit["SystemCallFilter"]):
        if name in numbers:
            f.on(numbers[name], [(RET, 0, 0, ALLOW)])
    f.install()


def main():
    unit = read_unit(sys.argv[1])
    protect_files(unit)
    wanted = {name[4:] for name in unit["CapabilityBoundingSet"]}
    capabilities = defines(HEADERS[1], "CAP_")
    if wanted - set(capabilities):
        sys.exit(f"unknown: {wanted - set(capabilities)}")
    for name, number in capabilities.items():
        if name not in wanted and os.path.exists("/proc/sys/kernel/cap_last_cap"):
            LIBC.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    if unit["NoNewPrivileges"] == ["yes"]:
        call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    filter_calls(unit)
    os.execvp(sys.argv[2], sys.argv[2:])


main()
