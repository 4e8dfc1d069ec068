# SPDX-License-Identifier: Apache-2.0
"""session: voice data in one session with the other unit, in one role: what both roles do.

Either unit gives what it is asked for, and does what the other one brings, in its order, in one task.
leader.py and follower.py say what that is.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from ...errors import Refusal
from ...redundancy.peer.message import BadMessage
from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from . import messages
from .looking import Looking
from .sink import Sink
from .source import Source
from .stock import FULL, Stock
from .tree import Stopped

JOBS_MAX = 64  # messages of the other unit that may wait
WINDOW = 8  # CHANGES that may be sent and not acknowledged; more are left to a comparison

Job = tuple[int, tuple[Any, ...]]  # a message: its kind, and its fields
Counts = tuple[int, int]  # files and octets


class Means(NamedTuple):
    """What either role has to work with."""

    stock: Stock
    looking: Looking
    failed: Callable[[OSError | Refusal], None]
    serial: str  # of this unit


class Session(ABC):
    def __init__(self, means: Means, channel: Channel) -> None:
        self._stock, self._looking, self._failed, serial = means
        self._channel = channel
        stock = self._stock
        self._source = Source(channel, stock.tree, stock.off, stock.in_manifest)
        self._sink = Sink(
            channel, stock.tree, stock.off, stock.in_manifest, stock.committer, serial, stock.busy
        )
        self._jobs: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._over = False
        self._began: tuple[float, int] = (0.0, 0)  # when the copy under way began, and the octets there then

    # --- what a role says of itself ---------------------------------------------------------------------
    @property
    @abstractmethod
    def in_step(self) -> bool:
        """The Backup has what the Master has."""

    @abstractmethod
    def stand(self) -> None:
        """Says to the other unit where this one stands."""

    @abstractmethod
    def _heard(self, kind: int, fields: tuple[Any, ...]) -> None:
        """What only the other role says. Raises BadMessage."""

    @abstractmethod
    async def _do(self, job: Job) -> None:
        """Raises Ended, Stopped, and what `_gave_up` follows."""

    @abstractmethod
    def _gave_up(self) -> None:
        """The job cannot be done as things are."""

    @abstractmethod
    def _crossed(self) -> tuple[Counts, Counts]:
        """What the Backup has, and what the Master has."""

    # --- beginning and end ------------------------------------------------------------------------------
    def begin(self) -> None:
        self._stock.begin(self._source.run())
        self._stock.begin(self._work())
        self.stand()

    def end(self) -> None:
        self._over = True
        self._source.end()
        self._sink.end()
        self._wake.set()

    # --- what the other unit says -----------------------------------------------------------------------
    def received(self, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.WANT:
                self._source.asked(kind, fields)
            case messages.BLOBS:
                self._sink.blobs(fields[0])
            case messages.LACKING:
                self._sink.lacking(fields[1])
            case _:
                self._heard(kind, fields)

    def _job(self, kind: int, fields: tuple[Any, ...]) -> None:
        if len(self._jobs) >= JOBS_MAX:
            raise BadMessage(f"voice: more than {JOBS_MAX} messages that wait; expected at most {WINDOW}")
        self._jobs.append((kind, fields))
        self._wake.set()

    async def _work(self) -> None:
        async with self._stock.gathering:
            while not self._over:
                if not self._jobs:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                try:
                    await self._do(self._jobs.popleft())
                except (Ended, Stopped):
                    break
                except (OSError, Refusal) as error:
                    self._failed(error)
                    if isinstance(error, OSError) and error.errno in FULL:
                        with suppress(OSError, Stopped):
                            await self._stock.off(lambda: self._stock.tree.purge("~"))
                    self._channel.send(messages.TROUBLE, (self._stock.trouble[:500],))
                    with suppress(Exception):
                        await self._sink.settled()
                    self._gave_up()
            await self._sink.abandon()

    # --- how far it is ------------------------------------------------------------------------------------
    def progress(self) -> dict[str, Any]:
        """Of a copy; of JSON types."""
        have, goal = self._crossed()
        began, first = self._began
        passed = asyncio.get_running_loop().time() - began if began else 0.0
        moved = have[1] - first
        left = (goal[1] - have[1]) * passed / moved if moved > 0 and goal[1] > have[1] else None
        return {
            "octets": min(have[1], goal[1]), "of": goal[1],
            "files": min(have[0], goal[0]), "of_files": goal[0],
            "seconds_left": None if left is None else round(left, 1),
        }  # fmt: skip
