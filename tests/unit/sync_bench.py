# SPDX-License-Identifier: Apache-2.0
"""sync_bench: two units with real stores, joined by real wires over a pair of sockets that can be cut.

In place of the authenticated session, which has its own tests, stands the least that carries messages: a wire
at each end and something that hands them to the parts. Between the two a relay counts octets, so that a test
says after how many the line is cut.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from settings_bench import QX200, new, opened

from qx.model import Model
from qx.redundancy.peer.hello import PeerHello
from qx.redundancy.peer.message import BadMessage
from qx.redundancy.peer.part import Part
from qx.redundancy.peer.wire import Wire
from qx.settings.lineage import Decision
from qx.settings.store import Revision, Store
from qx.settings.values import Plain
from qx.sync.conflicts import Conflicts
from qx.sync.settings import SettingsSync
from waiting import until

T = TypeVar("T")
WAIT = 10.0  # seconds at most for anything


class Unit:
    """A unit's store with its thread, its events, and the parts of the session."""

    def __init__(self, file: Path, serial: str, firmware: str = "1.0.0", model: Model = QX200, **more: Any):
        self.file, self.serial, self.firmware = file, serial, firmware
        self.store = opened(file, keep_after=60.0) if model is QX200 else Store(file, model, keep_after=60.0)
        self.thread = ThreadPoolExecutor(1)
        self.events: list[tuple[str, str, str]] = []
        self.decisions: list[Decision] = []
        self.applied: list[frozenset[str]] = []
        self.conflicts = Conflicts(file.parent / "conflicts")
        self.sync = SettingsSync(
            self.run_in_store, self.store, lambda *event: self.events.append(event),
            conflicts=self.conflicts, unit=serial, firmware=firmware,
            applied=self.applied.append, decided=self.decisions.append, **more,
        )  # fmt: skip
        self.parts: list[Part] = [self.sync]

    async def run_in_store(self, work: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, work, self.store)

    async def commit(self, changes: dict[str, Plain], **more: Any) -> Revision:
        return await self.run_in_store(lambda store: store.commit(changes, "test", "set", **more))

    def names(self) -> list[str]:
        return [name for _, name, _ in self.events]

    def close(self) -> None:
        self.sync.close()
        self.thread.shutdown()
        self.store.close()


@dataclass
class End:
    """One unit's end of a session: hears the wire for the parts, and is their channel."""

    unit: Unit
    peer: PeerHello
    wire: Wire = field(init=False)
    on: bool = False
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.wire = Wire(self)

    def start(self) -> None:
        self.on = True
        for part in self.unit.parts:
            part.started(self)

    def made(self, _transport: asyncio.Transport) -> None:
        """Started by `Line.join`, when both are there."""

    def heard(self, kind: int, body: Any) -> None:
        for part in self.unit.parts:
            if kind in part.kinds:
                part.received(kind, body)

    def bad(self, error: BadMessage) -> None:
        self.error = error
        self.wire.abort(error)

    def over(self, error: Exception | None) -> None:
        self.error = self.error or error
        if self.on:
            self.on = False
            for part in self.unit.parts:
                part.ended()

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        self.wire.send(kind, body, bulk=bulk)

    async def room(self) -> None:
        await self.wire.room()


