# SPDX-License-Identifier: MIT
"""Medians, ratios and spread of a run's values; the table and the JSON."""

import json
from statistics import median

from .variants import OPTIONS

ORDER = ["bare", "peer", *OPTIONS]  # order of columns if runs with other variants are merged

NOISY = 0.20  # if the spread without a tunnel is larger, the run is no basis for comparisons


class Results:
    """values[case][metric][variant] = one number per round."""

    def __init__(self, meta):
        self.meta, self.titles, self.values, self.disturbances = meta, {}, {}, {}

    def add(self, case, variant, measured):
        for metric in case.metrics:
            value = measured[metric]
            of_case = self.values.setdefault(case.name, {}).setdefault(metric, {})
            of_case.setdefault(variant, []).append(value)
            title = case.metrics[metric]
            self.titles.setdefault(case.name, {})[metric] = vars(title)

    def note_disturbance(self, case, variant, share):
        """Records the share of the machine that others took during a measurement."""
        self.disturbances.setdefault(f"{case}, {variant}", []).append(round(share, 4))

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(vars(self), file, indent=1)
            file.write("\n")

    @classmethod
    def load(cls, paths):
        """Merges the results of several runs with the same options. A later run adds its rounds."""
        merged = None
        for path in paths:
            with open(path, encoding="utf-8") as file:
                data = json.load(file)
            if merged is None:
                merged = cls(data["meta"])
            names = merged.meta["variants"]
            names += [name for name in data["meta"]["variants"] if name not in names]
            names.sort(key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
            for name, shares in data["disturbances"].items():
                merged.disturbances.setdefault(name, []).extend(shares)
            for case, metrics in data["values"].items():
                merged.titles.setdefault(case, {}).update(data["titles"][case])
                for metric, variants in metrics.items():
                    of_case = merged.values.setdefault(case, {}).setdefault(metric, {})
                    for variant, values in variants.items():
                        of_case.setdefault(variant, []).extend(values)
        return merged

    def rows(self):
        for case, metrics in self.values.items():
            for metric, variants in metrics.items():
                kept = {name: self.undisturbed(case, name, values)
                        for name, values in variants.items()}
                yield case, metric, self.titles[case][metric], kept

    def undisturbed(self, case, variant, values):
        """Leaves out the rounds that others disturbed, unless all rounds were disturbed."""
        shares = self.disturbances.get(f"{case}, {variant}", [0.0] * len(values))
        kept = [v for v, share in zip(values, shares) if share <= self.meta["noise_limit"]]
        return kept or values


def spread(values):
    """Returns half the distance between the extremes, as a share of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle if middle else 0.0


def figure(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def ratio(variants, variant, base):
    """Returns the ratio of the medians, or None if it is meaningless."""
    if base not in variants or variant == base or not median(variants[base]):
        return None
    return median(variants[variant]) / median(variants[base])


def cell(title, variants, variant, base):
    values = variants.get(variant)
    if not values or not any(values):
        return ""
    text = figure(median(values))
    if len(values) > 1:
        text += f" ±{100 * abs(spread(values)):.0f}%"
    times = ratio(variants, variant, base) if title["comparable"] else None
    return text if times is None else f"{text} {times:.2f}×"


def heading(title):
    return f"{title['title']}, {title['unit']}"


def table(results, base):
    """Yields the lines of a table for a terminal: a row per metric, a column per variant."""
    names = results.meta["variants"]
    rows = [["", *names]]
    for _, _, title, variants in results.rows():
        rows.append([heading(title), *(cell(title, variants, name, base) for name in names)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(names) + 1)]
    for row in rows:
        cells = [text.rjust(width) for text, width in zip(row[1:], widths[1:])]
        yield "  ".join([row[0].ljust(widths[0]), *cells])


def markdown(results, base):
    names = results.meta["variants"]
    yield "| | " + " | ".join(names) + " |"
    yield "|---|" + "---|" * len(names)
    for _, _, title, variants in results.rows():
        cells = [cell(title, variants, name, base) for name in names]
        yield f"| {heading(title)} | " + " | ".join(cells) + " |"


def complaints(results):
    """Yields sentences that say why the run is unfit for comparison."""
    for name, shares in results.disturbances.items():
        rounds = sum(share > results.meta["noise_limit"] for share in shares)
        if rounds:
            what = "all" if rounds == len(shares) else f"{rounds} of {len(shares)}"
            end = "none is left out" if rounds == len(shares) else "they are left out"
            yield (f"{name}: others took up to {100 * max(shares):.0f} % of the machine in {what} "
                   f"rounds, also when repeated; {end}")
    for _, metric, title, variants in results.rows():
        values = variants.get("bare", [])
        if metric == "rate" and len(values) > 1 and spread(values) > NOISY:
            yield (f"{title['title']}: without a tunnel, rounds differ by "
                   f"±{100 * spread(values):.0f} %; the machine was too noisy to compare tunnels")
