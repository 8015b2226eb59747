# SPDX-License-Identifier: MIT
"""Has an AF_XDP socket on one queue of a NIC until it is killed. Prints "bound" once it has it.

usage: hold_queue.py NIC QUEUE
"""

import ctypes
import mmap
import os
import signal
import socket
import struct
import sys

AF_XDP, SOL_XDP = 44, 283
RX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 2, 4, 5, 6
COPY = 2
FRAMES, FRAME_BYTES = 64, 4096

nic, queue = sys.argv[1], int(sys.argv[2])
area = mmap.mmap(-1, FRAMES * FRAME_BYTES)
address = ctypes.addressof(ctypes.c_char.from_buffer(area))
xsk = socket.socket(AF_XDP, socket.SOCK_RAW)
xsk.setsockopt(SOL_XDP, UMEM_REG, struct.pack("QQII", address, len(area), FRAME_BYTES, 0))
for ring in (FILL_RING, COMPLETION_RING, RX_RING):
    xsk.setsockopt(SOL_XDP, ring, FRAMES)
name = struct.pack("HHIII", AF_XDP, COPY, socket.if_nametoindex(nic), queue, 0)
if ctypes.CDLL(None, use_errno=True).bind(xsk.fileno(), name, len(name)):
    sys.exit(f"hold_queue: {nic} queue {queue}: {os.strerror(ctypes.get_errno())}")
print("bound", flush=True)
signal.pause()
