# SPDX-License-Identifier: Apache-2.0
"""takeovers: the last changes of the Master, read from the events, as a timeline to be drawn. Pure.

Milliseconds matter at its beginning and minutes at its end, so the axis is linear up to LINEAR seconds and
logarithmic beyond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import asinh
from typing import Any

from ..events.kinds import PROMOTIONS

BEFORE, AFTER = 15.0, 300.0  # seconds around it that belong to it
SHOWN = 12  # takeovers
MARKS = 24
LINEAR = 0.1  # seconds
TICKS = (  # far enough from each other to be read
    (-10.0, "-10 s"), (-1.0, "-1 s"), (0.0, "0"), (0.1, "100 ms"), (1.0, "1 s"), (10.0, "10 s"),
    (60.0, "1 min"), (300.0, "5 min"),
)  # fmt: skip
# What is drawn on which line: sources of events.
LANES = (
    ("Role and addresses", ("Redundancy",)),
    ("Network", ("Network",)),
    ("Applications and phones", ("PBX", "Phones")),
)


@dataclass(frozen=True, slots=True)
class Mark:
    at: float  # seconds after the takeover; before it: negative
    name: str
    description: str
    severity: str
    lane: int


@dataclass(slots=True)
class Takeover:
    when: float  # wall clock
    unit: str
    name: str
    why: str
    addresses_ms: float | None
    marks: list[Mark] = field(default_factory=list)

    @property
    def span(self) -> tuple[float, float]:
        """Of the axis, in seconds: from the first mark to the last, 1 s at least."""
        times = [mark.at for mark in self.marks]
        return min([-0.05, *times]), max([1.0, *times])

    @property
    def lanes(self) -> tuple[int, ...]:
        """Those that have something on them."""
        return tuple(sorted({mark.lane for mark in self.marks} | {0}))

    def title(self, lane: int) -> str:
        return LANES[lane][0]

    def x(self, at: float, width: float) -> float:
        """Where a time lies on an axis of that width."""
        first, last = map(_place, self.span)
        return round((_place(at) - first) / (last - first) * width, 1)

    def ticks(self, width: float) -> list[tuple[float, str]]:
        """Where what stands on the axis."""
        first, last = self.span
        return [(self.x(at, width), text) for at, text in TICKS if first <= at <= last]


def _place(seconds: float) -> float:
    return asinh(seconds / LINEAR)


def takeovers(events: Iterable[dict[str, Any]]) -> list[Takeover]:
    """The last ones, newest first."""
    ordered = sorted(events, key=lambda event: event["time"])
    found: list[Takeover] = []
    for event in ordered:
        if event["name"] in PROMOTIONS:
            why, _, rest = str(event["description"]).partition(";")
            addresses = re.search(r"addresses up after ([0-9.]+) ms", rest)
            found.append(
                Takeover(event["time"], event["unit"], event["name"], why.strip(),
                         float(addresses[1]) if addresses else None)
            )  # fmt: skip
    for number, one in enumerate(found):
        until = found[number + 1].when if number + 1 < len(found) else one.when + AFTER
        one.marks = [
            Mark(round(event["time"] - one.when, 3), event["name"], event["description"], event["severity"],
                 lane)
            for event in ordered
            if one.when - BEFORE <= event["time"] < min(until, one.when + AFTER)
            for lane, (_, sources) in enumerate(LANES)
            if event["source"] in sources
        ][:MARKS]  # fmt: skip
    return found[::-1][:SHOWN]
