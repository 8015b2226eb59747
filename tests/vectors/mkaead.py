#!/usr/bin/python3
# SPDX-License-Identifier: MIT
# Prints the known answer of user/crypto/aead_selftest.c, computed by python3-cryptography (OpenSSL).
import hashlib
import re
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

source = (Path(__file__).parents[2] / "user/crypto/aead_selftest.c").read_text()
lengths = [int(n) for n in re.search(r"lengths\[\] = {(.*?)}", source, re.S)[1].split(",") if n.strip()]


def fill(n, x):
    out = bytearray()
    for _ in range(n):
        x = (x * 1103515245 + 12345) & 0xffffffff
        out.append(x >> 16 & 0xff)
    return bytes(out)


keys = fill(3 * 32, 1)
plain = fill(16384, 2)
h = hashlib.blake2b(digest_size=32)
at = 0
for i, n in enumerate(lengths):
    key = keys[i % 3 * 32:][:32]
    nonce = struct.pack("<IQ", 0, (i << 32) + i)
    h.update(ChaCha20Poly1305(key).encrypt(nonce, plain[at:at + n], None))
    at += n + 16
answer = h.digest()
if "--check" in sys.argv:
    found = re.search(r"answer\[DIGEST_LEN\] = {(.*?)}", source, re.S)[1]
    sys.exit(bytes(int(b, 16) for b in re.findall(r"0x..", found)) != answer)
for i in range(0, 32, 8):
    print("\t" + " ".join(f"0x{b:02x}," for b in answer[i:i + 8]))
