# SPDX-License-Identifier: Apache-2.0
"""takeover.png: every silence that was measured, as a dot, on a logarithmic axis."""

import random
import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.lines import Line2D

from .figures import CONTESTANTS, PEER, PRODUCT, Row

_COLOUR = {PRODUCT: "#0b6e4f", PEER: "#c8553d"}
_SHORT = {
    "cut-10ms": "power cut\nv3, 10 ms",
    "cut-100ms": "power cut\nv3, 100 ms",
    "cut-1s": "power cut\nv2, 1 s",
    "kill": "kill -9 of\nthe daemon",
    "release": "planned\nrelease",
}


def draw(rows: Sequence[Row], path: Path, foot: str) -> bool:
    """One band a row, the contestants above each other in it; False where there is nothing to draw."""
    found = {row.key: row for row in rows if any(row.values(who) for who in CONTESTANTS)}
    shown = [found[key] for key in reversed(_SHORT) if key in found]
    if not shown:
        return False
    figure, axes = pyplot.subplots(figsize=(9.5, 1.2 + 1.05 * len(shown)), dpi=130, layout="constrained")
    scatter = random.Random(1)  # only so that dots do not hide each other
    for place, row in enumerate(shown):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f4f4f2", zorder=0)
        for who, offset in ((PRODUCT, 0.2), (PEER, -0.2)):
            values = row.values(who)
            if not values:
                continue
            heights = [place + offset + scatter.uniform(-0.09, 0.09) for _ in values]
            axes.scatter(values, heights, s=22, color=_COLOUR[who], alpha=0.55, linewidths=0, zorder=3)
            middle = statistics.median(values)
            axes.plot(
                [middle] * 2,
                [place + offset - 0.17, place + offset + 0.17],
                color=_COLOUR[who],
                lw=2,
                zorder=4,
            )
            axes.annotate(
                f"{middle:,.0f} ms" if middle >= 10 else f"{middle:.1f} ms",
                (max(values), place + offset),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=_COLOUR[who],
            )
    axes.set_xscale("log")
    axes.set_xlim(min(min(row.values(who), default=1e9) for row in shown for who in CONTESTANTS) / 1.6, None)
    axes.set_xlim(None, axes.get_xlim()[1] * 1.7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.set_yticks(range(len(shown)), [_SHORT[row.key] for row in shown])
    axes.set_ylim(-0.5, len(shown) - 0.5)
    axes.set_xlabel(
        "ms without an answer of the service address, as the PC saw it (logarithmic; line: median)"
    )
    axes.grid(axis="x", which="both", color="#dddddd", lw=0.6, zorder=1)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [
        Line2D([], [], marker="o", ls="", color=_COLOUR[who], label=name)
        for who, name in ((PRODUCT, "this product"), (PEER, "keepalived"))
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2, frameon=False)
    figure.supxlabel(foot, fontsize=7, color="#777777")
    figure.savefig(path)
    pyplot.close(figure)
    return True
