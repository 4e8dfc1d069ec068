# SPDX-License-Identifier: Apache-2.0
"""tasks: what a part does on the loop and nobody waits for. The loop alone would not keep a task alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from .errors import Refusal

log = logging.getLogger("qx.tasks")


class Tasks(set[asyncio.Task[Any]]):
    """Those that run. What one raises is logged: a Refusal in its words."""

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self.discard(task)
        if not task.cancelled() and (error := task.exception()):
            if isinstance(error, Refusal):
                log.error("%s", error)
            else:
                log.error("a task failed", exc_info=error)
