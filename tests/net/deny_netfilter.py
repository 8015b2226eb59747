# SPDX-License-Identifier: MIT
"""deny_netfilter.py COMMAND... - runs COMMAND so that it cannot open netfilter sockets: socket()
fails with EACCES, as a security module of the host may cause it."""

import ctypes
import os
import platform
import struct
import sys

SOCKET = {"x86_64": 41, "aarch64": 198}[platform.machine()]
AF_NETLINK, NETLINK_NETFILTER, EACCES = 16, 12, 13
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD | BPF_W | BPF_ABS, BPF_JMP | BPF_JEQ, BPF_RET
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, ARGUMENT_0, ARGUMENT_2 = 0, 16, 32  # offsets in struct seccomp_data

FILTER = [(LOAD, 0, 0, NUMBER), (EQUAL, 0, 5, SOCKET),
          (LOAD, 0, 0, ARGUMENT_0), (EQUAL, 0, 3, AF_NETLINK),
          (LOAD, 0, 0, ARGUMENT_2), (EQUAL, 0, 1, NETLINK_NETFILTER),
          (RETURN, 0, 0, ERRNO | EACCES),
          (RETURN, 0, 0, ALLOW)]

code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in FILTER))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(FILTER), ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0):
    sys.exit(f"cannot install the filter: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
