# SPDX-License-Identifier: Apache-2.0
"""part: the events of both units on both units. A part of the session; neither unit leads.

What changes about an event goes one way only (event.py), so each unit says what it knows and takes what the
other says, in any order and as often as it likes. On the wire (kinds of message.EVENTS, msgpack):

    KNOWN   everything that the unit has: [[uid, read, cleared, owed or nil], ...]
    EVENTS  events that the other lacks, or knows less of: a list of records (Event.plain)

Both send KNOWN when the session begins, and answer it with EVENTS.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..redundancy.peer.message import EVENTS, BadMessage
from ..redundancy.peer.part import Channel
from ..redundancy.peer.wire import Ended
from .event import Event
from .log import CAPACITY, EventLog

KNOWN, SAID = EVENTS[:2]
BATCH = 100  # events in one message


class EventsPart:
    """A Part. On the daemon's loop, but for what the log tells, which may come from any thread."""

    kinds = EVENTS

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._channel: Channel | None = None
        self._wanted: dict[str, None] = {}  # uids of what the other unit is to be told
        self._taking = False  # what the log tells now came from there
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._end = log.subscribe(self._heard, self._heard)

    def close(self) -> None:
        self._end()
        self.ended()

    @property
    def waiting(self) -> int:
        """Events that the other unit has not been sent; 0 without a session."""
        return len(self._wanted)

    # --- a Part ---------------------------------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._channel = channel
        known = tuple((e.uid, e.state == "read", e.cleared, e.owed) for e in self._log.recent())
        channel.send(KNOWN, known)
        self._task = self._loop.create_task(self._send())

    def received(self, kind: int, body: Any) -> None:
        try:
            if kind == KNOWN:
                self._compare(body)
            elif kind == SAID:
                self._take(body)
            else:
                raise ValueError(f"expected {KNOWN} or {SAID}")
        except (ValueError, TypeError) as error:
            raise BadMessage(f"events: message of kind {kind}: {error}") from None

    def ended(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._channel = None
        self._wanted.clear()

    # --- to the other unit ----------------------------------------------------------------------------------
    def _heard(self, event: Event) -> None:
        """From the log, in the thread that added the event."""
        if not self._taking:
            self._loop.call_soon_threadsafe(self._want, event.uid)

    def _want(self, uid: str) -> None:
        if self._channel is None:
            return  # KNOWN says it when there is a session
        self._wanted[uid] = None
        if len(self._wanted) > 2 * CAPACITY:  # a burst: most of it is gone from the log already
            self._wanted = {uid: None for uid in self._wanted if self._log.get(uid)}
        self._wake.set()

    async def _send(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._wanted and self._channel is not None:
                    batch = [self._log.get(uid) for uid in list(self._wanted)[:BATCH]]
                    for uid in list(self._wanted)[:BATCH]:
                        del self._wanted[uid]
                    bulk = len(self._wanted) > 0
                    self._channel.send(SAID, tuple(e.plain() for e in batch if e), bulk=bulk)
                    if bulk:
                        await self._channel.room()
        except Ended:
            pass  # `ended` follows

    # --- from the other unit --------------------------------------------------------------------------------
    def _compare(self, known: Any) -> None:
        """What the other unit lacks, or knows less of."""
        theirs = {uid: (read, cleared, owed) for uid, read, cleared, owed in _listed(known)}
        for event in self._log.recent():
            if theirs.get(event.uid) != (event.state == "read", event.cleared, event.owed):
                self._want(event.uid)

    def _take(self, records: Any) -> None:
        self._taking = True
        try:
            for record in _listed(records):
                self._log.take(record)
        finally:
            self._taking = False


def _listed(body: Any) -> Any:
    if not isinstance(body, tuple) or len(body) > 4 * CAPACITY:
        raise ValueError(f"expected a list of at most {4 * CAPACITY}")
    return body
