# SPDX-License-Identifier: Apache-2.0
"""courier: the daemon's side of the delivery process: starts it when there is something to do, hands it
jobs, takes what became of them, and lets it end when nothing is owed. On the daemon's loop, which waits for
nothing.

A job that is not answered in time ends the process; what it had under way is tried again later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .. import child
from ..control import protocol
from .queue import Job, Outcome

LIMIT = 90.0  # seconds for one job
IDLE = 2.0  # seconds without a job after which the process ends
FRAME_MAX = 1 << 20

log = logging.getLogger("qx.events")

Done = Callable[[Job, Outcome, str], None]


class Courier:
    """`done` is called for each job exactly once, in the loop."""

    def __init__(self, root: str, done: Done, limit: float = LIMIT) -> None:
        self._root, self._done, self._limit = root, done, limit
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._jobs: dict[int, tuple[Job, float]] = {}  # under way, and until when
        self._waiting: list[dict[str, Any]] = []  # for a process to be there
        self._ending = False  # the process has been told that nothing follows
        self._number = 0
        self._started = False
        self._idle: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> int:
        return len(self._jobs)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def take(self, job: Job, told: dict[str, Any]) -> None:
        """Delivers; `told` is what deliver.py reads of a job besides its number."""
        loop = asyncio.get_running_loop()
        self._number += 1
        self._jobs[self._number] = job, loop.time() + self._limit
        self._waiting.append({**told, "n": self._number, "way": job.way})
        if self._idle:
            self._idle.cancel()
            self._idle = None
        if self._task is None:
            self._task = loop.create_task(self._live())
        else:
            self._hand_over()

    def look(self, now: float) -> None:
        """To be called about once a second (loop time)."""
        if any(until < now for _, until in self._jobs.values()):
            self.stop()

    def stop(self) -> None:
        """Ends the process at once; what it had under way is for later."""
        if self._process and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def close(self) -> None:
        self._waiting.clear()
        self.stop()
        if self._task:
            await asyncio.wait({self._task}, timeout=2.0)

    # --- within -------------------------------------------------------------------------------------
    async def _live(self) -> None:
        why = "the delivery process ended"
        self._started = False
        try:
            self._process = await asyncio.create_subprocess_exec(
                *child.command("deliver", "--root", self._root), env=child.environment(),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            self._started = True
            self._hand_over()
            assert self._process.stdout
            while True:
                header = await self._process.stdout.readexactly(protocol.HEADER)
                length = protocol.body_length(header, FRAME_MAX)
                self._answered(protocol.message(await self._process.stdout.readexactly(length)))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it ended
        except (OSError, protocol.BadFrame) as error:
            why = f"the delivery process: {error}"
            log.error("%s", why)
        finally:
            self.stop()
            if self._process:
                await self._process.wait()
            self._process = self._task = None
            self._ending = False
            never = {told["n"] for told in self._waiting} if self._started else set[int]()
            left, self._jobs = self._jobs, {n: self._jobs[n] for n in never}
            if never:  # they came while it ended
                self._task = asyncio.get_running_loop().create_task(self._live())
            else:
                self._waiting.clear()
            for number, (job, _) in left.items():
                if number not in never:
                    self._done(job, Outcome.LATER, why)

    def _hand_over(self) -> None:
        if self._process is None or self._process.stdin is None or self._ending:
            return
        waiting, self._waiting = self._waiting, []
        for told in waiting:
            with suppress(ConnectionError, RuntimeError):  # it has ended: `_live` answers for it
                self._process.stdin.write(protocol.frame(told, FRAME_MAX))

    def _answered(self, answer: dict[str, Any]) -> None:
        job, _ = self._jobs.pop(int(answer["n"]), (None, 0.0))
        if job:
            self._done(job, Outcome(answer["outcome"]), str(answer["why"]))
        if not self._jobs:
            self._idle = asyncio.get_running_loop().call_later(IDLE, self._end)

    def _end(self) -> None:
        self._idle = None
        if not self._jobs and self._process and self._process.stdin:
            self._ending = True
            self._process.stdin.close()
