# SPDX-License-Identifier: Apache-2.0
"""log: the events of this unit and of its peer: the last ones in memory, and the same on flash (R33).

An event is raised on one unit, its owner, and known on both. Adding never waits: a journal writes it in a
thread of its own. Knows nothing of settings, faces or deliveries; what is owed of an event it only keeps.
Touches data/qx/events.msgpack.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .damper import Damper
from .event import DESCRIPTION_MAX, NAME_MAX, Event, Severity, event
from .journal import Journal
from .kept import CAPACITY, Kept
from .kinds import kind_of

if TYPE_CHECKING:
    from ..paths import Paths

__all__ = ["CAPACITY", "Event", "EventLog", "Severity"]

GATHER = 0.5  # seconds for which events gather before they are written and flushed together

Tell = Callable[[Event], None]


class EventLog:
    """The log of the unit with this serial number. Reads what flash holds; a missing file is an empty log."""

    def __init__(self, paths: Paths, unit: str, gather: float = GATHER) -> None:
        self._unit = unit
        self._lock = threading.RLock()
        self._kept = Kept()
        self._next = 1
        self._damper: Damper[Event] = Damper()
        self._subscribers: list[Tell] = []
        self._changed: list[Tell] = []
        self._journal = Journal(paths.events_log, gather, self._whole)
        self._replay(self._journal.read())

    # --- for the rest of the daemon -----------------------------------------------------------------
    def add(self, severity: Severity, name: str, description: str = "", source: str = "Redundancy") -> Event:
        """Records an event of now and tells the subscribers, in this thread. Never waits for flash. One of a
        subject that flaps may be held back until it has lasted: then it is in the log when `settle` says so,
        with the time of now, and what is returned has no id."""
        made = Event(0, time.time(), time.monotonic(), self._unit, source[:64], severity, name[:NAME_MAX],
                     description[:DESCRIPTION_MAX], uid=os.urandom(8).hex())  # fmt: skip
        kind = kind_of(name)
        with self._lock:
            if kind.flaps and not self._damper.heard(kind.subject, name, made, made.monotonic):
                return made
            return self._record(made)

    def settle(self, now: float) -> None:
        """Records what was held back and has lasted by now (CLOCK_MONOTONIC seconds); to be called about
        once a second."""
        with self._lock:
            for made in self._damper.due(now):
                self._record(made)

    def take(self, record: Any) -> None:
        """What the other unit knows of an event, its own or this unit's. Raises ValueError."""
        came = event(record, 1)
        if not came.uid:
            raise ValueError("an event's uid is missing")
        with self._lock:
            if self._kept.get(came.uid) is None:
                self._record(came, clears=False)
                return
            changed = self._kept.merge(came)
            if changed:
                self._mark(changed)

    def recent(self, most: int | None = None) -> list[Event]:
        """The last events, oldest first."""
        with self._lock:
            events = list(self._kept)
        return events if most is None else events[len(events) - min(most, len(events)) :]

    def after(self, number: int) -> list[Event]:
        """The events with a greater id than `number`, oldest first."""
        return [found for found in self.recent() if found.id > number]

    def get(self, uid: str) -> Event | None:
        return self._kept.get(uid)

    def unread(self) -> int:
        """How many warnings and critical events nobody has read ("Please check your pending events!")."""
        return sum(e.state == "new" and e.severity in ("warning", "critical") for e in self.recent())

    @property
    def dropped(self) -> dict[str, int]:
        """How many events the log had no room for, by severity, and `deliveries` that they owed."""
        return {**self._kept.dropped, "deliveries": self._kept.undelivered}

    @property
    def trouble(self) -> str:
        """Why flash does not take events; empty where it does."""
        return self._journal.trouble

    def mark_read(self, numbers: Iterable[int] | None = None) -> int:
        """Marks these events read, all without `numbers`. Returns how many were new."""
        wanted = None if numbers is None else set(numbers)
        with self._lock:
            new = [e for e in self._kept if e.state == "new" and (wanted is None or e.id in wanted)]
            for found in new:
                self._mark(replace(found, state="read"))
        return len(new)

    def owe(self, uid: str, owed: tuple[str, ...]) -> None:
        """These deliveries of the event are to be made yet."""
        with self._lock:
            found = self._kept.get(uid)
            if found is not None and found.owed != owed:
                self._mark(replace(found, owed=owed))

    def paid(self, uid: str, way: str) -> None:
        """That delivery is made, or given up."""
        with self._lock:
            found = self._kept.get(uid)
            if found is not None and way in (found.owed or ()):
                self.owe(uid, tuple(other for other in found.owed or () if other != way))

    def subscribe(self, tell: Tell, changed: Tell | None = None) -> Callable[[], None]:
        """Calls `tell(event)` for each event from now on and `changed(event)` when one is marked or had to
        go, in the thread that does it; they must not wait and must not raise. Returns what ends it."""
        with self._lock:
            self._subscribers.append(tell)
            if changed:
                self._changed.append(changed)

        def end() -> None:
            with self._lock:
                if tell in self._subscribers:
                    self._subscribers.remove(tell)
                if changed and changed in self._changed:
                    self._changed.remove(changed)

        return end

    def settled(self, seconds: float) -> bool:
        """Waits until all is on flash; for a worker thread."""
        return self._journal.settled(seconds)

    def close(self) -> None:
        """Writes what has gathered. Waits for flash; call it from a worker thread."""
        self._journal.close()

    # --- under the lock -----------------------------------------------------------------------------
    def _record(self, made: Event, clears: bool = True) -> Event:
        made = replace(made, id=self._next)
        self._next += 1
        over = self._over(made) if clears else []
        gone = self._kept.put(made)
        self._journal.write(made.plain())
        for old in over:
            self._mark(replace(old, cleared=True))
        for tell in tuple(self._subscribers):
            tell(made)
        for old in gone:
            for tell in tuple(self._changed):
                tell(old)
        return made

    def _over(self, made: Event) -> list[Event]:
        """What this event says is over."""
        kind = kind_of(made.name)
        if not kind.good:
            return []
        return [
            old for old in self._kept
            if not old.cleared and (k := kind_of(old.name)).subject == kind.subject and not k.good
        ]  # fmt: skip

    def _mark(self, changed: Event) -> None:
        if self._kept.get(changed.uid) is None:
            return  # it had to go for the one that clears it
        self._kept.change(changed)
        self._journal.write(
            {"mark": changed.uid, "state": changed.state, "cleared": changed.cleared, "owed": changed.owed}
        )
        for tell in tuple(self._changed):
            tell(changed)

    # --- flash --------------------------------------------------------------------------------------
    def _whole(self) -> list[dict[str, Any]]:
        with self._lock:
            return [
                {"dropped": {**self._kept.dropped}, "deliveries": self._kept.undelivered},
                *(found.plain() for found in self._kept),
            ]

    def _replay(self, records: list[dict[str, Any]]) -> None:
        """An event, what has changed about one, or what was dropped; a record of another firmware is passed
        over."""
        kept = self._kept
        for record in records:
            try:
                if "mark" in record:
                    known = kept.get(record["mark"])
                    if known is not None:
                        kept.change(event({**known.plain(), **record}))
                elif "dropped" in record:
                    kept.dropped.update({name: int(record["dropped"][name]) for name in kept.dropped})
                    kept.undelivered = int(record["deliveries"])
                else:
                    known = event(record)
                    if known.uid and kept.get(known.uid) is None:
                        kept.put(known)
                    self._next = max(self._next, known.id + 1)
            except (KeyError, TypeError, ValueError):
                continue
