# SPDX-License-Identifier: Apache-2.0
"""hold: the Master restarts and comes back; its Backup stays passive meanwhile (R37, R41)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from .role import Role

if TYPE_CHECKING:
    from .pair import Own

LONGEST = 600.0  # seconds


class Hold:
    """The Backup's half, as the Master asks for it. The plan is made anew when it begins and ends."""

    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._timer: asyncio.TimerHandle | None = None

    @property
    def on(self) -> bool:
        return self._timer is not None

    async def begin(self, arguments: dict[str, Any]) -> dict[str, Any]:
        unit, seconds = self._unit, arguments.get("seconds")
        if not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
            raise Refusal(f"hold: seconds: expected up to {LONGEST:g}")
        if unit.role != Role.BACKUP:
            raise Refusal(f"hold: the other device is {unit.role}; expected a Backup")
        self.over()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.over)
        unit.events.add("info", "Waiting for the Master to restart", f"for at most {seconds:g} s")
        await unit.apply(set())
        return {}

    def over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._unit.came(frozenset())
