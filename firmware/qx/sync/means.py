# SPDX-License-Identifier: Apache-2.0
"""means: what leader and follower have to work with. Only types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..events.log import Severity
from ..settings.lineage import Decision
from ..settings.store import Store
from .conflicts import Conflicts

T = TypeVar("T")
Tell = Callable[[Severity, str, str], object]  # an event: severity, name, description; never waits


class RunInStore(Protocol):
    def __call__(self, work: Callable[[Store], T], /) -> Awaitable[T]:
        """Runs `work(store)` in the one thread that owns the store; what it raises is raised here."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    run_in_store: RunInStore
    store: Store  # for what may be read from any thread
    tell: Tell
    conflicts: Conflicts
    unit: str  # serial
    firmware: str
    applied: Callable[[frozenset[str]], object]  # settings of these paths came in: take them into use
    decided: Callable[
        [Decision], object
    ]  # what the role has to resolve: HAND_OVER, STOP, REFUSE, BOTH_MASTERS
    voice: Callable[[], tuple[str, ...]]  # voice files that the peer may not have; in the store's thread


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a copy: octets that have crossed, of how many, and how long the rest will take (None: not known)."""

    octets: int
    of: int
    seconds_left: float | None

    def plain(self) -> dict[str, float | int | None]:
        return {"octets": self.octets, "of": self.of, "seconds_left": self.seconds_left}


def progress(octets: int, of: int, first: int, lasted: float) -> Progress:
    """`first` octets were there before it began, `lasted` seconds ago."""
    done = octets - first
    left = None if done <= 0 or lasted <= 0 else round((of - octets) * lasted / done, 1)
    return Progress(octets, of, left)
