# SPDX-License-Identifier: Apache-2.0
"""growth.png: a panel a cost, a line a contestant, a row of panels a topic; both axes are logarithmic."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from .curves import Curve, Topic
from .plot import COLOUR


def draw(topics: Sequence[Topic], path: Path, foot: str) -> bool:
    """False where there is nothing to draw: a line wants two sizes."""
    rows = [(topic, [curve for curve in topic.curves if _lines(curve)]) for topic in topics]
    rows = [(topic, curves) for topic, curves in rows if curves]
    if not rows:
        return False
    width = max(len(curves) for _, curves in rows)
    figure, grid = pyplot.subplots(
        len(rows),
        width,
        figsize=(3.3 * width, 0.6 + 2.6 * len(rows)),
        dpi=130,
        layout="constrained",
        squeeze=False,
    )
    for (topic, curves), places in zip(rows, grid, strict=True):
        for curve, axes in zip(curves, places, strict=False):
            _panel(axes, topic, curve)
        for axes in places[len(curves) :]:
            axes.set_visible(False)
    figure.supxlabel(foot, fontsize=7, color="#777777")
    figure.savefig(path)
    pyplot.close(figure)
    return True


def _lines(curve: Curve) -> list[str]:
    return [who for who in curve.of if len(curve.medians(who)) > 1]


def _panel(axes: Axes, topic: Topic, curve: Curve) -> None:
    for who in _lines(curve):
        sizes, costs = zip(*curve.medians(who), strict=True)
        axes.plot(sizes, costs, marker="o", ms=3.5, lw=1.4, color=COLOUR[who], label=who)
        every = [
            (size, one.value)
            for size, some in curve.samples[who].items()
            for one in some
            if not (one.failed or one.spoilt)
        ]
        axes.scatter(*zip(*every, strict=True), s=6, color=COLOUR[who], alpha=0.2, linewidths=0)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1.0)  # a cost may be 0
    axes.set_ylim(0, 2 * axes.dataLim.y1)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.set_title(f"{curve.name}, {curve.unit}", fontsize=8, loc="left")
    axes.set_xlabel(topic.axis, fontsize=7)
    axes.tick_params(labelsize=7)
    axes.grid(color="#dddddd", lw=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(fontsize=7, frameon=False)
