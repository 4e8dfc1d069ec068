# SPDX-License-Identifier: Apache-2.0
"""takeovers: the last changes of the Master, read from the events, as a timeline to be drawn. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TAKEOVER = ("Takeover: this device is Master", "This device is Master")
BEFORE, AFTER = 15.0, 300.0  # seconds around it that belong to it
SHOWN = 12  # takeovers
MARKS = 24
SOURCES = ("Redundancy", "PBX", "Network", "Phones")


@dataclass(frozen=True, slots=True)
class Mark:
    at: float  # seconds after the takeover; before it: negative
    name: str
    description: str
    severity: str


@dataclass(slots=True)
class Takeover:
    when: float  # wall clock
    unit: str
    name: str
    why: str
    addresses_ms: float | None
    marks: list[Mark] = field(default_factory=list)

    @property
    def lasted(self) -> float:
        """Seconds until the last thing that belongs to it."""
        return max((mark.at for mark in self.marks), default=0.0)

    def x(self, at: float, width: float) -> float:
        """Where a time lies on an axis of that width, from the first mark to the last."""
        first = min([0.0, *(mark.at for mark in self.marks)])
        span = max(self.lasted, 0.0) - first or 1.0
        return round((at - first) / span * width, 1)


def takeovers(events: Iterable[dict[str, Any]]) -> list[Takeover]:
    """The last ones, newest first."""
    ordered = sorted(events, key=lambda event: event["time"])
    found: list[Takeover] = []
    for event in ordered:
        if event["name"] in TAKEOVER:
            why, _, rest = str(event["description"]).partition(";")
            addresses = re.search(r"addresses up after ([0-9.]+) ms", rest)
            found.append(
                Takeover(event["time"], event["unit"], event["name"], why.strip(),
                         float(addresses[1]) if addresses else None)
            )  # fmt: skip
    for number, one in enumerate(found):
        until = found[number + 1].when if number + 1 < len(found) else one.when + AFTER
        one.marks = [
            Mark(round(event["time"] - one.when, 3), event["name"], event["description"], event["severity"])
            for event in ordered
            if one.when - BEFORE <= event["time"] < min(until, one.when + AFTER)
            and event["source"] in SOURCES
        ][:MARKS]
    return found[::-1][:SHOWN]
