# SPDX-License-Identifier: MIT
"""A WireGuard node that can misbehave: the caller chooses every field of every message.

    f = Node(private, remote_public, psk)          keys are 32 bytes
    s = f.finish(response to f.initiation())       as initiator: a Session
    s, response = f.answer(initiation)             as responder
    s.seal(ipv4(...), counter=7)                   a data message
    s.open(message)                                the inner packet
    f.take_cookie(reply to f.initiation())         gives the next initiation a mac2

It is independent of wgxdp: Noise_IKpsk2 is written from section 5.4 of the WireGuard paper, over
python3-cryptography and hashlib. The module also builds inner packets, opens sockets in other
network namespaces, and stops threads of another process.
"""

import ctypes
import hashlib
import hmac
import ipaddress
import os
import struct
import time
from contextlib import ExitStack, contextmanager

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
REJECT_AFTER_MESSAGES = 2**64 - 2**13 - 1

# The environment variable PATIENCE multiplies the time limits of tests, for slow machines
# (emulation). lib.sh uses it as well.
PATIENCE = int(os.environ.get("PATIENCE") or 1)


def hash_of(*parts):
    return hashlib.blake2s(b"".join(parts)).digest()


def mac_of(key, data):
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(n, key, data):
    """KDF_n of [W] 5.4: HKDF with HMAC-BLAKE2s. Returns the @n outputs."""
    secret = hmac.digest(key, data, "blake2s")
    out, last = [], b""
    for i in range(1, n + 1):
        last = hmac.digest(secret, last + bytes([i]), "blake2s")
        out.append(last)
    return out


def public_of(private):
    public = X25519PrivateKey.from_private_bytes(private).public_key()
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw)


def dh(private, public):
    ours = X25519PrivateKey.from_private_bytes(private)
    return ours.exchange(X25519PublicKey.from_public_bytes(public))


def nonce(counter):
    return bytes(4) + struct.pack("<Q", counter)


def seal(key, counter, text, associated):
    return ChaCha20Poly1305(key).encrypt(nonce(counter), text, associated)


def unseal(key, counter, text, associated):
    return ChaCha20Poly1305(key).decrypt(nonce(counter), text, associated)


def tai64n(unix_ns):
    return struct.pack(">QI", 2**62 + 10 + unix_ns // 10**9, unix_ns % 10**9)


def with_macs(message, receiver_public, mac1=None, cookie=None):
    """Appends the correct mac1, or @mac1, to a message of type 1 or 2, and a mac2 if there is a
    @cookie."""
    if mac1 is None:
        mac1 = mac_of(hash_of(b"mac1----", receiver_public), message)
    message += mac1
    return message + (mac_of(cookie, message) if cookie else bytes(16))


def rotate(word, n):
    return (word << n | word >> (32 - n)) & 0xFFFFFFFF


def hchacha20(key, nonce16):
    """draft-irtf-cfrg-xchacha 2.2"""
    x = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce16))

    def quarter(a, b, c, d):
        for first, second, third, n in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[first] = (x[first] + x[second]) & 0xFFFFFFFF
            x[third] = rotate(x[third] ^ x[first], n)

    for _ in range(10):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return struct.pack("<8I", *x[:4], *x[12:])


def xunseal(key, nonce24, text, associated):
    subkey = hchacha20(key, nonce24[:16])
    return ChaCha20Poly1305(subkey).decrypt(bytes(4) + nonce24[16:], text, associated)


def cookie_reply(public, message, cookie):
    """Returns the cookie reply of the owner of @public to @message, which has type 1 or 2."""
    unique = os.urandom(24)
    key = hchacha20(hash_of(b"cookie--", public), unique[:16])
    mac1 = message[-32:-16]
    sealed = ChaCha20Poly1305(key).encrypt(bytes(4) + unique[16:], cookie, mac1)
    return struct.pack("<I", COOKIE) + message[4:8] + unique + sealed


def data_message(index, counter, sealed):
    return struct.pack("<IIQ", DATA, index, counter) + sealed


