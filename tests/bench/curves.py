# SPDX-License-Identifier: Apache-2.0
"""How a cost grows with a size: curves of samples, their medians, the power that they follow, a table.

Pure.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from .figures import Sample

_GROWN = 2.0  # a curve whose cost changes by less than this factor from end to end is told by that factor


@dataclass
class Curve:
    """One cost of each contestant that it is `of`, at each size that was measured. Lower is better."""

    key: str
    name: str
    unit: str
    of: tuple[str, ...]
    note: str = ""
    samples: dict[str, dict[int, list[Sample]]] = field(init=False)

    def __post_init__(self) -> None:
        self.samples = {who: {} for who in self.of}

    def add(self, who: str, size: int, *samples: Sample) -> None:
        self.samples[who].setdefault(size, []).extend(samples)

    def medians(self, who: str) -> list[tuple[int, float]]:
        """Size and median of what counts there, by size."""
        good = {
            size: [one.value for one in samples if not (one.failed or one.spoilt)]
            for size, samples in sorted(self.samples[who].items())
        }
        return [(size, statistics.median(values)) for size, values in good.items() if values]

    def failed(self, who: str) -> int:
        return sum(bool(one.failed) for samples in self.samples[who].values() for one in samples)

    def spoilt(self, who: str) -> int:
        return sum(bool(one.spoilt) for samples in self.samples[who].values() for one in samples)


@dataclass
class Topic:
    """Curves over one size; `axis` says what there is so many of, `remark` what bounds it."""

    key: str
    axis: str
    sizes: tuple[int, ...]
    curves: list[Curve]
    remark: str = ""

    def curve(self, key: str) -> Curve:
        return next(curve for curve in self.curves if curve.key == key)


def power(points: Sequence[tuple[int, float]]) -> float | None:
    """The k of cost = c * size^k that fits best (least squares of logarithms): 0 does not grow, 1 grows as
    the size does. None for fewer than two sizes, and where a cost is 0."""
    if len(points) < 2 or any(cost <= 0 for _, cost in points):
        return None
    logs = [(math.log(size), math.log(cost)) for size, cost in points]
    return statistics.linear_regression([x for x, _ in logs], [y for _, y in logs]).slope


def growth(points: Sequence[tuple[int, float]]) -> str:
    """In words for the table."""
    found = power(points)
    if found is None:
        return ""
    factor = points[-1][1] / points[0][1]
    if max(factor, 1 / factor) < _GROWN:
        return f"× {factor:.2f} in all"
    return f"n^{found:.2f}, × {factor:,.0f}" if factor >= 10 else f"n^{found:.2f}, × {factor:.1f}"


def table(topic: Topic) -> list[list[str]]:
    """The head, then a line for each cost and contestant with a column a size."""
    sizes = sorted({size for curve in topic.curves for who in curve.of for size in curve.samples[who]})
    lines = [["", "unit", "of", *(f"{size:,}" for size in sizes), "grows as", "remarks"]]
    for curve in topic.curves:
        for who in curve.of:
            medians = dict(curve.medians(who))
            cells = [_number(medians[size]) if size in medians else "–" for size in sizes]
            lines.append(
                [curve.name, curve.unit, who, *cells, growth(curve.medians(who)), _remark(curve, who)]
            )
    return lines


def markdown(topics: Sequence[Topic]) -> list[str]:
    """A table a topic."""
    lines: list[str] = []
    for topic in topics:
        head, *body = table(topic)
        lines += [f"### {topic.axis}", "", f"| {' | '.join(head)} |"]
        lines += [f"|---|---|---|{'--:|' * (len(head) - 5)}---|---|"]
        lines += [f"| {' | '.join(line)} |" for line in body]
        lines += ["", *([topic.remark, ""] if topic.remark else [])]
    return lines


def _remark(curve: Curve, who: str) -> str:
    told = [curve.note] if curve.note and who == curve.of[0] else []
    if spoilt := curve.spoilt(who):
        told.append(f"{spoilt} spoilt")
    if failed := curve.failed(who):
        told.append(f"{failed} FAILED")
    return "; ".join(told)


def record(topics: Sequence[Topic]) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        topic.key: {
            "axis": topic.axis,
            "remark": topic.remark,
            "curves": {
                curve.key: {
                    "name": curve.name,
                    "unit": curve.unit,
                    "note": curve.note,
                    **{who: _values(curve, who) for who in curve.of},
                }
                for curve in topic.curves
            },
        }
        for topic in topics
    }


def _values(curve: Curve, who: str) -> dict[str, Any]:
    return {
        "medians": curve.medians(who),
        "power": power(curve.medians(who)),
        "samples": {
            size: [asdict(sample) for sample in samples] for size, samples in curve.samples[who].items()
        },
    }


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
