# SPDX-License-Identifier: Apache-2.0
"""voice_bench: two units with stores, trees and a real wire between them, on one loop."""

from __future__ import annotations

import asyncio
import os
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from qx.model import MODELS
from qx.paths import Paths
from qx.redundancy.peer.hello import PeerHello
from qx.redundancy.peer.wire import Wire
from qx.settings.store import Store
from qx.sync.voice.leader import Leader
from qx.sync.voice.part import VoiceSync
from qx.sync.voice.tree import Tree
from waiting import until

SETTLED = 100_000_000  # ns: shorter than on a unit, for file systems with finer times than that
Files = dict[str, bytes]


class Line:
    """One end of the session: the channel of a part, and the listener of its wire."""

    def __init__(self, part: VoiceSync, serial: str, firmware: str) -> None:
        self.part = part
        self.peer = PeerHello(serial, "qx200", firmware)
        self.wire = Wire(self)
        self.error: Exception | None = None
        self.heard_kinds: list[int] = []
        self.up = True
        self.cut_after: Callable[[], bool] = lambda: False

    def send(self, kind: int, body: Any, *, bulk: bool = False) -> None:
        self.wire.send(kind, body, bulk=bulk)

    async def room(self) -> None:
        await self.wire.room()

    def made(self, transport: asyncio.BaseTransport) -> None:
        pass

    def bad(self, error: Exception) -> None:
        self.wire.abort(error)

    def heard(self, kind: int, body: Any) -> None:
        self.heard_kinds.append(kind)
        if self.up:
            self.part.received(kind, body)
        if self.cut_after():
            self.wire.abort(ConnectionError("cut"))

    def over(self, error: Exception | None) -> None:
        self.error = error
        if self.up:
            self.up = False
            self.part.ended()


class Unit:
    def __init__(self, root: Path, serial: str, firmware: str = "1.0.0", tree: Tree | None = None) -> None:
        self.root, self.serial, self.firmware = root, serial, firmware
        self.paths = Paths(root)
        self.voice = self.paths.voice
        self.paths.data_qx.mkdir(parents=True, exist_ok=True)
        if not self.paths.settings_db.exists():
            Store.create(self.paths.settings_db)
        self.tree = tree or Tree(self.voice, SETTLED)
        self.told: list[tuple[str, str, str]] = []

    async def start(self) -> Unit:
        self.thread = ThreadPoolExecutor(1)
        loop = asyncio.get_running_loop()
        self.store = await loop.run_in_executor(
            self.thread, lambda: Store(self.paths.settings_db, MODELS["qx200"], keep_after=0.01)
        )
        self.part = VoiceSync(
            self.paths, self.in_store, lambda *t: self.told.append(t), serial=self.serial,
            firmware=self.firmware, tree=self.tree,
        )  # fmt: skip
        await self.part.open()
        return self

    async def in_store(self, work: Callable[[Store], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self.thread, lambda: work(self.store))

    async def stop(self) -> None:
        await self.part.close()
        await asyncio.get_running_loop().run_in_executor(self.thread, self.store.close)
        self.thread.shutdown()

    # --- files ---
    def write(self, name: str, octets: bytes) -> None:
        file = self.voice / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(octets)

    def files(self) -> Files:
        """What the tree holds, ours left out."""
        found: Files = {}
        for folder, folders, names in os.walk(self.voice):
            folders[:] = [name for name in folders if name not in (".sync", ".trash")]
            for name in names:
                file = Path(folder, name)
                with suppress(FileNotFoundError):  # moved meanwhile
                    if file.is_file() and not file.is_symlink():
                        found[str(file.relative_to(self.voice))] = file.read_bytes()
        return found

    def trash(self) -> list[str]:
        folder = self.voice / ".trash"
        return sorted(
            str(f.relative_to(folder).as_posix()).partition("/")[2] for f in folder.rglob("*") if f.is_file()
        )

    def events(self) -> list[str]:
        return [name for _, name, _ in self.told]


async def connect(a: Unit, b: Unit) -> tuple[Line, Line]:
    left, right = socket.socketpair()
    loop = asyncio.get_running_loop()
    lines = Line(a.part, b.serial, b.firmware), Line(b.part, a.serial, a.firmware)
    for line, end in zip(lines, (left, right), strict=True):
        end.setblocking(False)
        await loop.create_connection(lambda line=line: line.wire, sock=end)
    for line in lines:
        line.part.started(line)
    return lines


async def disconnect(*lines: Line) -> None:
    for line in lines:
        line.wire.abort(ConnectionError("cut"))
    while any(line.up for line in lines):
        await asyncio.sleep(0)


@asynccontextmanager
async def pair(folder: Path, **options: Any) -> AsyncIterator[tuple[Unit, Unit, Line, Line]]:
    """A Master and a Backup that are connected."""
    a, b = await Unit(folder / "a", "QX200-000001").start(), await Unit(folder / "b", "QX200-000002").start()
    try:
        a.part.role(True)
        b.part.role(False)
        yield a, b, *await connect(a, b)
    except BaseException:
        print(picture(a, b))
        raise
    finally:
        with suppress(Exception):
            await b.stop()
        with suppress(Exception):
            await a.stop()


async def in_step(a: Unit, b: Unit, seconds: float = 10.0) -> None:
    """The Backup has what the Master has, and both know it."""
    await a.part.flush(seconds)
    assert a.files() == b.files()
    await until(lambda: b.part.status()["state"] == "in step", seconds)
    assert a.part._rows.root == b.part._rows.root


def some(random_: random.Random, count: int, most: int = 3000, folders: int = 3) -> Files:
    return {f"d{n % folders}/f{n}.wav": random_.randbytes(random_.randrange(most)) for n in range(count)}


def run(work: Awaitable[None], seconds: float = 25.0) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(work, seconds)

    asyncio.run(bounded())


def picture(*units: Unit) -> str:
    """For a test that failed."""
    lines: list[str] = []
    for unit in units:
        part, session = unit.part, unit.part._session
        scans = f"looked {part._looking.done} of {part._looking.due}"
        lines.append(f"{unit.serial}: {part.status()} {unit.told} {scans} {part._rows.root.hex()[:8]}")
        if session:
            if isinstance(session, Leader):
                told = f"{session._acked} of {session._number} acknowledged"
            else:
                told = f"{session._done} done, answers {list(session._answers)}"
            lines.append(f"    {told}, {len(session._jobs)} wait")
    return "\n".join(lines)
