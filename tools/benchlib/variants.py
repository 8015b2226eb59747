# SPDX-License-Identifier: MIT
"""The variants that tools/bench compares. Each is a class of node that runs in a namespace."""

import base64
import os
import shlex
from dataclasses import dataclass, field

from . import net

MTU = 1420
_keys = {}


@dataclass
class Peer:
    key: str                     # name of the peer, for which keys() makes a key pair; or None
    allowed: list
    endpoint: str = ""
    public: str = ""             # public key, used if key is None; empty = a random key

    def public_key(self):
        if self.key:
            return keys(self.key)[1]
        return self.public or base64.b64encode(os.urandom(32)).decode()


@dataclass
class Config:
    key: str
    port: int
    address: str                 # address of the tunnel interface, with its prefix length
    peers: list = field(default_factory=list)


def keys(name):
    """Returns (private, public), the key pair called @name."""
    if name not in _keys:
        private = net.run("wg", "genkey").strip()
        _keys[name] = private, net.run("wg", "pubkey", stdin=private).strip()
    return _keys[name]


def wg_text(config, extra=()):
    lines = ["[Interface]", f"PrivateKey = {keys(config.key)[0]}",
             f"ListenPort = {config.port}", *extra]
    for peer in config.peers:
        lines += ["[Peer]", f"PublicKey = {peer.public_key()}",
                  f"AllowedIPs = {', '.join(peer.allowed)}"]
        if peer.endpoint:
            lines.append(f"Endpoint = {peer.endpoint}")
    return "\n".join(lines) + "\n"


def write_conf(name, text):
    path = os.path.join(net.TMP.name, f"{name}.conf")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="ascii") as file:
        file.write(text)
    return path


def thread_ns(pids):
    """Returns the CPU time that all threads of @pids have taken so far, in ns."""
    total = 0
    for pid in pids:
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                    total += int(file.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def pss_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))


def map_bytes(pid):
    maps = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                info = dict(line.split(":", 1) for line in file if ":" in line)
        except FileNotFoundError:
            continue
        if "map_id" in info:
            maps[info["map_id"]] = int(info["memlock"])
    return sum(maps.values())


class Node:
    """One end of a tunnel that is up in a namespace. Subclasses fill in self.pids."""

    def __init__(self, ns, interface, pids=()):
        self.ns, self.interface, self.pids = ns, interface, list(pids)

    def cpu_ns(self):
        return thread_ns(self.pids)

    def memory_bytes(self):
        """Returns the memory of the node's processes (PSS) and of their BPF maps."""
        return sum(pss_bytes(pid) + map_bytes(pid) for pid in self.pids)

    def down(self):
        pass


class WgxdpNode(Node):
    def __init__(self, ns, interface, binary, options, any_core):
        super().__init__(ns, interface)
        self.binary, self.options = binary, options
        self.start = ["taskset", "-c", f"0-{os.cpu_count() - 1}"] if any_core else []

    def up(self, config, nics=("eth0",)):
        text = wg_text(config, [f"Address = {config.address}", f"MTU = {MTU}", "Table = off"])
        path = write_conf(self.interface, text)
        before = set(self.ns.pids())
        self.ns.run(*self.start, self.binary, "attach", ",".join(nics), path, *self.options)
        self.pids = sorted(set(self.ns.pids()) - before)

    def down(self):
        self.ns.run(self.binary, "detach", self.interface, check=False)

    def show(self):
        return self.ns.run(self.binary, "show", self.interface)


class PeerNode(Node):
    """Another implementation: a program that is started like wireguard-go, or "kernel"."""

    def __init__(self, ns, interface, binary):
        super().__init__(ns, interface)
        self.binary, self.process = binary, None

    def up(self, config, nics=("eth0",)):
        del nics
        if self.binary == "kernel":
            self.ns.run("ip", "link", "add", self.interface, "type", "wireguard")
        else:
            self.process = self.ns.spawn(self.binary, "-f", self.interface, output=net.DEVNULL,
                                         WG_PROCESS_FOREGROUND="1", LOG_LEVEL="error")
            socket = f"/var/run/wireguard/{self.interface}.sock"
            net.wait_until(lambda: os.path.exists(socket), 10, f"{self.binary} {self.interface}")
            self.pids = [self.process.pid]
        self.ns.run("wg", "setconf", self.interface, write_conf(self.interface, wg_text(config)))
        self.ns.run("ip", "address", "add", config.address, "dev", self.interface)
        self.ns.run("ip", "link", "set", self.interface, "mtu", MTU, "up")

    def down(self):
        if self.process:
            net.stop(self.process)
        else:
            self.ns.run("ip", "link", "delete", self.interface, check=False)


class BareNode(Node):
    """No tunnel: the inner address sits on the NIC."""

    def up(self, config, nics=("eth0",)):
        self.ns.run("ip", "address", "add", config.address, "dev", nics[0])


OPTIONS = {
    "auto": [],
    "xdp": ["--rx", "xdp", "--tx", "xdp"],
    "udp": ["--rx", "udp", "--tx", "udp"],
    "libsodium": ["--aead", "libsodium"],
}


class Variant:
    """A variant as the user writes it: "bare", "peer", or a name of OPTIONS. "old-" may precede the
    name, and more options of attach may follow it."""

    def __init__(self, text, args):
        words = shlex.split(text)
        self.name, self.args = text, args
        self.kind, self.options = words[0], words[1:]
        base = self.kind.removeprefix("old-")
        if self.kind not in ("bare", "peer"):
            if base not in OPTIONS:
                raise net.Failure(f"unknown variant '{text}': the variants are bare, peer, "
                                  f"{', '.join(OPTIONS)}; 'old-' may precede all but bare and peer")
            if base != self.kind and not args.wgxdp_old:
                raise net.Failure(f"variant '{text}' needs --wgxdp-old PATH")
            self.options = OPTIONS[base] + self.options
            self.binary = args.wgxdp_old if base != self.kind else args.wgxdp

    def node(self, ns, interface):
        if self.kind == "bare":
            return BareNode(ns, interface)
        if self.kind == "peer":
            return PeerNode(ns, interface, self.args.peer)
        # The kernel's WireGuard encrypts and decrypts on all cores. If wgxdp is compared with it,
        # wgxdp may use all cores, too.
        return WgxdpNode(ns, interface, self.binary, self.options, self.args.peer == "kernel")

    @property
    def is_wgxdp(self):
        return self.kind not in ("bare", "peer")
