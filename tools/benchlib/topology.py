# SPDX-License-Identifier: MIT
"""The nodes that a case needs, and how they are joined. Each topology is built once per variant."""

from ipaddress import IPv4Address

from . import load, net
from .variants import Config, Peer

_count = 0


def next_number():
    global _count  # pylint: disable=global-statement
    _count += 1
    return _count


class Topology:
    """Namespaces and nodes. The load goes from `client` to `target`, which `server` has."""

    target = "10.99.0.2"

    def __init__(self, variant, args):
        self.variant, self.args, self.number = variant, args, next_number()
        self.namespaces, self.nodes = [], []
        self.build()
        self.load = load.Load(self.client, self.server, self.target, args.congestion)

    def namespace(self, name, core):
        ns = net.Namespace(f"{self.number}{name}", core)
        self.namespaces.append(ns)
        return ns

    def node(self, ns, config, nics=("eth0",)):
        node = self.variant.node(ns, f"{net.ID}{self.number}{config.key}")
        self.nodes.append(node)
        node.up(config, nics)
        return node

    def wait_for_tunnel(self):
        net.wait_until(lambda: net.answers(self.client, self.target), 20,
                       f"{self.variant.name}: ping {self.target} through the tunnel")

    def cpu_ns(self):
        return sum(node.cpu_ns() for node in self.nodes)

    def down(self):
        self.load.stop()
        for node in self.nodes:
            node.down()
        for ns in self.namespaces:
            ns.remove()


class Pair(Topology):
    """a: core 0, 10.99.0.1  <- veth ->  b: core 1, 10.99.0.2"""

    def build(self):
        self.client, self.server = self.namespace("a", 0), self.namespace("b", 1)
        net.join(self.client, "eth0", self.server, "eth0", "192.0.2")
        if self.args.threaded_napi:
            net.thread_napi(self.client, "eth0")
            net.thread_napi(self.server, "eth0")
        self.node(self.server, self.config("b", 2, "a"))
        self.node(self.client, self.config("a", 1, "b"))
        self.wait_for_tunnel()

    def config(self, key, host, other):
        peer = Peer(other, [f"10.99.0.{3 - host}/32"], f"192.0.2.{3 - host}:51820")
        return Config(key, 51820, f"10.99.0.{host}/24", [*self.more_peers(), peer])

    def more_peers(self):
        return []


class BigPair(Pair):
    """Like Pair, but each node has 10,000 peers with 10 prefixes each, and uses one of the
    peers."""

    def more_peers(self):
        return strangers(9999, 10)


def strangers(peers, prefixes):
    """Yields peers that have only a public key, and prefixes of /28 to /32 in 100.64.0.0/10."""
    for i in range(peers):
        first = i * prefixes
        yield Peer(None, [f"{IPv4Address(0x64400000 + 16 * n)}/{28 + n % 5}"
                          for n in range(first, first + prefixes)])


class SmallAndBig:
    """Builds a Pair and a BigPair, so that both are measured in the same round."""

    def __init__(self, variant, args):
        self.variant = variant
        self.small, self.big = Pair(variant, args), BigPair(variant, args)

    def down(self):
        self.small.down()
        self.big.down()


class Hub(Topology):
    """client: core 0, peerswarm as up to 1,000 peers  <->  server: core 1, their hub, 10.99.0.1"""

    target, peers = "10.99.0.1", 1000

    def build(self):
        self.client, self.server = self.namespace("s", 0), self.namespace("h", 1)
        net.join(self.client, "eth0", self.server, "eth0", "192.0.2")
        publics = net.run(load.PEERSWARM, "keys", self.peers).split()
        peers = [Peer(None, [f"{self.inner(i)}/32"], public=key) for i, key in enumerate(publics)]
        hub = self.node(self.server, Config("h", 51820, "10.99.0.1/24", peers))
        self.server.run("ip", "route", "add", "10.98.0.0/16", "dev", hub.interface)

    @staticmethod
    def inner(number):
        return IPv4Address("10.98.0.0") + number


class HundredPeers(Hub):
    peers = 100


class Alone(Topology):
    """Nodes without traffic, to measure their memory: one queue and one peer; four queues; 1,001
    peers."""

    def build(self):
        self.client, self.server = self.namespace("a", 0), self.namespace("b", 1)
        net.join(self.client, "eth0", self.server, "eth0", "192.0.2", 1)
        net.join(self.client, "eth1", self.server, "eth1", "198.51.100", 4)
        self.one = self.node(self.client, self.config("a", 51820, 0))
        self.queues = self.node(self.client, self.config("q", 51821, 0), ("eth1",))
        self.peers = self.node(self.server, self.config("b", 51820, 1000))

    @staticmethod
    def config(key, port, more):
        known = Peer("other", ["10.99.0.2/32"], "192.0.2.9:51820")
        return Config(key, port, "10.99.0.1/24", [known, *strangers(more, 1)])


class Outside(Pair):
    """The load bypasses the tunnel, through the NIC to which the tunnel is attached."""

    target = "192.0.2.2"

    def wait_for_tunnel(self):
        net.wait_until(lambda: net.answers(self.client, "10.99.0.2"), 20,
                       f"{self.variant.name}: ping 10.99.0.2 through the tunnel")


class Middle(Topology):
    """a: core 0  <->  m: core 1, forwards  <->  b: core 0"""

    def build(self):
        self.client, self.server = self.namespace("a", 0), self.namespace("b", 0)
        middle = self.namespace("m", 1)
        net.join(self.client, "eth0", middle, "eth0", "192.0.2")
        net.join(self.server, "eth0", middle, "eth1", "198.51.100")
        middle.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        if self.variant.kind == "bare":
            self.build_bare(middle)
        else:
            self.build_tunnels(middle)
        self.wait_for_tunnel()

    def build_bare(self, middle):
        for ns, host, subnet, nic in ((self.client, 1, "192.0.2", "eth0"),
                                      (self.server, 2, "198.51.100", "eth1")):
            ns.run("ip", "address", "add", f"10.99.0.{host}/32", "dev", "eth0")
            ns.run("ip", "route", "add", "10.99.0.0/24", "via", f"{subnet}.2",
                   "src", f"10.99.0.{host}")
            middle.run("ip", "route", "add", f"10.99.0.{host}/32", "via", f"{subnet}.1", "dev", nic)

    def build_tunnels(self, middle):
        a = Peer("a", ["10.99.0.1/32"], "192.0.2.1:51820")
        b = Peer("b", ["10.99.0.2/32"], "198.51.100.1:51820")
        self.node(middle, Config("m", 51820, "10.99.0.254/24", [a, b]), ("eth0", "eth1"))
        for ns, key, host, subnet in ((self.client, "a", 1, "192.0.2"),
                                      (self.server, "b", 2, "198.51.100")):
            m = Peer("m", ["10.99.0.0/24"], f"{subnet}.2:51820")
            self.node(ns, Config(key, 51820, f"10.99.0.{host}/24", [m]))