class Session:
    def __init__(self, send_key, receive_key, local_index, remote_index):
        self.sender, self.receiver = ChaCha20Poly1305(send_key), ChaCha20Poly1305(receive_key)
        self.keys = send_key, receive_key
        self.local_index, self.remote_index = local_index, remote_index
        self.counter = 0

    def seal(self, inner, counter=None, index=None, pad=True):
        """Seals @inner with the next counter. With @counter, the next counter stays unchanged."""
        if counter is None:
            counter, self.counter = self.counter, self.counter + 1
        if pad:
            inner += bytes(-len(inner) % 16)
        sealed = self.sender.encrypt(nonce(counter), inner, None)
        return data_message(self.remote_index if index is None else index, counter, sealed)

    def open(self, message):
        """Returns the inner packet, or None if @message does not open."""
        kind, index, counter = struct.unpack("<IIQ", message[:16])
        if kind != DATA or index != self.local_index:
            return None
        try:
            return self.receiver.decrypt(nonce(counter), message[16:], None)
        except InvalidTag:
            return None


class Node:
    """One end of a tunnel. The methods for handshakes return a Session; a Node keeps no session
    itself."""

    def __init__(self, private, remote_public, psk=bytes(32)):
        self.private, self.public = private, public_of(private)
        self.remote, self.psk = remote_public, psk
        self.static_static = dh(private, remote_public)
        self.stamp_ns = 0
        self.remote_stamp = b""  # TAI64N of the newest initiation answered
        self.pending = None
        self.sent_mac1 = self.cookie = None

    def index(self):
        return int.from_bytes(os.urandom(4), "little")

    def next_stamp(self):
        self.stamp_ns = max(time.time_ns(), self.stamp_ns + 2**24)
        return tai64n(self.stamp_ns)

    def initiation(self):
        """Returns an initiation ([W] 5.4.2)."""
        ephemeral, index = os.urandom(32), self.index()
        chain = hash_of(CONSTRUCTION)
        digest = hash_of(hash_of(chain, IDENTIFIER), self.remote)
        public = public_of(ephemeral)
        (chain,) = kdf(1, chain, public)
        digest = hash_of(digest, public)
        chain, key = kdf(2, chain, dh(ephemeral, self.remote))
        static = seal(key, 0, self.public, digest)
        digest = hash_of(digest, static)
        chain, key = kdf(2, chain, self.static_static)
        stamp = seal(key, 0, self.next_stamp(), digest)
        digest = hash_of(digest, stamp)
        self.pending = (ephemeral, index, chain, digest)
        message = struct.pack("<II", INITIATION, index) + public + static + stamp
        message = with_macs(message, self.remote, cookie=self.cookie)
        self.sent_mac1 = message[116:132]
        return message

    def take_cookie(self, reply):
        """Decrypts the cookie in @reply. Raises ValueError or InvalidTag unless @reply answers
        this node's last initiation ([W] 5.4.7)."""
        kind, receiver = struct.unpack("<II", reply[:8])
        if kind != COOKIE or receiver != self.pending[1] or len(reply) != 64:
            raise ValueError("no cookie for our initiation")
        self.cookie = xunseal(hash_of(b"cookie--", self.remote), reply[8:32], reply[32:],
                              self.sent_mac1)

    def finish(self, response):
        """Returns the initiator's session, which @response completes ([W] 5.4.3)."""
        ephemeral, index, chain, digest = self.pending
        kind, remote_index, receiver = struct.unpack("<III", response[:12])
        if kind != RESPONSE or receiver != index or len(response) != 92:
            raise ValueError("not the response to our initiation")
        public, empty = response[12:44], response[44:60]
        (chain,) = kdf(1, chain, public)
        digest = hash_of(digest, public)
        (chain,) = kdf(1, chain, dh(ephemeral, public))
        (chain,) = kdf(1, chain, dh(self.private, public))
        chain, mixed, key = kdf(3, chain, self.psk)
        digest = hash_of(digest, mixed)
        unseal(key, 0, empty, digest)
        first, second = kdf(2, chain, b"")
        return Session(first, second, index, remote_index)

    def answer(self, initiation):
        """Returns the responder's session, and the response ([W] 5.4.3)."""
        kind, remote_index = struct.unpack("<II", initiation[:8])
        if kind != INITIATION or len(initiation) != 148:
            raise ValueError("no initiation")
        public, static, stamp = initiation[8:40], initiation[40:88], initiation[88:116]
        chain = hash_of(CONSTRUCTION)
        digest = hash_of(hash_of(chain, IDENTIFIER), self.public)
        (chain,) = kdf(1, chain, public)
        digest = hash_of(digest, public)
        chain, key = kdf(2, chain, dh(self.private, public))
        if unseal(key, 0, static, digest) != self.remote:
            raise ValueError("an initiation of another node")
        digest = hash_of(digest, static)
        chain, key = kdf(2, chain, self.static_static)
        self.remote_stamp = unseal(key, 0, stamp, digest)
        digest = hash_of(digest, stamp)

        ephemeral, index = os.urandom(32), self.index()
        ours = public_of(ephemeral)
        (chain,) = kdf(1, chain, ours)
        digest = hash_of(digest, ours)
        (chain,) = kdf(1, chain, dh(ephemeral, public))
        (chain,) = kdf(1, chain, dh(ephemeral, self.remote))
        chain, mixed, key = kdf(3, chain, self.psk)
        digest = hash_of(digest, mixed)
        empty = seal(key, 0, b"", digest)
        message = struct.pack("<III", RESPONSE, index, remote_index) + ours + empty
        first, second = kdf(2, chain, b"")
        return Session(second, first, index, remote_index), with_macs(message, self.remote)

    def connect(self, sock, to, timeout=5 * PATIENCE):
        """Makes a handshake over @sock, and confirms it by a keepalive."""
        sock.settimeout(timeout)
        sock.sendto(self.initiation(), to)
        while True:
            message = sock.recv(65536)
            if message[0] == RESPONSE:
                break
        session = self.finish(message)
        sock.sendto(session.seal(b""), to)
        return session


