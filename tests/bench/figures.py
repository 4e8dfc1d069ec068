# SPDX-License-Identifier: Apache-2.0
"""The bench's arithmetic: samples, what spoils one, who is measured next, and what a row comes to.

Pure: no clock, no process, no file. Lower is better in every row: a ratio below 1 is in the product's favour.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# A peer is called what its Debian package is called: the report asks for its version by that.
PRODUCT, KEEPALIVED, FRR, RSYNC = "qx", "keepalived", "frr", "rsync"
CONTESTANTS = (PRODUCT, KEEPALIVED)
TAKEOVER = (*CONTESTANTS, FRR)
MOST_SPOILT = 2  # a row is given up after this many spoilt measurements for each wanted one


@dataclass(frozen=True)
class Sample:
    """One measurement.

    `spoilt` says why it does not count and is repeated: the machine or the probe, never the contestant.
    `failed` says what the contestant did not do: it is never repeated, and stands beside the figures.
    """

    value: float = 0.0
    spoilt: str = ""
    failed: str = ""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


def spoilt_by_probe(silence_ms: float, gap_ms: float, before_ms: float) -> str:
    """Why a silence seen by the probe does not count, or "".

    A probe that did not ask cannot tell silence from its own pause: 5 ms of it, or a twentieth of what was
    measured, are borne. `before_ms` is the longest silence just before the event, when nothing gave a reason.
    """
    if gap_ms > max(5.0, silence_ms / 20):
        return f"the probe itself paused for {gap_ms:.1f} ms"
    if before_ms > 10.0:
        return f"silent for {before_ms:.1f} ms before the event"
    return ""


@dataclass
class Row:
    """One line of the table: every sample of the contestants that it is `of`, the product first.

    `without`: other contestants, and why they have no figure here.
    """

    key: str
    name: str
    unit: str
    wanted: int = 1
    note: str = ""
    of: tuple[str, ...] = CONTESTANTS
    without: Mapping[str, str] = field(default_factory=dict[str, str])
    samples: dict[str, list[Sample]] = field(init=False)

    def __post_init__(self) -> None:
        self.samples = {who: [] for who in self.of}

    @property
    def peers(self) -> tuple[str, ...]:
        """Who stands beside the product."""
        return tuple(who for who in self.of if who != PRODUCT)

    def add(self, who: str, sample: Sample) -> None:
        self.samples[who].append(sample)

    def values(self, who: str) -> list[float]:
        """What counts, in the order of measurement; nothing of who is not of the row."""
        return [sample.value for sample in self._of(who) if not (sample.spoilt or sample.failed)]

    def spoilt(self, who: str) -> int:
        return sum(bool(sample.spoilt) for sample in self._of(who))

    def failed(self, who: str) -> int:
        return sum(bool(sample.failed) for sample in self._of(who))

    def lacks(self, who: str) -> bool:
        """Whether another measurement of this contestant is due."""
        spoilt = self.spoilt(who)
        counting = len(self._of(who)) - spoilt
        return who in self.of and counting < self.wanted and spoilt < MOST_SPOILT * self.wanted

    def ratio(self, peer: str) -> float | None:
        """Median of the product over median of the peer; None where one is missing or the peer's is 0."""
        ours, theirs = self.values(PRODUCT), self.values(peer)
        if not ours or not theirs or not statistics.median(theirs):
            return None
        return statistics.median(ours) / statistics.median(theirs)

    def _of(self, who: str) -> list[Sample]:
        return self.samples.get(who, [])


@dataclass(frozen=True)
class Summary:
    """A list of values in five numbers."""

    count: int
    median: float
    p95: float
    minimum: float
    maximum: float


def summary(values: Sequence[float]) -> Summary | None:
    """None for no values."""
    if not values:
        return None
    return Summary(len(values), statistics.median(values), percentile(values, 95), min(values), max(values))


def percentile(values: Sequence[float], percent: float) -> float:
    """Interpolated linearly between the two values beside it (Hyndman and Fan's type 7, numpy's default)."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    below, above = math.floor(place), math.ceil(place)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def contestants(rows: Sequence[Row]) -> tuple[str, ...]:
    """Everybody whom one of the rows is of, in the order of the rows."""
    return tuple(dict.fromkeys(who for row in rows for who in row.of))


def turns(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """A contestant and its rows that lack a sample: A, B, C, A, B, C, … until none lacks any.

    The caller adds a sample to every row that it is given: good, spoilt or failed.
    """
    everybody = contestants(rows)
    while any(row.lacks(who) for row in rows for who in everybody):
        for who in everybody:
            lacking = [row for row in rows if row.lacks(who)]
            if lacking:
                yield who, lacking
