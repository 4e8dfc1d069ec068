# SPDX-License-Identifier: Apache-2.0
"""asking: the daemon's operations for the pages, without waiting on the loop: some threads of client.call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..control import client
from ..errors import Refusal
from ..paths import Paths

AT_ONCE = 8  # of the daemon's clients; the command line and the console want some as well
WAITING_MAX = 64  # questions that wait for a thread


class Busy(Refusal):
    """More is asked than the unit answers: HTTP 429."""


class Unit:
    """The unit, as the pages see it."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self._threads = ThreadPoolExecutor(AT_ONCE, "asking")
        self._waiting = 0

    async def ask(
        self, operation: str, arguments: dict[str, Any] | None = None, wait: float = client.ANSWER
    ) -> Any:
        """The result of one operation. Raises as `client.call`, and Busy."""
        if self._waiting >= WAITING_MAX:
            raise Busy("the device is busy; try again in a moment")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, client.call, self.paths, operation, arguments, wait
            )
        finally:
            self._waiting -= 1

    async def follow(
        self, operation: str, arguments: dict[str, Any], note: Callable[[Any], None]
    ) -> None:  # fmt: skip
        """A stream to its end; `note` is called with each item, in another thread."""

        def all_of_it() -> None:
            for item in client.follow(self.paths, operation, arguments):
                note(item)

        await asyncio.to_thread(all_of_it)

    async def values(self, *paths: str) -> dict[str, str]:
        """Settings at or below these paths as `qx get` prints them. An unknown path: Refusal."""
        return {one["path"]: one["text"] for one in await self.ask("get", {"paths": list(paths)})}
