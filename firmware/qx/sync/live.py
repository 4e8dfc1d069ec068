# SPDX-License-Identifier: Apache-2.0
"""live: tables in memory that the Backup has as well: registrations, dialogs (R18). A part of the session.

The Master puts rows; what changed crosses GATHER later, the last value of each row. Nothing of it ever
touches flash: a planned restart of both units loses it, and phones register anew. The Backup keeps what it
has when the session ends: it may have to serve it. On the wire (kinds of message.LIVE, msgpack lists):

    ROWS    Master  number, whole, table, [[key, value or nil], ...]; `whole`: part of everything there is
    END     Master  number, whole, rows in all, sum
    HAVE    Backup  number, does it have the same? false: everything is to come again
    BEGIN   Master  number, origin: everything that there is follows
    HERE    Backup  what came before this unit was Backup was dropped: everything is to come. nil

A round is rows and their end; the next begins when the Backup has answered, so that what changes faster than
it crosses gathers here, one value a row. Sum is of all rows' digests (blake2b-128 of table, key and value,
added modulo 2^128), which a change updates cheaply: both units compare it at each end.

Origin (8 octets) names the memory that the tables began in: a unit that starts has one of its own, and
a Backup takes its Master's. A Master of another origin was started anew and knows nothing of what this unit
has, which is therefore handed to `given_up` before it gives way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_bytes
from types import MappingProxyType
from typing import Any

from ..errors import Refusal
from ..packing import pack
from ..redundancy.peer.message import LIVE, BadMessage
from ..redundancy.peer.part import Channel
from ..redundancy.peer.wire import Ended

GATHER = 0.1  # seconds
TABLES_MAX = 8
ROWS_MAX = 100_000
NAME_MAX = 32  # characters of a table's name
KEY_MAX = 256  # characters
VALUE_MAX = 4096  # octets
OCTETS_MAX = 64 << 20  # keys and values of all tables
SLACK = 2  # what comes from the Master may be beyond the bounds by this until its end: old rows go last
AGAIN_MAX = 10.0  # seconds at most before a copy that was not the same comes again
CHUNK = 64 << 10  # octets of keys and values in one message
ROW = 8  # octets counted for a row besides its key and value
ORIGIN = 8  # octets

ROWS, END, HAVE, BEGIN, HERE = LIVE[:5]

Row = tuple[str, bytes | None]
_EMPTY: Mapping[str, bytes] = MappingProxyType({})


@dataclass
class Tables:
    """The content. Pure."""

    tables: dict[str, dict[str, bytes]] = field(default_factory=dict[str, dict[str, bytes]])
    rows: int = 0
    octets: int = 0
    sum: int = 0

    def set(self, table: str, key: str, value: bytes | None, slack: int = 1) -> bool:
        """Puts or drops a row, and says whether anything changed. Raises Refusal beyond the bounds (times
        `slack` where they grow with what there is), and nothing is changed then."""
        rows = self.tables.get(table, _EMPTY)
        before = rows.get(key)
        if value == before:
            return False
        if value is not None:
            self._bounded(table, key, value, before, slack)
        if before is not None:
            self._count(-1, table, key, before)
        if value is None:
            del self.tables[table][key]
            if not self.tables[table]:
                del self.tables[table]
        else:
            self._count(1, table, key, value)
            self.tables.setdefault(table, {})[key] = value
        return True

    def _count(self, sign: int, table: str, key: str, value: bytes) -> None:
        self.rows += sign
        self.octets += sign * (len(key) + len(value))
        digest = blake2b(pack((table, key, value)), digest_size=16).digest()
        self.sum = (self.sum + sign * int.from_bytes(digest, "big")) % (1 << 128)

    def _bounded(self, table: str, key: str, value: bytes, before: bytes | None, slack: int) -> None:
        if table not in self.tables:
            if not 0 < len(table) <= NAME_MAX:
                raise Refusal(
                    f"live state: a table's name of {len(table)} characters; expected 1 to {NAME_MAX}"
                )
            if len(self.tables) >= TABLES_MAX * slack:
                raise Refusal(f"live state: {table}: one table too many; expected at most {TABLES_MAX}")
        if not 0 < len(key) <= KEY_MAX:
            raise Refusal(f"live state: {table}: a key of {len(key)} characters; expected 1 to {KEY_MAX}")
        if len(value) > VALUE_MAX:
            raise Refusal(
                f"live state: {table}: a value of {len(value)} octets; expected at most {VALUE_MAX}"
            )
        if before is None and self.rows >= ROWS_MAX * slack:
            raise Refusal(f"live state: {table}: one row too many; expected at most {ROWS_MAX}")
        more = len(value) - len(before) if before is not None else len(key) + len(value)
        if self.octets + more > OCTETS_MAX * slack:
            raise Refusal(f"live state: {table}: no room; expected at most {OCTETS_MAX} octets in all")


class LiveState:
    """A Part. Everything is called on the daemon's loop. Values are octets: whoever puts them packs them."""

    kinds = LIVE

    def __init__(self, gather: float = GATHER) -> None:
        self._tables = Tables()
        self._gather = gather
        self._listeners: dict[str, list[Callable[[frozenset[str]], None]]] = {}
        self._leading: bool | None = None
        self._channel: Channel | None = None
        self._changed: dict[tuple[str, str], None] = {}  # rows that differ from what was sent
        self._whole = True  # everything is to be sent
        self._number = 0
        self._answer: asyncio.Future[bool] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._seen: set[tuple[str, str]] | None = None  # of a whole copy that is coming in
        self._expecting = 0  # number of the last whole copy that was announced
        self._dropped = False  # something came in this session while this unit was no Backup
        self._origin = token_bytes(ORIGIN)
        self.in_step = False  # the Backup has all but what waits; on the Backup: what came was the same
        # Called on a Backup with the rows by table and key that its Master knows nothing of.
        self.given_up: Callable[[Mapping[str, Mapping[str, bytes]]], object] = lambda _: None

    # --- for the rest of the daemon -------------------------------------------------------------------------
    def put(self, table: str, key: str, value: bytes) -> None:
        """Sets a row. Raises Refusal beyond the bounds and on a Backup; then nothing is changed."""
        self._set(table, key, value)

    def drop(self, table: str, key: str) -> None:
        """Takes a row away, if it is there. Raises Refusal on a Backup."""
        self._set(table, key, None)

    def table(self, name: str) -> Mapping[str, bytes]:
        """The rows as they are now, and as they become; not to be changed."""
        return MappingProxyType(self._tables.tables.get(name, {}))

    def subscribe(self, table: str, tell: Callable[[frozenset[str]], None]) -> Callable[[], None]:
        """Calls `tell(keys)` when rows of that table came from the Master, or were put here. Returns the
        function that ends it."""
        listeners = self._listeners.setdefault(table, [])
        listeners.append(tell)
        return lambda: listeners.remove(tell)

    def status(self) -> dict[str, Any]:
        return {
            "rows": self._tables.rows,
            "octets": self._tables.octets,
            "waiting": len(self._changed),
            "in_step": self.in_step,
        }

    def role(self, leading: bool | None) -> None:
        """True: this unit is Master; False: Backup; None: neither. What is in the tables stays."""
        if leading != self._leading:
            self._stop()
            self._leading = leading
            self._start()

    # --- a Part ---------------------------------------------------------------------------------------------
    def started(self, channel: Channel) -> None:
        self._channel, self._dropped = channel, False
        self._start()

    def received(self, kind: int, body: Any) -> None:
        try:
            self._heard(kind, body)
        except (ValueError, TypeError) as error:
            raise BadMessage(f"live state: message of kind {kind}: {error}") from None

    def ended(self) -> None:
        self._stop()
        self._channel = None

    # --- the Master's side ----------------------------------------------------------------------------------
    def _set(self, table: str, key: str, value: bytes | None) -> None:
        if self._leading is False:
            raise Refusal("live state: this unit is Backup; expected rows to be put on the Master")
        if not self._tables.set(table, key, value):
            return
        self._tell(table, (key,))
        if self._leading and self._channel is not None:
            self._changed[table, key] = None
            self._wake.set()

    def _start(self) -> None:
        if self._channel is not None and self._leading:
            self._whole = True
            self._task = asyncio.get_running_loop().create_task(self._send_all())
        elif self._channel is not None and self._leading is False and self._dropped:
            self._dropped = False
            self._channel.send(HERE, None)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = self._answer = self._seen = None
        self._expecting, self.in_step = 0, False
        self._changed.clear()

    async def _send_all(self) -> None:
        again = self._gather
        try:
            while True:
                self.in_step = await self._round()
                if not self.in_step:
                    self._whole = True
                    await asyncio.sleep(again)
                again = self._gather if self.in_step else min(again * 2, AGAIN_MAX)
                if not self._whole and not self._changed:
                    self._wake.clear()
                    await self._wake.wait()
                await asyncio.sleep(self._gather)
        except Ended:
            pass  # `ended` follows

    async def _round(self) -> bool:
        """Sends everything, or what has changed. Returns whether the Backup has the same as this unit."""
        assert self._channel is not None
        whole, self._whole = self._whole, False
        self._number += 1
        rows = self._drops_first()
        if whole:
            self._channel.send(BEGIN, (self._number, self._origin))
            rows = [(table, key) for table, found in self._tables.tables.items() for key in found]
        bulk = whole or len(rows) > CHUNK // VALUE_MAX
        while rows:
            for table, part in self._parts(rows):
                if bulk:
                    await self._channel.room()
                self._channel.send(ROWS, (self._number, whole, table, part), bulk=bulk)
            rows = self._drops_first()  # what has changed while there was no room
        self._answer = asyncio.get_running_loop().create_future()
        body = (self._number, whole, self._tables.rows, self._tables.sum.to_bytes(16, "big"))
        self._channel.send(END, body, bulk=bulk)
        return await self._answer

    def _drops_first(self) -> list[tuple[str, str]]:
        """The rows that have changed, and they count as sent; those that make room before those that take."""
        rows = sorted(self._changed, key=lambda row: row[1] in self._tables.tables.get(row[0], _EMPTY))
        self._changed.clear()
        return rows

    def _parts(self, rows: Iterable[tuple[str, str]]) -> Iterable[tuple[str, tuple[Row, ...]]]:
        """These rows as they are now, in messages of one table and at most CHUNK octets."""
        part: list[Row] = []
        of, octets = "", 0
        for table, key in rows:
            value = self._tables.tables.get(table, _EMPTY).get(key)
            size = ROW + len(key) + len(value or b"")
            if part and (table != of or octets + size > CHUNK):
                yield of, tuple(part)
                part, octets = [], 0
            of = table
            part.append((key, value))
            octets += size
        if part:
            yield of, tuple(part)

    # --- what comes -----------------------------------------------------------------------------------------
    def _heard(self, kind: int, body: Any) -> None:
        if kind == HAVE:
            number, same = body
            if self._answer is not None and number == self._number and not self._answer.done():
                self._answer.set_result(same is True)
        elif kind == HERE:
            if self._leading:
                self._stop()
                self._start()
        elif kind not in (ROWS, END, BEGIN):
            raise ValueError(f"expected one from {ROWS} to {HERE}")
        elif self._leading is not False or self._channel is None:
            self._dropped = True
        elif kind == BEGIN:
            number, origin = body
            self._expecting, self._seen = _count(number), set()
            self._descend(origin)
        elif kind == ROWS:
            number, whole, table, rows = body
            if _count(number) >= self._expecting:  # else of a copy that was given up
                self._take(table, rows, whole is True)
        else:
            number, whole, rows, total = body
            if _count(number) >= self._expecting:
                self._finish(number, whole is True, _count(rows), total)

    def _descend(self, origin: Any) -> None:
        if not isinstance(origin, bytes) or len(origin) != ORIGIN:
            raise ValueError(f"expected an origin of {ORIGIN} octets")
        if origin != self._origin:
            self._origin = origin
            if self._tables.rows:
                self.given_up({table: dict(rows) for table, rows in self._tables.tables.items()})

    def _take(self, table: Any, rows: Any, whole: bool) -> None:
        if not isinstance(table, str) or not isinstance(rows, tuple):
            raise ValueError("expected a table and its rows")
        changed: list[str] = []
        for key, value in rows:
            if not isinstance(key, str) or not (value is None or isinstance(value, bytes)):
                raise ValueError("expected keys and octets")
            try:
                if self._tables.set(table, key, value, SLACK):
                    changed.append(key)
            except Refusal as error:
                raise BadMessage(str(error)) from None
            if whole and self._seen is not None:
                self._seen.add((table, key))
        self._tell(table, changed)

    def _finish(self, number: int, whole: bool, rows: int, total: Any) -> None:
        if whole and self._seen is not None:
            self._forget(self._seen)
        if whole:
            self._seen = None
        self.in_step = (rows, total) == (self._tables.rows, self._tables.sum.to_bytes(16, "big"))
        assert self._channel is not None
        self._channel.send(HAVE, (number, self.in_step))

    def _forget(self, seen: set[tuple[str, str]]) -> None:
        """Rows that the Master does not have."""
        for table in list(self._tables.tables):
            gone = [key for key in self._tables.tables[table] if (table, key) not in seen]
            for key in gone:
                self._tables.set(table, key, None)
            self._tell(table, gone)

    def _tell(self, table: str, keys: Iterable[str]) -> None:
        changed = frozenset(keys)
        if changed:
            for tell in tuple(self._listeners.get(table, ())):
                tell(changed)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("expected a whole number from 0")
    return value