# --- inner packets --------------------------------------------------------------------------------


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def udp_header(source, destination, ports, payload):
    """Returns a UDP header for @payload. @source and @destination are packed addresses."""
    length = 8 + len(payload)
    head = struct.pack(">HHHH", *ports, length, 0)
    pseudo = source + destination + struct.pack(">II", length, 17)
    return head[:6] + struct.pack(">H", checksum(pseudo + head + payload) or 0xFFFF)


def ipv4(source, destination, ports, payload=b""):
    """Returns a UDP datagram in an IPv4 packet."""
    source, destination = (ipaddress.IPv4Address(a).packed for a in (source, destination))
    length = 28 + len(payload)
    head = struct.pack(">BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + source + destination
    head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
    return head + udp_header(source, destination, ports, payload) + payload


def echo_request(source, destination, number):
    """Returns an ICMP echo request in an IPv4 packet. The host's answer has @number at its byte
    26."""
    source, destination = (ipaddress.IPv4Address(a).packed for a in (source, destination))
    icmp = struct.pack(">BBHHH", 8, 0, 0, 1, number)
    icmp = icmp[:2] + struct.pack(">H", checksum(icmp)) + icmp[4:]
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0) + source + destination
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + icmp


def ipv6(source, destination, ports, payload=b""):
    source, destination = (ipaddress.IPv6Address(a).packed for a in (source, destination))
    head = struct.pack(">IHBB", 6 << 28, 8 + len(payload), 17, 64) + source + destination
    return head + udp_header(source, destination, ports, payload) + payload


# --- the machine ----------------------------------------------------------------------------------

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextmanager
def namespace(name):
    """Sockets opened in the `with` block belong to the network namespace /run/netns/@name."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{name}", os.O_RDONLY)
    check(libc.setns(there, CLONE_NEWNET))
    try:
        yield
    finally:
        check(libc.setns(home, CLONE_NEWNET))
        os.close(there)
        os.close(home)


def workers_of(pid):
    """Returns the worker threads of daemon @pid."""
    tids = []
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if f.read().startswith("wgxdp/"):
                tids.append(int(tid))
    if not tids:
        raise LookupError(f"process {pid} has no workers")
    return tids


@contextmanager
def held(*tids):
    """Stops the threads @tids of another process within the `with` block. The other threads of that
    process keep running."""
    with ExitStack() as stack:
        for tid in tids:
            stack.enter_context(held_one(tid))
        yield


@contextmanager
def held_one(tid):
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    check(libc.ptrace(PTRACE_SEIZE, tid, None, None))
    try:
        check(libc.ptrace(PTRACE_INTERRUPT, tid, None, None))
        os.waitpid(tid, WALL)
        yield
    finally:
        check(libc.ptrace(PTRACE_DETACH, tid, None, None))
