# SPDX-License-Identifier: Apache-2.0
"""session: what voice data remembers of one session with the other unit, in one role. No decisions."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from ...redundancy.peer.part import Channel
from ...redundancy.peer.wire import Ended
from .sink import Sink
from .source import Source


class Session:
    """What lasts as long as the session and the role in it."""

    def __init__(self, channel: Channel, source: Source, sink: Sink) -> None:
        self.channel, self.source, self.sink = channel, source, sink
        self.jobs: deque[tuple[int, tuple[Any, ...]]] = deque()
        self.wake = asyncio.Event()
        self.answers: dict[int, asyncio.Future[tuple[Any, ...]]] = {}
        self.over = False
        self.tasks: list[asyncio.Task[None]] = []
        # As Master:
        self.number = 0  # of the last STATE or CHANGES
        self.acked = 0
        self.behind = False  # something was not told one by one: a comparison is due
        self.their_root = b""
        self.asked_root = b""  # when the last STATE was told
        self.their_files = self.their_octets = 0
        self.their_trouble = ""
        self.began: tuple[float, int] = (0.0, 0)  # when the copy that is under way began, and what was there
        # As Backup:
        self.goal = (0, 0)  # files and octets of the Master
        self.done = 0  # number that is durable here

    def end(self) -> None:
        self.over = True
        self.source.end()
        self.sink.end()
        self.wake.set()
        for answer in self.answers.values():
            if not answer.done():
                answer.set_exception(Ended("the session to the other unit is over"))
                answer.exception()  # nobody may be waiting

    async def ask(self, kind: int, body: tuple[Any, ...], answer: int) -> tuple[Any, ...]:
        if self.over:
            raise Ended("the session to the other unit is over")
        future = self.answers[answer] = asyncio.get_running_loop().create_future()
        self.channel.send(kind, body)
        try:
            return await future
        finally:
            self.answers.pop(answer, None)
