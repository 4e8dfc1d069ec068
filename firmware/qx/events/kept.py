# SPDX-License-Identifier: Apache-2.0
"""kept: the events in memory, of both units, bounded. Pure.

When there is one too many, the oldest of the lowest severity goes, counted by severity, with what it still
owed. The newest FLOOR of each severity stay as long as others have more, so a log full of critical events
still shows what happened last.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from dataclasses import replace

from .event import Event, merged

CAPACITY = 500  # events
OCTETS = 256 << 10  # of names and descriptions
FLOOR = 60  # of each rank
RANKS = {"info": 0, "success": 0, "warning": 1, "critical": 2}


class Kept:
    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._events: dict[str, Event] = {}  # by uid, in the order of ids
        self._ranks: tuple[list[tuple[float, int, str]], ...] = ([], [], [])  # (time, id, uid), oldest first
        self._octets = 0
        self.dropped = {"info": 0, "success": 0, "warning": 0, "critical": 0}
        self.undelivered = 0  # deliveries that went with what was dropped

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Event]:
        """By id, oldest first."""
        return iter(self._events.values())

    def get(self, uid: str) -> Event | None:
        return self._events.get(uid)

    def put(self, event: Event) -> list[Event]:
        """Adds one that is not there; returns what had to go for it, which may be itself."""
        self._events[event.uid] = event
        insort(self._ranks[RANKS[event.severity]], (event.time, event.id, event.uid))
        self._octets += _octets(event)
        gone: list[Event] = []
        while len(self._events) > self._capacity or (self._octets > OCTETS and len(self._events) > 1):
            gone.append(self._drop())
        return gone

    def _drop(self) -> Event:
        rank = next((r for r in self._ranks if len(r) > FLOOR), None)
        if rank is None:  # bounded by octets: whatever there is
            rank = next(r for r in self._ranks if r)
        found = self._events.pop(rank.pop(0)[2])
        self._octets -= _octets(found)
        self.dropped[found.severity] += 1
        self.undelivered += len(found.owed or ())
        return found

    def change(self, event: Event) -> None:
        """In place of the one with the same uid, whose time, severity and texts it has."""
        self._events[event.uid] = event

    def merge(self, other: Event) -> Event | None:
        """Takes what `other` knows more of an event that is here. Returns the event where it changed."""
        own = self._events[other.uid]
        both = merged(own, other)
        if both == own:
            return None
        self._events[own.uid] = both
        return both

    def clear(self, uids: list[str]) -> None:
        for uid in uids:
            self._events[uid] = replace(self._events[uid], cleared=True)


def _octets(event: Event) -> int:
    return len(event.name) + len(event.description) + 100
