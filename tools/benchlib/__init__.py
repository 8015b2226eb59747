# SPDX-License-Identifier: MIT
"""The modules of tools/bench.

net.py       namespaces, veth pairs, commands in them
variants.py  the tunnels that are compared, as nodes: wgxdp, the peer implementation, none
topology.py  which nodes a case needs and how they are joined
load.py      iperf3 and build/tools/udpblast
cases.py     what is measured
report.py    medians, ratios, spread; the table, JSON and the picture
"""
