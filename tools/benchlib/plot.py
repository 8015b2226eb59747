# SPDX-License-Identifier: MIT
"""Draws the picture of the README: each variant's figures as multiples of the peer's."""

from . import net
from .report import ratio

BARS = [  # case, metric, label
    ("tcp1", "rate", "TCP\\n1 stream"),
    ("tcp8", "rate", "TCP\\n8 streams"),
    ("middle", "rate", "TCP\\nforwarded"),
    ("udp1300", "rate", "UDP\\n1300 B"),
    ("train", "rate", "UDP 1300 B\\nin trains"),
    ("udp64", "rate", "UDP\\n64 B"),
    ("rtt", "p99", "round trip\\np99, idle"),
    ("rttload", "p99", "round trip\\np99, loaded"),
    ("tcp1", "cpu_gb", "CPU time\\nper GB"),
]
COLOURS = ["#2f81f7", "#e3912d", "#3fa45b", "#a371f7", "#d4537e"]
TEXT = "#7d8590"  # readable on white and on black

SCRIPT = """
set terminal svg size 900,400 font 'sans-serif,13'
set output '{path}'
set title 'Times better than {peer} (line at 1); {where}' textcolor rgb '{text}'
set style data histogram
set style histogram clustered gap 1
set style fill solid noborder
set bmargin 3.5
set border 3 linecolor rgb '{text}'
set tics nomirror textcolor rgb '{text}'
set key outside above right horizontal textcolor rgb '{text}'
set grid ytics linecolor rgb '{text}' linewidth 0.3
set yrange [0:*]
set arrow 1 from graph 0, first 1 to graph 1, first 1 nohead linecolor rgb '{text}' linewidth 1.5
plot {plots}
"""


def times_better(results, case, metric, variant):
    """Returns the ratio to the base, inverted if less is better, or None if a figure is missing."""
    variants = {name: results.undisturbed(case, name, values)
                for name, values in results.values.get(case, {}).get(metric, {}).items()}
    base = results.meta["base"]
    if variant not in variants or base not in variants:
        return None
    times = ratio(variants, variant, base)
    more_is_better = results.titles[case][metric]["more_is_better"]
    return times if more_is_better or not times else 1 / times


def data_lines(results, names):
    for case, metric, label in BARS:
        values = [times_better(results, case, metric, name) for name in names]
        if any(values):
            yield f'"{label}" ' + " ".join("NaN" if v is None else f"{v:.3f}" for v in values)


def draw(results, path):
    meta = results.meta
    names = [name for name in meta["variants"] if name not in ("bare", meta["base"])]
    data = "$data << END\n" + "\n".join(data_lines(results, names)) + "\nEND\n"
    plots = ", ".join(f"$data using {i + 2}:xtic(1) title 'wgxdp {name}' "
                      f"linecolor rgb '{COLOURS[i % len(COLOURS)]}'"
                      for i, name in enumerate(names))
    kernel, date = meta["kernel"].split("-")[0], meta["date"].split()[0]
    where = f"Linux {kernel}, veth, a core per node, {date}"
    net.run("gnuplot", stdin=data + SCRIPT.format(path=path, text=TEXT, plots=plots,
                                                  peer=meta["peer"], where=where))
