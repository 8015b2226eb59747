# SPDX-License-Identifier: MIT
"""The modules of tools/bench.

net.py       namespaces, veth pairs, commands in them
variants.py  the tunnels that are compared, as nodes: wgxdp, the peer implementation, none
topology.py  which nodes a case needs and how they are joined
load.py      iperf3, build/tools/udpblast and build/tools/peerswarm
cases.py     what is measured
noise.py     the share of the machine that other processes take
profile.py   where a packet's time goes
report.py    medians, ratios, spread; the table and the JSON
plot.py      the picture
"""
