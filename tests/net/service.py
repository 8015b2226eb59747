# SPDX-License-Identifier: MIT
"""service.py listen SOCKET NAMESPACE INTERFACE - prints the messages that a daemon sends to its
service manager at SOCKET, a line each. After READY=1 it also prints the addresses and routes that
the interface has at that moment.

service.py hold PID COMMAND... - stops one worker thread of a daemon by ptrace while COMMAND runs.
"""

import ctypes
import os
import socket
import subprocess
import sys

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


def output(*command):
    return " ".join(subprocess.check_output(command, text=True).split())


def listen(path, namespace, interface):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind("\0" + path[1:] if path[0] == "@" else path)
    print("listening", flush=True)
    while True:
        message = sock.recv(4096).decode()
        print(message.replace("\n", " "), flush=True)
        if message == "READY=1":
            print(output("ip", "-n", namespace, "-o", "-4", "address", "show", "dev", interface))
            print(output("ip", "-n", namespace, "route", "show", "dev", interface), flush=True)


def worker_thread(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm") as comm:
            if comm.read().startswith(("wgxdp/0", "wgxdp/1")):
                return int(tid)
    sys.exit("there is no worker")


def hold(pid, command):
    libc = ctypes.CDLL(None, use_errno=True)
    ptrace = libc.ptrace
    ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
    ptrace.restype = ctypes.c_long
    tid = worker_thread(pid)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if ptrace(request, tid, None, None):
            sys.exit(f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(tid, 0x40000000)  # __WALL
    status = subprocess.call(command)
    ptrace(PTRACE_DETACH, tid, None, None)
    sys.exit(status)


if sys.argv[1] == "listen":
    listen(*sys.argv[2:])
else:
    hold(int(sys.argv[2]), sys.argv[3:])
