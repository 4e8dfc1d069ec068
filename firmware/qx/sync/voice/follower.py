# SPDX-License-Identifier: Apache-2.0
"""follower: the Backup's side of voice data in one session: takes what the Master tells, compares where that
does not lead to the Master's root, and says where it stands, once that is durable.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ...redundancy.peer.message import BadMessage
from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from . import messages
from .compare import Comparison
from .session import Counts, Job, Means, Session

RETRY = 10.0  # seconds until it tries again to store what it had no space for
ROUNDS = 4  # comparisons one after another while each one brings something


class Follower(Session):
    def __init__(self, means: Means, channel: Channel) -> None:
        super().__init__(means, channel)
        self._goal: Counts = (0, 0)  # of the Master
        self._done = 0  # number of the Master's that is durable here
        self._answers: dict[int, asyncio.Future[tuple[Any, ...]]] = {}

    def end(self) -> None:
        super().end()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Ended("the session to the other unit is over"))
                answer.exception()  # nobody may be waiting

    @property
    def in_step(self) -> bool:
        return bool(self._done and not self._jobs and not self._began[0])

    def _crossed(self) -> tuple[Counts, Counts]:
        return (self._stock.rows.files, self._stock.rows.octets), self._goal

    # --- where this unit stands ---------------------------------------------------------------------------
    def stand(self) -> None:
        """The Master begins anew: it may have spoken before this unit knew its role."""
        self._channel.send(messages.HERE, ())

    def _tell_at(self) -> None:
        rows = self._stock.rows
        self._channel.send(messages.AT, (self._done, rows.root, rows.files, rows.octets))

    # --- what the Master says -----------------------------------------------------------------------------
    def _heard(self, kind: int, fields: tuple[Any, ...]) -> None:
        match kind:
            case messages.STATE | messages.CHANGES:
                self._job(kind, fields)
            case messages.FOLDERS | messages.ENTRIES | messages.TAKEN:
                answer = self._answers.get(kind)
                if answer is None or answer.done():
                    raise BadMessage(f"voice: kind {kind}: an answer that was not asked for")
                answer.set_result(fields)
            case _:
                pass  # of the other role

    async def _ask(self, kind: int, body: tuple[Any, ...], answer: int) -> tuple[Any, ...]:
        if self._over:
            raise Ended("the session to the other unit is over")
        future = self._answers[answer] = asyncio.get_running_loop().create_future()
        self._channel.send(kind, body)
        try:
            return await future
        finally:
            self._answers.pop(answer, None)

    # --- taking it ----------------------------------------------------------------------------------------
    async def _do(self, job: Job) -> None:
        kind, (number, root, *rest) = job
        stock = self._stock
        await stock.ready(by_force=True)
        if kind == messages.STATE:
            self._goal = (rest[0], rest[1])
        else:
            await self._sink.take(list(rest[0]), [(path, b"") for path in rest[1]])
            await self._sink.settled()
        more = kind == messages.CHANGES and root == bytes(messages.HASH_SIZE)  # a later one tells the root
        if stock.rows.root != root and not more and not self._jobs:
            await self._compare(root)
        if stock.stored():
            self._channel.send(messages.TROUBLE, ("",))
        self._done = number
        self._tell_at()
        if stock.rows.root == root:
            await stock.equal(root)

    async def _compare(self, root: bytes) -> None:
        rows = self._stock.rows
        while self._looking.done < self._looking.due and not self._over:  # what is here is to be known first
            await asyncio.sleep(0.01)
        self._began = (asyncio.get_running_loop().time(), rows.octets)
        try:
            for _ in range(ROUNDS):
                before = rows.root
                if before == root:
                    break
                comparison = Comparison(self._ask, self._sink, self._stock.in_manifest, self._tell_at)
                await comparison.run()
                if rows.root == before or comparison.offered:
                    break
            await self._stock.off(self._sweep)
        finally:
            self._began = (0.0, 0)

    def _sweep(self) -> None:
        """After a whole comparison nothing in staging is of use any more."""
        for name in self._stock.tree.staging():
            if name not in self._sink.in_use:
                self._stock.tree.remove(name)

    def _gave_up(self) -> None:
        asyncio.get_running_loop().call_later(RETRY, self._again)

    def _again(self) -> None:
        if not self._over and not self._stock.fatal:
            self.stand()
