# SPDX-License-Identifier: Apache-2.0
"""news: tells the pages that are open that something has changed, by server-sent events.

One look a second at the status for all of them together, while there is any. What a page then shows, it asks
for anew, so nothing here knows what is on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from ..errors import NoDaemon, Refusal
from .asking import Unit

LOOK = 1.0  # seconds
SPEAK = 15.0  # seconds after which something is said even if there is no news: ages have grown
READERS = 16  # pages that are told at once; more work as they would without a script


class News:
    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._readers: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._last: object = None

    @property
    def full(self) -> bool:
        return len(self._readers) >= READERS

    async def told(self, gone: Coroutine[Any, Any, Any]) -> AsyncGenerator[bytes, None]:
        """The stream of one page, until `gone` returns: a page that was left must not keep a place until the
        next word to it fails."""
        news = asyncio.Event()
        self._readers.add(news)
        leaving = asyncio.get_running_loop().create_task(gone)
        leaving.add_done_callback(lambda _: news.set())
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._look())
        try:
            yield b"retry: 3000\n\n"
            while True:
                try:
                    async with asyncio.timeout(SPEAK):
                        await news.wait()
                except TimeoutError:
                    pass
                if leaving.done():
                    return
                news.clear()
                yield b"event: news\ndata: -\n\n"
        finally:
            self._readers.discard(news)
            leaving.cancel()

    async def _look(self) -> None:
        while self._readers:
            try:
                seen: object = essence(await self._unit.ask("status"))
            except NoDaemon:
                seen = "no daemon"
            except Refusal:
                seen = self._last
            if seen != self._last:
                self._last = seen
                for reader in self._readers:
                    reader.set()
            await asyncio.sleep(LOOK)


def essence(status: dict[str, Any]) -> dict[str, Any]:
    """A status without what changes all the time: ages and counters. Pure."""
    return {key: _still(value) for key, value in status.items() if _lasting(key)}


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        return essence(value)
    if isinstance(value, list | tuple):
        return [_still(one) for one in value]
    return value


def _lasting(key: str) -> bool:
    return key != "counters" and not key.endswith(("age_s", "since_s", "seconds_left"))
