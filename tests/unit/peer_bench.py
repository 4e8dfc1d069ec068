# SPDX-License-Identifier: Apache-2.0
"""peer_bench: units with real keyrings and certificates, whose sessions meet over TLS on loopback addresses.

Each pair of units has addresses of its own, so that tests beside each other do not meet: the ports are fixed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from trust_bench import LAB, TODAY, A, B, issued, new_paths

from qx.board import Board
from qx.identity import Identity
from qx.model import MODELS
from qx.redundancy.peer.message import LIVE, SETTINGS, VOICE, BadMessage
from qx.redundancy.peer.part import Channel
from qx.redundancy.peer.session import Session
from qx.redundancy.peer.told import Told
from qx.trust.certificate import Certificate, own_certificate
from qx.trust.keyring import Keyring
from waiting import until

T = TypeVar("T")
PATIENCE = 10.0  # seconds for what should take milliseconds: the machine may be busy
_numbers = count(os.getpid() * 4)


def addresses() -> tuple[IPv4Address, IPv4Address, IPv4Address]:
    """Three addresses of 127/8 that no other test has, in order."""
    block = next(_numbers) % (1 << 19)
    first = IPv4Address("127.64.0.0") + block * 4
    return first + 1, first + 2, first + 3


@dataclass
class Recorder:
    """A part that keeps what it gets, and can be told to answer."""

    kinds: range = SETTINGS
    channel: Channel | None = None
    got: list[tuple[int, Any]] = field(default_factory=list)
    starts: int = 0
    ends: int = 0
    greeting: Any = None
    bad: Any = None  # a body that it does not understand

    def started(self, channel: Channel) -> None:
        assert self.channel is None
        self.channel = channel
        self.starts += 1
        if self.greeting is not None:
            channel.send(self.kinds.start, self.greeting)

    def received(self, kind: int, body: Any) -> None:
        assert self.channel is not None
        assert kind in self.kinds
        if body == self.bad and body is not None:
            raise BadMessage(f"settings: {body!r}; expected another")
        self.got.append((kind, body))

    def ended(self) -> None:
        assert self.channel is not None
        self.channel = None
        self.ends += 1

    @property
    def line(self) -> Channel:
        assert self.channel is not None
        return self.channel


class Unit:
    """A unit with its root, and the session of its daemon, which can be restarted."""

    def __init__(
        self,
        root: Path,
        serial: str = A,
        key: str | None = None,
        model: str = "qx200",
        firmware: str = "2.10.0",
        language: str = "",
        board: Board = LAB,
    ) -> None:
        self.paths = new_paths(root)
        self.identity = Identity(serial, MODELS[model])
        self.firmware, self.language = firmware, language
        self.board = board
        self.keyring = Keyring(self.paths, self.identity, board, write=0)
        if key:
            self.keyring.install(key, TODAY)
        self.told: list[Told] = []
        self.parts = [Recorder(SETTINGS), Recorder(VOICE), Recorder(LIVE)]
        self.at: tuple[IPv4Address | None, IPv4Address | None] = (None, None)
        self.session = self._new()

    @property
    def settings(self) -> Recorder:
        return self.parts[0]

    @property
    def certificate(self) -> Certificate:
        return own_certificate(self.paths.trust, self.identity.serial)

    def _new(self) -> Session:
        return Session(
            self.identity, self.firmware, self.keyring, self.certificate, self.parts, self.told.append,
            self.language,
        )  # fmt: skip

    def place(self, own: IPv4Address | None, peer: IPv4Address | None) -> None:
        self.at = (own, peer)
        self.session.place(own, peer)

    async def restart(self, word: str = "restart") -> None:
        """The daemon goes and comes."""
        await self.session.close(word)
        self.told.clear()
        self.session = self._new()
        self.session.place(*self.at)

    async def reboot(self, *lost: str) -> None:
        """A cold start, after which these files of the trust folder are gone."""
        await self.close()
        for name in lost:
            (self.paths.trust / name).unlink()
        self.keyring = Keyring(self.paths, self.identity, self.board, write=0)
        self.told.clear()
        self.parts = [Recorder(part.kinds) for part in self.parts]
        self.session = self._new()
        self.session.place(*self.at)

    def of(self, kind: type[T]) -> list[T]:
        return [told for told in self.told if isinstance(told, kind)]

    async def tells(self, kind: type[T], number: int = 1, patience: float = PATIENCE) -> T:
        """The `number`th of that kind that was told."""
        await until(lambda: len(self.of(kind)) >= number, patience, lambda: f"{self.told} {self.session.why}")
        return self.of(kind)[number - 1]

    def named(self) -> dict[str, tuple[str, str]]:
        return {m.parameter: (m.ours, m.theirs) for m in self.session.mismatches()}

    async def close(self) -> None:
        await self.session.close("end")
        self.keyring.close()


@asynccontextmanager
async def two(
    folder: Path, keys: tuple[str, str] | None = None, b: str = B, **of_b: Any
) -> AsyncIterator[tuple[Unit, Unit]]:
    """Unit a at the lower address listens, unit b calls. Not placed yet: see `join`."""
    first, second = keys or issued()
    units = Unit(folder / "a", A, first), Unit(folder / "b", b, second, **of_b)
    try:
        yield units
    finally:
        for unit in units:
            await unit.close()


def join(a: Unit, b: Unit) -> None:
    low, high, _ = addresses()
    a.place(low, high)
    b.place(high, low)


async def both_up(a: Unit, b: Unit) -> None:
    await until(
        lambda: a.session.up and b.session.up, what=lambda: (a.session.why, b.session.why, a.told, b.told)
    )


def run(work: Coroutine[Any, Any, T] | Awaitable[T], limit: float = 60.0) -> T:
    """The test's own loop; what is left over in it is an error."""

    async def main() -> T:
        async with asyncio.timeout(limit):
            result = await work
        await asyncio.sleep(0)
        return result

    return asyncio.run(main(), debug=False)


def main() -> None:
    """A unit in a process of its own, which prints what it is told: ROOT SERIAL KEY OWN PEER."""
    root, serial, key, own, peer = sys.argv[1:]

    async def live() -> None:
        unit = Unit(Path(root), serial, key)
        unit.place(IPv4Address(own), IPv4Address(peer))
        said = 0
        while True:
            for told in unit.told[said:]:
                print(type(told).__name__, told, flush=True)
            said = len(unit.told)
            await asyncio.sleep(0.01)

    asyncio.run(live())


if __name__ == "__main__":
    main()
