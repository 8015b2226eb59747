#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Writes the AEAD's vectors to its own directory, and prints the known answer of aead_selftest.c.

    tests/vectors/mkaead.py [--check]      --check: writes nothing; exit status 1 on a difference

The script uses no code of wgxdp: ChaCha20 and the AEAD come from python3-cryptography (OpenSSL),
and Poly1305 is RFC 8439 2.5 in Python integers. Values that an RFC publishes are compared with its
text.
"""
import hashlib
import re
import struct
import sys
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

HERE = Path(__file__).parent
SELFTEST = HERE.parents[1] / "user/crypto/aead_selftest.c"
P = (1 << 130) - 5
CLAMP = 0x0ffffffc0ffffffc0ffffffc0fffffff


def fixed(label, n):
    """Returns n pseudorandom bytes, the same in every run."""
    return hashlib.shake_256(label.encode()).digest(n)


def chacha(key, number, nonce, data):
    cipher = Cipher(ChaCha20(key, struct.pack("<I", number) + b"\0" * 4 + nonce), mode=None)
    return cipher.encryptor().update(data)


def number(b):
    return int.from_bytes(b, "little")


def blocks_of(data):
    return [number(data[i:i + 16]) + (1 << 8 * len(data[i:i + 16])) for i in range(0, len(data),
                                                                                   16)]


def evaluate(blocks, r):
    h = 0
    for block in blocks:
        h = (h + block) * r % P
    return h


def poly1305(key, data):
    r, s = number(key[:16]) & CLAMP, number(key[16:])
    return ((evaluate(blocks_of(data), r) + s) % 2**128).to_bytes(16, "little")


def aead_input(sealed):
    """RFC 8439 2.8 without associated data: the padded text, then the lengths."""
    return sealed + bytes(-len(sealed) % 16) + struct.pack("<QQ", 0, len(sealed))


def block(**fields):
    return "".join(f"{k} = {v.hex()}\n" for k, v in fields.items())


# -- RFC 8439 --------------------------------------------------------------------------------------

SUNSCREEN = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
             b"future, sunscreen would be it.")
JABBERWOCKY = (b"'Twas brillig, and the slithy toves\nDid gyre and gimble in the wabe:\n"
               b"All mimsy were the borogoves,\nAnd the mome raths outgrabe.")
IETF = (b"Any submission to the IETF intended by the Contributor for publication as all or part "
        b"of an "
        b"IETF Internet-Draft or RFC and any statement made within the context of an IETF "
        b"activity is "
        b'considered an "IETF Contribution". Such statements include oral statements in IETF '
        b'sessions, '
        b"as well as written and electronic communications made at any time or place, which are "
        b"addressed to")
DRAFT = ("Internet-Drafts are draft documents valid for a maximum of six months and may be "
         "updated, "
         "replaced, or obsoleted by other documents at any time. It is inappropriate to use "
         "Internet-Drafts as reference material or to cite them other than as /\u201cwork in "
         "progress./"
         "\u201d").encode()
COUNTING = bytes(range(32))
ZERO_KEY, ONE_KEY = bytes(32), bytes(31) + b"\1"
FF_KEY = b"\0\xff" + bytes(30)
JABBER_KEY = bytes.fromhex("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0")
N0, N2 = bytes(8), bytes(7) + b"\2"


def chacha20_txt():
    """The RFC's cases whose nonce begins with four zeros, as WireGuard's do, so not 2.3.2."""
    cases = [  # name, key, number of the block, nonce, text, how the output begins in the RFC
        ("2.4.2", COUNTING, 1, bytes.fromhex("0000004a00000000"), SUNSCREEN, "6e2e359a2568f980"),
        ("2.6.2", bytes(range(0x80, 0xa0)), 0, bytes(range(8)), bytes(32), "8ad5a08b905f81cc"),
        ("A.1 1", ZERO_KEY, 0, N0, bytes(64), "76b8e0ada0f13d90"),
        ("A.1 2", ZERO_KEY, 1, N0, bytes(64), "9f07e7be5551387a"),
        ("A.1 3", ONE_KEY, 1, N0, bytes(64), "3aeb5224ecf84992"),
        ("A.1 4", FF_KEY, 2, N0, bytes(64), "72d54dfbf12ec44b"),
        ("A.1 5", ZERO_KEY, 0, N2, bytes(64), "c2c64d378cd53637"),
        ("A.2 1", ZERO_KEY, 0, N0, bytes(64), "76b8e0ada0f13d90"),
        ("A.2 2", ONE_KEY, 1, N2, IETF, "a3fbf07df3fa2fde"),
        ("A.2 3", JABBER_KEY, 42, N2, JABBERWOCKY, "62e6347f95ed87a4"),
        ("A.4 1", ZERO_KEY, 0, N0, bytes(32), "76b8e0ada0f13d90"),
        ("A.4 2", ONE_KEY, 0, N2, bytes(32), "ecfa254f845f6474"),
        ("A.4 3", JABBER_KEY, 0, N2, bytes(32), "965e3bc6f9ec7ed9"),
    ]
    out = ("# ChaCha20, RFC 8439: 2.4.2, 2.6.2, A.1, A.2 and A.4. number and nonce are little "
           "endian.\n")
    for name, key, n, nonce, text, begins in cases:
        cipher = chacha(key, n, nonce, text)
        assert cipher.hex().startswith(begins), name
        out += f"\n# {name}\n" + block(key=key, number=struct.pack("<I", n), nonce=nonce,
                                       plain=text,
                                        cipher=cipher)
    return out


def poly1305_txt():
    """Only whole blocks, because the AEAD pads to whole blocks."""
    rfc = [
        ("A.3 1", bytes(32), bytes(64), "00" * 16),
        ("A.3 5", b"\2" + bytes(31), b"\xff" * 16, "03" + "00" * 15),
        ("A.3 6", b"\2" + bytes(15) + b"\xff" * 16, b"\2" + bytes(15), "03" + "00" * 15),
        ("A.3 7", b"\1" + bytes(31), b"\xff" * 16 + b"\xf0" + b"\xff" * 15 + b"\x11" + bytes(15),
         "05" + "00" * 15),
        ("A.3 8", b"\1" + bytes(31), b"\xff" * 16 + b"\xfb" + b"\xfe" * 15 + b"\1" * 16, "00" * 16),
        ("A.3 9", b"\2" + bytes(31), b"\xfd" + b"\xff" * 15, "fa" + "ff" * 15),
        ("A.3 10", b"\1" + bytes(7) + b"\4" + bytes(23), bytes.fromhex(
            "e33594d7505e43b900000000000000003394d7505e4379cd01000000000000000000000000000000"
            "000000000000000001000000000000000000000000000000"),
            "14000000000000005500000000000000"),
        ("A.3 11", b"\1" + bytes(7) + b"\4" + bytes(23), bytes.fromhex(
            "e33594d7505e43b900000000000000003394d7505e4379cd010000000000000000000000000000000000"
            "000000000000"), "13000000000000000000000000000000"),
    ]
    out = "# Poly1305, whole blocks: RFC 8439 A.3, then cases of our own.\n"
    for name, key, data, tag in rfc:
        assert poly1305(key, data).hex() == tag, name
        out += f"\n# {name}\n" + block(key=key, data=data, tag=bytes.fromhex(tag))
    ones = CLAMP.to_bytes(16, "little")
    r_limits = [bytes(16), b"\1" + bytes(15), b"\4" + bytes(15), ones, b"\xff" * 16]
    r_limits += [((CLAMP >> 26 * i & (1 << 26) - 1) << 26 * i).to_bytes(16,
                                                                        "little") for i in range(5)]
    s_limits = [bytes(16), b"\xff" * 16, b"\xff" * 8 + bytes(8), b"\1" + bytes(15),
                b"\xfb" + b"\xff" * 15]
    texts = [b"\xff" * 16, bytes(16), b"\xff" * 32, b"\xff" * 16 * 33,
             b"\xfb" + b"\xff" * 15 + bytes(16),
             (b"\xff" * 16 + bytes(16)) * 8, b"\xfe" * 16 * 16, fixed("text", 16 * 90)]
    for i, r in enumerate(r_limits):
        for j, text in enumerate(texts):
            s = s_limits[(i + j) % len(s_limits)]
            out += f"\n# r: extreme value {i}, data: pattern {j}\n" + block(key=r + s, data=text,
                                                             tag=poly1305(r + s, text))
    return out


# -- the AEAD: chosen sums
# ----------------------------------------------------------------------------

def plain_for_sum(label, key, nonce, n_blocks, at, want):
    """Returns a plaintext of n_blocks blocks whose Poly1305 sum is @want mod 2^130 - 5 after the
    first @at blocks. If @at is 0, the sum after all blocks and the lengths is @want. Raises
    ValueError if no such plaintext is found."""
    one_time = chacha(key, 0, nonce, bytes(32))
    r = number(one_time[:16]) & CLAMP
    lengths = (1 << 128) + number(struct.pack("<QQ", 0, 16 * n_blocks))
    for attempt in range(4096):
        cipher = [number(fixed(f"{label} {attempt} {i}", 16)) + 2**128 for i in range(n_blocks)]
        last = at - 1 if at else n_blocks - 1
        target = want if at else (want * pow(r, -1, P) - lengths) % P
        # (rest + c) r = target  =>  c = target / r - rest
        c = (target * pow(r, -1, P) - evaluate(cipher[:last], r)) % P
        if 2**128 <= c < 2**129:
            cipher[last] = c
            data = b"".join((x - 2**128).to_bytes(16, "little") for x in cipher)
            return chacha(key, 1, nonce, data)
    raise ValueError(label)


def aead_case(comment, key, nonce, plain):
    sealed = ChaCha20Poly1305(key).encrypt(bytes(4) + nonce, plain, None)
    one_time = chacha(key, 0, nonce, bytes(32))
    assert sealed[-16:] == poly1305(one_time, aead_input(sealed[:-16]))
    return f"\n# {comment}\n" + block(key=key, nonce=nonce, plain=plain, sealed=sealed)


def wycheproof_txt():
    out = ("# ChaCha20-Poly1305 without associated data. The cases are our own, of the classes of\n"
           "# Wycheproof's tests that apply: sizes, special keys and nonces, edge cases of "
           "Poly1305's\n"
           "# sum, special tags. There are no altered tags, because the tests alter every "
           "vector.\n")
    for n in list(range(0, 34)) + [47, 48, 49, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512,
                                   513]:
        label = f"size {n}"
        out += aead_case(label, fixed(label + "k", 32), fixed(label + "n", 8), fixed(label, n))
    keys = {"zeros": bytes(32), "ones": b"\xff" * 32, "counting": COUNTING,
            "top bit": bytes(31) + b"\x80"}
    counters = {"0": 0, "1": 1, "2^32 - 1": 2**32 - 1, "2^32": 2**32, "2^63": 2**63,
                "2^64 - 1": 2**64 - 1}
    for name, key in keys.items():
        for counter, c in counters.items():
            out += aead_case(f"key: {name}, counter {counter}", key, struct.pack("<Q", c),
                             SUNSCREEN)
    for text in (bytes(64), b"\xff" * 64):
        for n in (16, 64):
            for sub in ("plain", "cipher"):
                key, nonce = fixed("special text", 32), struct.pack("<Q", n)
                data = text[:n] if sub == "plain" else chacha(key, 1, nonce, text[:n])
                out += aead_case(f"{sub}text of {n} times {text[0]:02x}", key, nonce, data)
    sums = {f"{i}": i for i in range(7)}
    sums |= {f"2^130 - 5 - {i}": P - i for i in range(1, 7)}
    for bit in (26, 32, 44, 52, 63, 64, 78, 88, 96, 104, 128, 129):
        for d in (-1, 0, 1):
            sums[f"2^{bit} {'+-'[d < 0]} {abs(d)}"] = 2**bit + d
    for i in range(5):
        sums[f"limb {i} all ones"] = ((1 << 26) - 1) << 26 * i
    for name, want in sums.items():
        for n_blocks, at in ((2, 0), (5, 3), (24, 17)):
            label = f"sum {name} {n_blocks} {at}"
            key, nonce = fixed(label + "k", 32), fixed(label + "n", 8)
            where = f"after {at} of {n_blocks} blocks" if at else "at the end"
            out += aead_case(f"sum = {name} {where}", key, nonce,
                             plain_for_sum(label, key, nonce, n_blocks, at, want % P))
    tags = {"zeros": 0, "ones": 2**128 - 1, "low half ones": 2**64 - 1, "top bit": 2**127,
            "all but the top bit": 2**127 - 1, "1": 1,
            "words' top bits": 0x80000000800000008000000080000000}
    for name, tag in tags.items():
        label = f"tag {name}"
        key, nonce = fixed(label + "k", 32), fixed(label + "n", 8)
        s = number(chacha(key, 0, nonce, bytes(32))[16:])
        case = aead_case(f"tag = {name}", key, nonce,
                         plain_for_sum(label, key, nonce, 3, 0, (tag - s) % 2**128))
        assert case.rstrip().endswith(tag.to_bytes(16, "little").hex()), name
        out += case
    return out


def rfc8439_txt():
    key, nonce = JABBER_KEY, bytes.fromhex("0102030405060708")
    ad = bytes.fromhex("f33388860000000000004e91")
    sealed = ChaCha20Poly1305(key).encrypt(bytes(4) + nonce, DRAFT, ad)
    assert sealed[-16:].hex() == "eead9d67890cbb22392336fea1851f38"
    return ("# RFC 8439 A.5. The example of 2.8.2 is left out, because its nonce does not begin "
            "with\n"
            "# four zeros, as WireGuard's nonces do.\n\n" + block(key=key, nonce=nonce, ad=ad,
                                                                 plain=DRAFT, sealed=sealed))


# -- the self-test's answer
# ---------------------------------------------------------------------------

def fill(n, x):
    out = bytearray()
    for _ in range(n):
        x = (x * 1103515245 + 12345) & 0xffffffff
        out.append(x >> 16 & 0xff)
    return bytes(out)


def selftest_answer(source):
    lengths = re.search(r"lengths\[\] = {(.*?)}", source, re.S)[1].split(",")
    keys, plain = fill(3 * 32, 1), fill(16384, 2)
    h = hashlib.blake2b(digest_size=32)
    at = 0
    for i, n in enumerate(int(n) for n in lengths if n.strip()):
        key = keys[i % 3 * 32:][:32]
        h.update(ChaCha20Poly1305(key).encrypt(struct.pack("<IQ", 0, (i << 32) + i),
                                               plain[at:at + n],
                                               None))
        at += n + 16
    assert at <= 16384
    return h.digest()


def main():
    check = sys.argv[1:] == ["--check"]
    files = {"chacha20.txt": chacha20_txt(), "poly1305.txt": poly1305_txt(),
             "rfc8439.txt": rfc8439_txt(), "wycheproof.txt": wycheproof_txt()}
    differ = []
    for name, text in files.items():
        text = "# Made by tests/vectors/mkaead.py; do not edit.\n" + text
        if not check:
            (HERE / name).write_text(text)
        elif (HERE / name).read_text() != text:
            differ.append(name)
    source = SELFTEST.read_text()
    answer = selftest_answer(source)
    found = re.findall("0x(..)", re.search(r"answer\[DIGEST_LEN\] = {(.*?)}", source, re.S)[1])
    if bytes.fromhex("".join(found)) != answer:
        differ.append(f"{SELFTEST.name}: the answer is {answer.hex()}")
    print("\n".join(differ), end="\n" if differ else "")
    return bool(differ)


if __name__ == "__main__":
    sys.exit(main())
