# SPDX-License-Identifier: MIT
"""The load: iperf3 for TCP, build/tools/udpblast and build/tools/peerswarm for UDP."""

import json
import time

from . import net

UDPBLAST = "build/tools/udpblast"
PEERSWARM = "build/tools/peerswarm"
PORT = 7000
LOSS_LIMIT = 0.01
RATE_LOW, RATE_HIGH, RATE_STEPS = 5e3, 1.2e6, 8  # the search ends within 2.2 % of the highest rate
SETTLE_S = 0.25  # time after the sender's end for queued packets to arrive


def route(ns, address):
    return json.loads(ns.run("ip", "-j", "route", "get", address))[0]


class Load:
    """Load from one namespace to another."""

    def __init__(self, client, server, target, congestion):
        self.client, self.server, self.target = client, server, target
        self.congestion = congestion  # TCP's congestion control; None once the routes have it
        self.iperf = server.spawn("iperf3", "-s", output=net.DEVNULL)

    def stop(self):
        net.stop(self.iperf)

    def choose_congestion(self):
        """Sets the congestion control of the routes between both ends. `iperf3 -C` would set it
        only when the connection exists. If the host's default is bbr, the kernel then paces the
        connection, even under an algorithm that does not pace."""
        if not self.congestion:
            return
        source = route(self.client, self.target)["prefsrc"]
        for ns, other in ((self.client, self.target), (self.server, source)):
            path = route(ns, other)
            via = ["via", path["gateway"]] if "gateway" in path else []
            ns.run("ip", "route", "replace", f"{other}/32", *via, "dev", path["dev"],
                   "src", path["prefsrc"], "congctl", self.congestion)
        self.congestion = None

    def tcp(self, seconds, streams=1, reverse=False):
        """Returns the Mbit/s and the bytes that the receiver got."""
        self.choose_congestion()
        options = ["-P", streams] + (["-R"] if reverse else [])
        whole = max(round(seconds), 1)  # iperf3 reads 0.5 as 0, and 0 means endless
        output = self.client.run("iperf3", "-J", "-c", self.target, "-t", whole, *options,
                                 check=False)
        end = json.loads(output).get("end", {})
        if "sum_received" not in end:
            raise net.Failure(f"iperf3 to {self.target}: {json.loads(output).get('error', output)}")
        return end["sum_received"]["bits_per_second"] / 1e6, end["sum_received"]["bytes"]

    def udp(self, seconds, length, rate=0, segment=False):
        """Returns (packets/s received, packets received, packets sent). Rate 0 sends without a
        pause."""
        receiver = self.server.spawn(UDPBLAST, "recv", PORT)
        time.sleep(0.1)
        options = ["--segment"] if segment else []
        sent = json.loads(self.client.run(UDPBLAST, "send", self.target, PORT, "--length", length,
                                          "--rate", int(rate), "--seconds", seconds, *options))
        time.sleep(SETTLE_S)
        got = json.loads(net.stop(receiver))
        return got["received"] / max(got["seconds"], seconds), got["received"], sent["sent"]

    def swarm_in(self, seconds, hub_key, active, length):
        """Returns (packets/s, packets) that the hub's host receives from @active of its peers."""
        receiver = self.server.spawn(UDPBLAST, "recv", PORT)
        time.sleep(0.1)
        self.client.run(PEERSWARM, "send", hub_key, "192.0.2.2", 51820, "--active", active,
                        "--length", length, "--seconds", seconds)
        time.sleep(SETTLE_S)
        got = json.loads(net.stop(receiver))
        return got["received"] / max(got["seconds"], seconds), got["received"]

    def swarm_out(self, seconds, hub_key, addresses, length):
        """Returns (packets/s, packets) that the peers receive when the hub's host sends to them in
        turn."""
        swarm = self.client.spawn(PEERSWARM, "recv", hub_key, "192.0.2.2", 51820,
                                  "--active", len(addresses), "--seconds", seconds + 1)
        if swarm.stdout.readline() != "ready\n":
            raise net.Failure("peerswarm: the hub does not answer")
        self.server.run(UDPBLAST, "send", ",".join(addresses), PORT, "--length", length,
                        "--seconds", seconds)
        got = json.loads(swarm.communicate()[0])
        return got["received"] / max(got["seconds"], seconds), got["received"]

    def udp_without_loss(self, seconds, length, segment=False):
        """Returns the highest rate with a loss below 1 %, in packets/s received."""
        low, high, best = RATE_LOW, RATE_HIGH, 0.0
        for _ in range(RATE_STEPS):
            rate = (low * high) ** 0.5
            pps, received, sent = self.udp(seconds, length, rate, segment)
            lost = 1 - received / max(sent, 1)
            behind = sent < 0.97 * rate * seconds
            if lost < LOSS_LIMIT:
                best = max(best, pps)
            if lost < LOSS_LIMIT and not behind:
                low = rate
            else:
                high = rate
        return best

    def round_trips(self, seconds, rate=1000):
        """Returns udpblast's figures for probes of 64 bytes: p50_us, p99_us, sent, answered."""
        echo = self.server.spawn(UDPBLAST, "echo", PORT + 1)
        time.sleep(0.1)
        result = json.loads(self.client.run(UDPBLAST, "rtt", self.target, PORT + 1,
                                            "--seconds", seconds, "--rate", rate))
        net.stop(echo)
        return result

    def round_trips_under_load(self, seconds):
        """Like round_trips(), while one TCP stream fills the tunnel."""
        self.choose_congestion()
        load = self.client.spawn("iperf3", "-c", self.target,
                                 "-t", round(seconds) + 2, output=net.DEVNULL)
        time.sleep(1)
        result = self.round_trips(seconds)
        net.stop(load)
        time.sleep(SETTLE_S)
        return result
