#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the vectors in tests/vectors/ that no RFC gives, by an implementation independent of
wgxdp: Python's hashlib and hmac, and the `cryptography` package (X25519, ChaCha20-Poly1305).
HChaCha20 is implemented here, because none of these packages has it, and is checked with the vector
of its draft.

    tools/mkvectors.py [DIRECTORY]      the output is the same on every run

The protocol is implemented a second time, directly from the paper: [W] 5.4.1 to 5.4.7.
"""
import hashlib
import hmac
import os
import struct
import sys

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def fixed(label, n):
    """Returns n pseudorandom bytes, the same in every run."""
    return hashlib.shake_256(label.encode()).digest(n)


# -- primitives, named as in section 5.4 of the WireGuard paper ------------------------------------

def HASH(data):
    return hashlib.blake2s(data).digest()


def MAC(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def HMAC(key, data):
    return hmac.new(key, data, hashlib.blake2s).digest()


def KDF(n, key, data):
    prk, out = HMAC(key, data), [b""]
    for i in range(1, n + 1):
        out.append(HMAC(prk, out[-1] + bytes([i])))
    return out[1:]


def DH(private, public):
    key = X25519PrivateKey.from_private_bytes(private)
    return key.exchange(X25519PublicKey.from_public_bytes(public))


def PUBLIC(private):
    key = X25519PrivateKey.from_private_bytes(private).public_key()
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def AEAD(key, counter, plaintext, ad):
    return ChaCha20Poly1305(key).encrypt(struct.pack("<IQ", 0, counter), plaintext, ad)


def hchacha20(key, nonce16):
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce16))

    def rotl(v, n):
        return (v << n | v >> 32 - n) & 0xffffffff

    def quarter(a, b, c, d):
        x[a] = (x[a] + x[b]) & 0xffffffff; x[d] = rotl(x[d] ^ x[a], 16)
        x[c] = (x[c] + x[d]) & 0xffffffff; x[b] = rotl(x[b] ^ x[c], 12)
        x[a] = (x[a] + x[b]) & 0xffffffff; x[d] = rotl(x[d] ^ x[a], 8)
        x[c] = (x[c] + x[d]) & 0xffffffff; x[b] = rotl(x[b] ^ x[c], 7)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *x[:4], *x[12:])


def XAEAD(key, nonce24, plaintext, ad):
    subkey = hchacha20(key, nonce24[:16])
    return ChaCha20Poly1305(subkey).encrypt(bytes(4) + nonce24[16:], plaintext, ad)


# draft-irtf-cfrg-xchacha-03, 2.2.1
assert hchacha20(bytes(range(32)), bytes.fromhex("000000090000004a0000000031415927")).hex() == \
    "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"


# -- the handshake, sections 5.4.2 to 5.4.5 and 5.4.7 of the WireGuard paper -----------------------

def transcript(name, psk, source):
    f = {k: fixed(name + k, 32) for k in ("initiator_private", "responder_private",
                                          "initiator_ephemeral", "responder_ephemeral")}
    f["psk"] = psk
    f["timestamp"] = bytes.fromhex("40000000") + fixed(name + "timestamp", 8)
    f["initiator_index"] = fixed(name + "initiator_index", 4)
    f["responder_index"] = fixed(name + "responder_index", 4)
    s_i, s_r = f["initiator_private"], f["responder_private"]
    e_i, e_r = f["initiator_ephemeral"], f["responder_ephemeral"]
    S_i, S_r, E_i, E_r = map(PUBLIC, (s_i, s_r, e_i, e_r))
    f["initiator_public"], f["responder_public"] = S_i, S_r

    # 5.4.2, the initiation
    C = HASH(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
    H = HASH(HASH(C + b"WireGuard v1 zx2c4 Jason@zx2c4.com") + S_r)
    C, = KDF(1, C, E_i)
    H = HASH(H + E_i)
    C, k = KDF(2, C, DH(e_i, S_r))
    static = AEAD(k, 0, S_i, H)
    H = HASH(H + static)
    f["open_chaining_key"], f["open_hash"] = C, H
    C, k = KDF(2, C, DH(s_i, S_r))
    stamp = AEAD(k, 0, f["timestamp"], H)
    H = HASH(H + stamp)
    f["initiation_chaining_key"], f["initiation_hash"] = C, H
    initiation = b"\1\0\0\0" + f["initiator_index"] + E_i + static + stamp
    mac1 = MAC(HASH(b"mac1----" + S_r), initiation)
    f["initiation"] = initiation + mac1 + bytes(16)

    # 5.4.7, the cookie reply
    f["cookie_secret"] = fixed(name + "cookie_secret", 32)
    f["cookie_source"] = source
    f["cookie_nonce"] = fixed(name + "cookie_nonce", 24)
    f["cookie"] = MAC(f["cookie_secret"], source)
    f["cookie_reply"] = b"\3\0\0\0" + f["initiator_index"] + f["cookie_nonce"] + \
        XAEAD(HASH(b"cookie--" + S_r), f["cookie_nonce"], f["cookie"], mac1)
    f["initiation_with_mac2"] = initiation + mac1 + MAC(f["cookie"], initiation + mac1)

    # 5.4.3, the response
    C, = KDF(1, C, E_r)
    H = HASH(H + E_r)
    C, = KDF(1, C, DH(e_r, E_i))
    C, = KDF(1, C, DH(e_r, S_i))
    C, tau, k = KDF(3, C, psk)
    H = HASH(H + tau)
    empty = AEAD(k, 0, b"", H)
    H = HASH(H + empty)
    f["response_chaining_key"], f["response_hash"] = C, H
    response = b"\2\0\0\0" + f["responder_index"] + f["initiator_index"] + E_r + empty
    f["response"] = response + MAC(HASH(b"mac1----" + S_i), response) + bytes(16)

    # 5.4.5, the keys of the session
    f["initiator_send"], f["initiator_recv"] = KDF(2, C, b"")
    return f


def noise():
    v4 = bytes([192, 0, 2, 1]) + struct.pack(">H", 51820)
    v6 = bytes.fromhex("20010db8000000000000000000000001") + struct.pack(">H", 443)
    yield transcript("no psk, v4", bytes(32), v4)
    yield transcript("no psk, v6", bytes(32), v6)
    yield transcript("psk, v4", fixed("psk 1", 32), v4)
    yield transcript("psk, v6", fixed("psk 2", 32), v6)


def blake2s():
    lengths = [0, 1, 3, 31, 32, 55, 56, 60, 63, 64, 65, 96, 116, 127, 128, 129, 192, 255, 256, 1000]
    for n in lengths:
        for key_len, out_len in ((0, 32), (32, 32), (32, 16), (16, 16), (1, 1), (0, 20), (31, 31)):
            data, key = fixed("blake2s data", n), fixed("blake2s key", key_len)
            yield {"key": key, "data": data,
                   "out": hashlib.blake2s(data, key=key, digest_size=out_len).digest()}


def kdf():
    for n in (0, 1, 31, 32, 33, 63, 64, 65, 128, 200):
        key, data = fixed("kdf key %d" % n, 32), fixed("kdf data", n)
        t1, t2, t3 = KDF(3, key, data)
        yield {"key": key, "data": data, "hmac": HMAC(key, data), "t1": t1, "t2": t2, "t3": t3}


def x25519():
    for i in range(16):
        private, peer = fixed("x25519 a%d" % i, 32), PUBLIC(fixed("x25519 b%d" % i, 32))
        if i % 2:  # the top bit of a public key must be ignored, RFC 7748 5
            peer = peer[:31] + bytes([peer[31] | 128])
        yield {"private": private, "public": PUBLIC(private), "peer": peer,
               "shared": DH(private, peer)}


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else \
        os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "vectors")
    origins = {
        noise: "Handshake transcripts, [W] 5.4: X25519 and ChaCha20-Poly1305 of Python's "
               "`cryptography`, BLAKE2s of hashlib.",
        blake2s: "BLAKE2s, with and without key, of Python's hashlib.",
        kdf: "HMAC-BLAKE2s and KDF1..3 ([W] 5.4), of Python's hmac and hashlib.",
        x25519: "X25519 of Python's `cryptography` (OpenSSL); odd ones with the top bit set.",
    }
    for make, origin in origins.items():
        with open(os.path.join(directory, make.__name__ + ".txt"), "w") as out:
            out.write("# %s\n# Made by tools/mkvectors.py; do not edit.\n" % origin)
            for block in make():
                out.write("\n" + "".join("%s = %s\n" % (k, v.hex()) for k, v in block.items()))


if __name__ == "__main__":
    main()
