# SPDX-License-Identifier: Apache-2.0
"""What the issues ask of the bench's rows, by their keys, and whether a row holds it. Pure."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .figures import KEEPALIVED, PRODUCT, RSYNC, Row, percentile

_FIGURES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "p99": lambda values: percentile(values, 99),
    "most": max,
}


@dataclass(frozen=True)
class Target:
    """`figure` of the product's values is at most `limit` in the row's unit or, with `peer`, `limit` times
    that figure of the peer's. `source`: who asks for it, and what else is to be known."""

    source: str
    limit: float
    figure: str = "median"
    peer: str = ""

    @property
    def text(self) -> str:
        asked = f"{self.figure} ≤ {self.limit:,g}{f' × {self.peer}' if self.peer else ''}"
        return f"{asked} ({self.source})"

    def held(self, row: Row) -> bool | None:
        """None where what is compared was not measured."""
        ours, theirs = row.values(PRODUCT), row.values(self.peer) if self.peer else [1.0]
        if not ours or not theirs:
            return None
        figure = _FIGURES[self.figure]
        return figure(ours) <= self.limit * figure(theirs)


_AS_QUICK = Target("issue 2", 1, peer=KEEPALIVED)
_TWICE = Target("issue 2", 2, peer=KEEPALIVED)

TARGETS: Mapping[str, tuple[Target, ...]] = {
    "cut-10ms": (_AS_QUICK,),
    "cut-100ms": (_AS_QUICK,),
    "cut-1s": (_AS_QUICK,),
    "kill": (Target("issue 2", 30),),
    "hang": (Target("issue 2: 30 ms from detection on", 30),),
    "hang-takeover": (Target("issue 2: two intervals, and 30 ms from detection on", 2030),),
    "kill-all": (Target("issue 2", 3500, "most"),),
    "flood-changes": (Target("issue 2", 0, "most"),),
    "idle": (_TWICE,),
    "idle-backup": (_TWICE,),
    "memory": (Target("issue 2", 32, "most"),),
    "memory-supervisor": (Target("issue 2", 2, "most"),),
    "setting": (Target("issue 3", 2), Target("issue 3", 10, "p99")),
    "voice-first": (Target("issue 3", 1, peer=RSYNC),),
    "voice-same": (Target("issue 3", 60),),
    "voice-same-octets": (Target("issue 3", 300),),
    "voice-some": (Target("issue 3", 100),),
    "voice-moved-octets": (Target("issue 3: no content, of which a file has 30,000", 30_000),),
    "sip-service": (Target("issue 4, of 200 phones", 300, "most"),),
    "sip-lost": (Target("issue 4", 0, "most"),),
    "sip-daemon": (Target("issue 5: 40 MB", 38.1, "most"),),
    "image-without-kamailio": (Target("issue 7", 40_000),),
    "image-executable": (Target("issue 7", 1000),),
}


def judged(row: Row) -> list[tuple[Target, bool | None]]:
    """The row's targets, each with whether it is held."""
    return [(target, target.held(row)) for target in TARGETS.get(row.key, ())]


def missed(row: Row) -> bool:
    """Whether one of them is not held."""
    return any(held is False for _, held in judged(row))
