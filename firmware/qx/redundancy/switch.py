# SPDX-License-Identifier: Apache-2.0
"""switch: new pair parameters on a running pair (R13): durable on both units, then used, no role change.

The Master asks the Backup to be ready: from then on the Backup stores what comes and does not use it, and it
does not take over, because for a moment the two speak with different parameters. The Master commits, waits
until the Backup has it on flash too, takes it into use and says so; the Backup follows, and is armed again
when it hears the Master with the new parameters. If the Master falls silent in between the Backup goes on by
itself after WAIT: it uses what it has stored, and takes over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from ..settings.store import Store
from ..settings.values import Plain

if TYPE_CHECKING:
    from .pair import Own

READY = 2.0  # seconds for the Backup to be ready
DURABLE = 5.0  # seconds for the new parameters to be on its flash
WAIT = 8.0  # seconds that a Backup waits for the Master's word
HEAR = 3.0  # seconds that it waits for an advertisement with the new ones
LOOK = 0.02


async def lead(
    unit: Own, changes: Mapping[str, Plain], commit: Callable[[Store], dict[str, Any]]
) -> dict[str, Any]:
    """The Master's half, in place of an ordinary commit. Raises Refusal, everything as it was."""
    before = {path: unit.store.settings.explicit_value(path) for path in changes}
    await unit.partner.ask("switch", {}, READY)
    try:
        answer = await unit.run_in_store(commit)
        if not await unit.partner.durable(unit.store.position, DURABLE):
            await unit.run_in_store(lambda store: store.commit(before, "system", "not stored on both units"))
            raise Refusal(
                f"{min(changes)}: the Backup device did not store it in {DURABLE:g} s; nothing was changed"
            )
        await unit.apply(set(answer["changed"]))
    finally:
        with suppress(Refusal):  # a Backup that went away in between goes on by itself
            await unit.partner.ask("switched", {}, HEAR + READY)
    answer["durable"] = "both"
    return answer


class Following:
    """The Backup's half, as the other unit asks for it."""

    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._changed: set[str] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._since = 0  # of the engine's clock; 0: the Master was heard since, or nobody waits for it

    @property
    def under_way(self) -> bool:
        """Is the Backup to store and not to use, and not to take over?"""
        return self._timer is not None

    @property
    def armed(self) -> bool:
        return self._timer is None and not self._since

    def defer(self, changed: set[str]) -> None:
        """These were stored and are not used yet."""
        self._changed |= changed

    async def ready(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(WAIT, self.over)
        self._unit.lease()
        return {}

    async def switched(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """The Master uses them: so do we."""
        self._stop_timer()
        changed, self._changed = self._changed, set()
        self._since = self._unit.engine.now()
        try:
            if changed:
                await self._unit.apply(changed)
                await self._heard()
        finally:
            self._since = 0
            self._unit.lease()
        return {}

    async def _heard(self) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + HEAR
        while loop.time() < until and self._unit.engine.view().master_heard <= self._since:
            await asyncio.sleep(LOOK)

    def over(self) -> None:
        """The Master is gone, or says nothing more: on with what is stored."""
        if self._timer is not None:
            self._unit.spawn(self.switched({}))

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
