# SPDX-License-Identifier: Apache-2.0
"""lapse: a passive Backup is active again by itself after a while, where that is set (R7).

Somebody who makes it passive for an upgrade and forgets it leaves the pair unprotected. What made it passive
is waited for: an upgrade of this unit or of the pair, and a Master that restarts. A restore is one commit and
is never under way. The time is counted from when the mode began, or from the start of the daemon.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import Refusal

if TYPE_CHECKING:
    from .pair import Own

log = logging.getLogger("qx.redundancy")


def due(passive: float, limit: int, busy: bool) -> bool:
    """`passive`: seconds in that mode; `limit`: minutes, 0 for never. Pure."""
    return limit > 0 and passive >= 60 * limit and not busy


def upgrading(told: Mapping[str, Any] | None) -> bool:
    """Of what `Upgrade.plain` tells: is something under way that made the Backup passive? Pure."""
    return told is not None and bool(told["progress"] or told["rolling"] or told["state"] != "confirmed")


class Lapse:
    def __init__(self, unit: Own, busy: Callable[[], bool]) -> None:
        """`busy`: is what made it passive still under way?"""
        self._unit, self._busy = unit, busy
        self._since: float | None = None  # loop time at which the passive mode began

    def look(self) -> None:
        """Once a second."""
        unit, now = self._unit, asyncio.get_running_loop().time()
        if not unit.passive:
            self._since = None
            return
        if self._since is None:
            self._since = now
        if due(now - self._since, unit.store.settings.number("redundancy.passive_limit"), self._busy()):
            self._since = now  # the next try, should this one fail, is as far away
            unit.spawn(self._end())

    async def _end(self) -> None:
        unit = self._unit
        try:
            await unit.set_mode("active")
        except Refusal as error:
            log.error("%s", error)
            return
        unit.events.add("info", "Passive mode has ended", "after the time that is set for it", "Redundancy")
