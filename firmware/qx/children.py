# SPDX-License-Identifier: Apache-2.0
"""children: programs of this firmware that run beside the daemon for as long as it does, like `qx web`.

Each is a process of its own, so nothing it does can keep the daemon from its lease or grow it. It is started
again with back-off when it ends. Its standard input is a pipe that only the daemon holds: when the daemon
goes, however it goes, the pipe ends and the child with it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from . import child

log = logging.getLogger("qx.children")

AFTER = 1.0  # seconds from the daemon's start: finding its role comes first
BACKOFF = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds before the restart of that number
SETTLED = 60.0  # seconds up after which earlier ends are forgotten
STOP_TIME = 3.0


class Child:
    """One of them; `argv` is an applet and its arguments. `start()` on the loop; `stop()` ends it."""

    def __init__(self, name: str, argv: list[str]) -> None:
        self.name = name
        self.ends = 0
        self.up = False
        self._argv = argv
        self._task: asyncio.Task[None] | None = None

    def plain(self) -> dict[str, object]:
        """Of JSON types, for the status."""
        return {"state": "running" if self.up else "stopped", "ends": self.ends}

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep())
        self._task.add_done_callback(_told)

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        await asyncio.sleep(AFTER)
        while True:
            since = loop.time()
            code = await self._run()
            self.ends += 1
            failures = 0 if loop.time() - since > SETTLED else failures
            wait = BACKOFF[min(failures, len(BACKOFF) - 1)]
            failures += 1
            log.warning("%s ended (%s) and is started again in %g s", self.name, code, wait)
            await asyncio.sleep(wait)

    async def _run(self) -> int | str:
        try:
            process = await asyncio.create_subprocess_exec(
                *child.command(*self._argv), env=child.environment(), stdin=asyncio.subprocess.PIPE,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"not started: {error.strerror}"
        self.up = True
        try:
            return await process.wait()
        finally:
            self.up = False
            if process.returncode is None:
                process.terminate()
                try:
                    async with asyncio.timeout(STOP_TIME):
                        await process.wait()
                except TimeoutError:
                    process.kill()
                    await process.wait()


def _told(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("a child is looked after no more", exc_info=error)
