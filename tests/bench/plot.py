# SPDX-License-Identifier: Apache-2.0
"""Pictures of the takeovers: every value that was measured, as a dot, on a logarithmic axis."""

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .figures import FRR, KEEPALIVED, PRODUCT, RSYNC, Row, contestants
from .report import Picture

COLOUR = {PRODUCT: "#0b6e4f", KEEPALIVED: "#c8553d", FRR: "#3d5ac8", RSYNC: "#4a6fa5"}
_SHORTEST = 0.1  # ms: the axis has no zero


@dataclass(frozen=True)
class Dots(Picture):
    """A picture and what is in it: the rows by their keys, from the top, and how each is called there."""

    axis: str = ""
    rows: Mapping[str, str] = field(default_factory=dict[str, str])


PICTURES = (
    Dots(
        "takeover.png",
        "How long the service address did not answer, as the PC saw it. The kernel of a unit that is no "
        "Master may go on answering: when the other unit was Master is in the next picture.",
        "ms without an answer of the service address (logarithmic; line: median)",
        {
            "cut-10ms": "power cut\nv3, 10 ms",
            "cut-100ms": "power cut\nv3, 100 ms",
            "cut-1s": "power cut\nv2, 1 s",
            "kill": "kill -9 of\nthe daemon",
            "hang": "hang of\nthe daemon",
            "release": "planned\nrelease",
        },
    ),
    Dots(
        "master.png",
        "When the other unit was Master, from the event on.",
        "ms until the other unit advertises as Master (logarithmic; line: median)",
        {
            "cut-10ms-takeover": "power cut\nv3, 10 ms",
            "cut-100ms-takeover": "power cut\nv3, 100 ms",
            "cut-1s-takeover": "power cut\nv2, 1 s",
            "kill-takeover": "kill -9 of\nthe daemon",
            "hang-takeover": "hang of\nthe daemon",
            "kill-all-takeover": "kill -9 with\nthe supervisor",
            "release-takeover": "planned\nrelease",
        },
    ),
)


def draw_all(rows: Sequence[Row], folder: Path, foot: str) -> list[Picture]:
    """The pictures for which there is something to draw."""
    return [picture for picture in PICTURES if _draw(picture, rows, folder, foot)]


def _draw(picture: Dots, rows: Sequence[Row], folder: Path, foot: str) -> bool:
    """One band a row, its contestants above each other in it."""
    found = {row.key: row for row in rows if any(row.values(who) for who in row.of)}
    shown = [found[key] for key in reversed(tuple(picture.rows)) if key in found]
    if not shown:
        return False
    everybody = contestants(shown)
    figure, axes = pyplot.subplots(figsize=(9.5, 1.4 + 1.2 * len(shown)), dpi=130, layout="constrained")
    scatter = random.Random(1)  # only so that dots do not hide each other
    for place, row in enumerate(shown):
        if place % 2:
            axes.axhspan(place - 0.5, place + 0.5, color="#f4f4f2", zorder=0)
        for number, who in enumerate(everybody):
            _band(axes, row.values(who), place + 0.5 - (number + 0.5) / len(everybody), who, scatter)
    axes.set_xscale("log")
    least, most = axes.get_xlim()
    axes.set_xlim(least / 1.2, most * 1.7)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.set_yticks(range(len(shown)), [picture.rows[row.key] for row in shown])
    axes.set_ylim(-0.5, len(shown) - 0.5)
    axes.set_xlabel(picture.axis)
    axes.grid(axis="x", which="both", color="#dddddd", lw=0.6, zorder=1)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    handles = [Line2D([], [], marker="o", ls="", color=COLOUR[who], label=who) for who in everybody]
    figure.legend(handles=handles, loc="outside upper left", ncols=len(handles), frameon=False)
    figure.supxlabel(foot, fontsize=7, color="#777777")
    figure.savefig(folder / picture.file)
    pyplot.close(figure)
    return True


def _band(axes: Axes, values: Sequence[float], height: float, who: str, scatter: random.Random) -> None:
    if not values:
        return
    values = [max(value, _SHORTEST) for value in values]
    heights = [height + scatter.uniform(-0.07, 0.07) for _ in values]
    axes.scatter(values, heights, s=22, color=COLOUR[who], alpha=0.55, linewidths=0, zorder=3)
    middle = statistics.median(values)
    axes.plot([middle] * 2, [height - 0.13, height + 0.13], color=COLOUR[who], lw=2, zorder=4)
    axes.annotate(
        f"{middle:,.0f} ms" if middle >= 10 else f"{middle:.1f} ms",
        (max(values), height),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        fontsize=9,
        color=COLOUR[who],
    )
