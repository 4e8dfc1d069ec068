# SPDX-License-Identifier: Apache-2.0
"""desk: the daemon's events: the log, what of it crosses to the other unit, and what has to be done about it.

On the daemon's loop. It asks the unit for nothing but its role and its settings.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from .part import EventsPart

if TYPE_CHECKING:
    from .log import EventLog

TICK = 1.0  # seconds


class Desk:
    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.part = EventsPart(log)
        self._tick: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._turn()

    def close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
        self.part.close()

    def _turn(self) -> None:
        loop = asyncio.get_running_loop()
        self._tick = loop.call_later(TICK, self._turn)
        self.log.settle(loop.time())