class Line:
    """The session between two units. `cut_after`: octets, of both directions, after which it breaks;
    `direct`: without the relay between, for measurements; `pace`: seconds for each 16 KiB on its way."""

    def __init__(
        self, a: Unit, b: Unit, cut_after: int | None = None, direct: bool = False, pace: float = 0.0
    ) -> None:
        self._direct = direct
        self.ends = (
            End(a, PeerHello(b.serial, "qx200", b.firmware)),
            End(b, PeerHello(a.serial, "qx200", a.firmware)),
        )
        self.left = cut_after
        self.pace = pace
        self.octets = [0, 0]  # from a, from b
        self._tasks: list[asyncio.Task[None]] = []
        self._sockets: list[socket.socket] = []

    async def join(self) -> Line:
        loop = asyncio.get_running_loop()
        if self._direct:
            for end, sock in zip(self.ends, socket.socketpair(), strict=True):
                sock.setblocking(False)
                await loop.create_connection(lambda wire=end.wire: wire, sock=sock)
            for end in self.ends:
                end.start()
            return self
        outer = []
        for end in self.ends:
            near, far = socket.socketpair()
            for sock in (near, far):
                sock.setblocking(False)
            self._sockets.append(far)
            outer.append((end, near))
        for end, near in outer:
            await loop.create_connection(lambda wire=end.wire: wire, sock=near)
        for end in self.ends:
            end.start()
        for way in (0, 1):
            self._tasks.append(loop.create_task(self._relay(way)))
        return self

    async def _relay(self, way: int) -> None:
        loop = asyncio.get_running_loop()
        source, sink = self._sockets[way], self._sockets[1 - way]
        with suppress(OSError):
            while octets := await loop.sock_recv(source, 1 << 14 if self.pace else 1 << 16):
                if self.pace:
                    await asyncio.sleep(self.pace)
                if self.left is not None:
                    octets = octets[: self.left]
                    self.left -= len(octets)
                self.octets[way] += len(octets)
                await loop.sock_sendall(sink, octets)
                if self.left == 0:
                    break
        self.break_()

    def break_(self) -> None:
        if self._direct:
            self.ends[0].wire.close()
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    async def cut(self) -> None:
        """Breaks it, and returns when both units know."""
        self.break_()
        await until(lambda: not any(end.on for end in self.ends))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sock in self._sockets:
            sock.close()

    @property
    def broken(self) -> bool:
        return not all(end.on for end in self.ends)


async def joined(a: Unit, b: Unit) -> Line:
    """a is Master, b Backup."""
    a.sync.role(True)
    b.sync.role(False)
    return await Line(a, b).join()


def history(store: Store, revisions: int, first: int = 0) -> None:
    """So many revisions, each with an extension of its own."""
    for number in range(first, first + revisions):
        store.commit({"mail.user": f"u{number}", f"extensions.{100 + number}.name": "x"}, "admin", "set")


def events(unit: Unit, name: str) -> list[str]:
    """What a unit has said in the events of that name."""
    return [said for _, told, said in unit.events if told == name]


def split(a: Unit, b: Unit) -> None:
    """Both had the same, and each went on by itself: b was promoted."""
    history(a.store, 3)
    b.store.apply_deltas(a.store.log.frames(0))
    history(a.store, 2, 10)
    b.store.open_history(7)
    for number in range(4):
        b.store.commit({"mail.user": f"loser{number}", "mail.password": "s3cret"}, "admin", "set")


def same(a: Unit, b: Unit) -> bool:
    one, other = a.store, b.store
    return (one.position, one.state_hash) == (other.position, other.state_hash)


async def in_step(a: Unit, b: Unit, seconds: float = WAIT) -> None:
    try:
        await until(
            lambda: same(a, b) and a.sync.status()["state"] == b.sync.status()["state"] == "in step", seconds
        )
    except AssertionError:
        for unit in (a, b):
            print(unit.serial, unit.store.position, unit.sync.status(), unit.events)
        raise
    assert a.store.snapshot() == b.store.snapshot()


def pair(folder: Path, **more: Any) -> tuple[Unit, Unit]:
    """Two units in factory state, or as their folders are."""
    files = [folder / name / "settings.db" for name in "ab"]
    for file in files:
        if not file.exists():
            new(file.parent)
    return Unit(files[0], "QX200-A", **more), Unit(files[1], "QX200-B", **more)


def run(work: Callable[[Unit, Unit], Awaitable[None]], folder: Path, **more: Any) -> None:
    """Runs `work(a, b)` on two units that are not joined yet."""

    async def whole() -> None:
        a, b = pair(folder, **more)
        try:
            await work(a, b)
        finally:
            a.close()
            b.close()

    asyncio.run(asyncio.wait_for(whole(), 120))
