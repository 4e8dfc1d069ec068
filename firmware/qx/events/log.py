# SPDX-License-Identifier: Apache-2.0
"""log: the events of this unit: the last ones in memory, and the same on flash (R33).

Adding never waits: a thread of its own writes what has gathered and flushes once for all of it. Files are
msgpack records one after another, two generations of bounded size; a torn tail (power went while writing)
costs the torn record only. When flash refuses, events stay in memory and are written when it works again.
Touches data/qx/events.msgpack and its older generation; knows nothing of settings, faces or delivery.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from ..packing import pack, unpack_all

if TYPE_CHECKING:
    from pathlib import Path

    from ..paths import Paths

Severity = Literal["success", "warning", "critical", "info"]

CAPACITY = 1000  # events kept
GENERATION = 256 * 1024  # octets of the file before it becomes the older generation
GATHER = 0.5  # seconds for which events gather before they are written and flushed together
RETRY = 5.0  # seconds before a write that failed is tried again
PENDING_MAX = 2 * CAPACITY  # records that wait for flash at most
DESCRIPTION_MAX = 500  # characters


@dataclass(frozen=True, slots=True)
class Event:
    id: int  # counts up on this unit, across reboots
    time: float  # wall clock, seconds since 1970
    monotonic: float  # CLOCK_MONOTONIC seconds, to order events within one run of the machine
    unit: str  # serial number of the unit on which it happened
    source: str  # what it is about: Redundancy, Network, …
    severity: Severity
    name: str  # in the guide's words where the guide has them
    description: str
    state: Literal["new", "read"] = "new"

    def plain(self) -> dict[str, Any]:
        """Of JSON types, for faces and wire."""
        return asdict(self)


class EventLog:
    """The log of the unit with this serial number. Reads what flash holds; missing files are an empty log."""

    def __init__(self, paths: Paths, unit: str, gather: float = GATHER) -> None:
        self._file = paths.events_log
        self._old = paths.events_log_old
        self._unit = unit
        self._gather = gather
        self._lock = threading.Condition()
        old, _ = _read(self._old)
        now, self._good = _read(self._file)  # octets that are whole records; a torn tail is written over
        self._events: deque[Event] = deque(_events([*old, *now]), maxlen=CAPACITY)
        self._next = self._events[-1].id + 1 if self._events else 1
        self._pending: list[dict[str, Any]] = []
        self._subscribers: list[Callable[[Event], None]] = []
        self._writer: threading.Thread | None = None
        self._closing = False
        self.trouble = ""  # why the last write failed; empty when it did not

    # --- for the rest of the daemon -----------------------------------------------------------------
    def add(self, severity: Severity, name: str, description: str = "", source: str = "Redundancy") -> Event:
        """Records an event of now and tells the subscribers, in this thread. Never waits for flash."""
        with self._lock:
            event = Event(self._next, time.time(), time.monotonic(), self._unit, source, severity, name,
                          description[:DESCRIPTION_MAX])  # fmt: skip
            self._next += 1
            self._events.append(event)
            self._queue(event.plain())
            subscribers = tuple(self._subscribers)
        for tell in subscribers:
            tell(event)
        return event

    def recent(self, most: int | None = None) -> list[Event]:
        """The last events, oldest first."""
        with self._lock:
            events = list(self._events)
        return events if most is None else events[len(events) - min(most, len(events)) :]

    def after(self, number: int) -> list[Event]:
        """The events with a greater id than `number`, oldest first."""
        return [event for event in self.recent() if event.id > number]

    def unread(self) -> int:
        """How many warnings and critical events nobody has read ("Please check your pending events!")."""
        return sum(e.state == "new" and e.severity in ("warning", "critical") for e in self.recent())

    def mark_read(self, numbers: Iterable[int] | None = None) -> int:
        """Marks these events read, all without `numbers`. Returns how many were new."""
        wanted = None if numbers is None else set(numbers)
        with self._lock:
            ids = [e.id for e in self._events if e.state == "new" and (wanted is None or e.id in wanted)]
            if ids:
                self._events = deque(_mark(self._events, set(ids)), maxlen=CAPACITY)
                self._queue({"read": ids})
        return len(ids)

    def subscribe(self, tell: Callable[[Event], None]) -> Callable[[], None]:
        """Calls `tell(event)` for each event from now on, in the thread that adds it; it must not wait and
        must not raise. Returns the function that ends it."""
        with self._lock:
            self._subscribers.append(tell)

        def end() -> None:
            with self._lock:
                if tell in self._subscribers:
                    self._subscribers.remove(tell)

        return end

    def close(self) -> None:
        """Writes what has gathered and ends the writer. Waits for flash; call it from a worker thread."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        if self._writer:
            self._writer.join()
            self._writer = None

    # --- the writer ---------------------------------------------------------------------------------
    def _queue(self, record: dict[str, Any]) -> None:  # under the lock
        self._pending.append(record)
        if self._writer is None and not self._closing:
            self._writer = threading.Thread(target=self._run, name="events", daemon=True)
            self._writer.start()
        self._lock.notify_all()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._pending or self._closing)
                self._lock.wait_for(lambda: self._closing, timeout=self._gather)
                batch, self._pending, last = self._pending, [], self._closing
            try:
                self._write(batch)
                self.trouble = ""
            except OSError as error:
                self.trouble = f"{self._file}: {error.strerror}"
                with self._lock:
                    self._pending = (batch + self._pending)[-PENDING_MAX:]
                    if not last:
                        last = self._lock.wait_for(lambda: self._closing, timeout=RETRY)
            if last:
                return

    def _write(self, batch: list[dict[str, Any]]) -> None:
        """Appends behind what is good, so neither a torn tail nor a write that failed half way stays."""
        if not batch:
            return
        if self._good > GENERATION:
            self._file.replace(self._old)
            self._good = 0
        octets = b"".join(pack(record) for record in batch)
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(handle, self._good)
            written = 0
            while written < len(octets):
                written += os.pwrite(handle, octets[written:], self._good + written)
            os.fdatasync(handle)
        finally:
            os.close(handle)
        self._good += len(octets)


def _read(file: Path) -> tuple[list[dict[str, Any]], int]:
    """The whole records at the beginning of the file, and how many octets they are."""
    try:
        octets = file.read_bytes()
    except OSError:  # an unreadable log must not keep a PBX from starting
        return [], 0
    values, good = unpack_all(octets)
    return [value for value in values if isinstance(value, dict)], good


def _events(records: list[dict[str, Any]]) -> Iterable[Event]:
    """Replays records: an event, or the ids that were read."""
    events: dict[int, Event] = {}
    for record in records:
        try:
            if "read" in record:
                for number in record["read"]:
                    if number in events:
                        events[number] = replace(events[number], state="read")
            else:
                event = Event(**record)
                events[int(event.id)] = event
        except (TypeError, ValueError):
            continue  # a record of another firmware
    return events.values()


def _mark(events: Iterable[Event], ids: set[int]) -> Iterable[Event]:
    return (replace(event, state="read") if event.id in ids else event for event in events)
