# SPDX-License-Identifier: MIT
"""The cases. A case runs on one topology and yields metrics. Each metric has a unit, and says
whether more is better."""

import time
from dataclasses import dataclass
from typing import Callable

from . import topology, variants

PACKETS = "_packets"  # number that arrived; not shown in the table
ACTIVE = 64           # peers of the hub that have traffic
SEGMENT_BYTES = 1368  # TCP payload per packet at MTU 1420, with timestamps


@dataclass
class Metric:
    title: str
    unit: str
    more_is_better: bool = True
    comparable: bool = True      # is the ratio to the peer meaningful?


@dataclass
class Case:
    name: str
    where: type
    measure: Callable            # (topology, seconds) -> {metric: value}
    metrics: dict
    with_bare: bool = True       # does the case make sense without a tunnel?

    def runs_with(self, variant):
        return self.with_bare or variant.kind != "bare"


def tcp(streams, reverse):
    def measure(top, seconds):
        before = top.cpu_ns()
        mbit, received = top.load.tcp(seconds, streams, reverse)
        cpu = (top.cpu_ns() - before) / 1e9
        packets = received / SEGMENT_BYTES
        return {"rate": mbit, "cpu_gb": cpu / (received / 1e9), "cpu_packet": cpu * 1e6 / packets,
                PACKETS: packets}
    return measure


def udp(length, segment=False):
    def measure(top, seconds):
        before = top.cpu_ns()
        pps, received, _ = top.load.udp(seconds, length, segment=segment)
        return {"rate": pps / 1e3, "cpu_packet": (top.cpu_ns() - before) / 1e3 / max(received, 1),
                PACKETS: received}
    return measure


def udp_without_loss(length, segment=False):
    def measure(top, seconds):
        return {"rate": top.load.udp_without_loss(min(seconds, 1), length, segment) / 1e3}
    return measure


def round_trips(top, seconds):
    result = top.load.round_trips(seconds)
    return {"p50": result["p50_us"], "p99": result["p99_us"]}


def round_trips_under_load(top, seconds):
    result = top.load.round_trips_under_load(seconds)
    return {"p50": result["p50_us"], "p99": result["p99_us"]}


def loss_of_rate(top, seconds):
    """Returns by how many per cent the rate with 10,000 peers and 100,000 prefixes is below that
    with one peer."""
    lost = {}
    for name, rate_of in (("tcp", lambda pair: pair.load.tcp(seconds)[0]),
                          ("udp", lambda pair: pair.load.udp(seconds, 64)[0])):
        small, big = rate_of(top.small), rate_of(top.big)
        lost[name] = 100 * (1 - big / small)
    return lost


def swarm_in(top, seconds):
    before = top.cpu_ns()
    pps, packets = top.load.swarm_in(seconds, variants.keys("h")[1], ACTIVE, 64)
    return {"rate": pps / 1e3, "cpu_packet": (top.cpu_ns() - before) / 1e3 / max(packets, 1),
            PACKETS: packets}


def swarm_out(top, seconds):
    before = top.cpu_ns()
    addresses = [str(top.inner(i)) for i in range(ACTIVE)]
    pps, packets = top.load.swarm_out(seconds, variants.keys("h")[1], addresses, 64)
    return {"rate": pps / 1e3, "cpu_packet": (top.cpu_ns() - before) / 1e3 / max(packets, 1),
            PACKETS: packets}


def idle(top, seconds):
    """Returns the CPU time of a hub whose 100 peers all have a session and send nothing."""
    top.load.swarm_in(0.1, variants.keys("h")[1], top.peers, 64)
    before = top.cpu_ns()
    time.sleep(5 * seconds)
    return {"cpu": (top.cpu_ns() - before) / 1e6 / (5 * seconds)}


def memory(top, _):
    one, queues, peers = (node.memory_bytes() for node in (top.one, top.queues, top.peers))
    return {"one": one / 2**20, "queue": (queues - one) / 3 / 2**20,
            "peer": (peers - one) / 1000 / 2**10}


def tcp_metrics(title):
    return {"rate": Metric(title, "Mbit/s"),
            "cpu_gb": Metric(f"{title}: CPU of the nodes", "s/GB", False),
            "cpu_packet": Metric(f"{title}: CPU of the nodes", "µs/packet", False)}


def udp_metrics(title):
    return {"rate": Metric(f"{title}, received under overload", "kpps"),
            "cpu_packet": Metric(f"{title}: CPU of the nodes", "µs/packet", False)}


def rate(title, unit="kpps"):
    return {"rate": Metric(title, unit)}


def trip_metrics(title):
    return {"p50": Metric(f"{title}, p50", "µs", False),
            "p99": Metric(f"{title}, p99", "µs", False)}


CASES = [
    Case("tcp1", topology.Pair, tcp(1, False), tcp_metrics("TCP, 1 stream")),
    Case("tcp1r", topology.Pair, tcp(1, True), tcp_metrics("TCP, 1 stream, back")),
    Case("tcp8", topology.Pair, tcp(8, False), tcp_metrics("TCP, 8 streams")),
    Case("tcp8r", topology.Pair, tcp(8, True), tcp_metrics("TCP, 8 streams, back")),
    Case("udp1300", topology.Pair, udp(1300), udp_metrics("UDP 1300 B")),
    Case("udp64", topology.Pair, udp(64), udp_metrics("UDP 64 B")),
    Case("train", topology.Pair, udp(1300, True), udp_metrics("UDP 1300 B in trains")),
    Case("udp1300max", topology.Pair, udp_without_loss(1300), rate("UDP 1300 B, loss < 1 %")),
    Case("udp64max", topology.Pair, udp_without_loss(64), rate("UDP 64 B, loss < 1 %")),
    Case("trainmax", topology.Pair, udp_without_loss(1300, True),
         rate("UDP 1300 B in trains, loss < 1 %")),
    Case("rtt", topology.Pair, round_trips, trip_metrics("Round trip, idle")),
    Case("rttload", topology.Pair, round_trips_under_load, trip_metrics("Round trip under TCP")),
    Case("middle", topology.Middle, tcp(1, False), tcp_metrics("TCP through a middle node")),
    Case("swarmin", topology.Hub, swarm_in, udp_metrics("UDP 64 B from 64 of 1,000 peers"), False),
    Case("swarmout", topology.Hub, swarm_out, udp_metrics("UDP 64 B to 64 of 1,000 peers"), False),
    Case("big", topology.SmallAndBig, loss_of_rate,
         {"tcp": Metric("TCP, loss of rate with 10,000 peers, 100,000 prefixes", "%", False, False),
          "udp": Metric("UDP 64 B, loss of rate with the same", "%", False, False)}, False),
    Case("idle", topology.HundredPeers, idle,
         {"cpu": Metric("CPU, idle with 100 peers", "ms/s", False, False)}, False),
    Case("memory", topology.Alone, memory,
         {"one": Metric("Memory, 1 queue and 1 peer", "MiB", False, False),
          "queue": Metric("Memory, each further queue", "MiB", False, False),
          "peer": Metric("Memory, each further peer", "KiB", False, False)}, False),
    Case("outsidetcp", topology.Outside, tcp(1, False), rate("TCP beside the tunnel", "Mbit/s")),
    Case("outsideudp", topology.Outside, udp(64), rate("UDP 64 B beside the tunnel")),
]
