# SPDX-License-Identifier: Apache-2.0
"""swap: Swap Master Device (R8), both halves: the Master gives the role, the Backup takes it.

In this order, so that a power cut of either or both leaves one Master: what is unsynchronised crosses;
the Backup stores the next term, and mode active if it was passive; the Master lets go and hears the other as
Master; only then it stores that it is a Backup, and in which mode, and starts again. Until then its flash
says Master, and it goes on as Master when the other does not take over within PATIENCE.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from .engine import State
from .role import Role

if TYPE_CHECKING:
    from ..settings.store import Store
    from .pair import Own

FLUSH = 20.0  # seconds for what has not crossed
READY = 5.0  # seconds for the Backup to store its term, beyond an interval in which it hears the Master
PATIENCE = 3.0  # seconds without the new Master's advertisement
LOOK = 0.01


async def give(unit: Own, flush: bool = True) -> str:
    """The Master's half; the line for the user. Raises Refusal; this unit stays in charge then. Without
    `flush` nothing crosses first: the other unit has the data (HAND_OVER of settings.lineage)."""
    if unit.role != Role.MASTER:
        raise Refusal(f"swap: this device is {unit.role}; only the Master can be swapped")
    peer = unit.partner.peer
    if peer is None:
        raise Refusal("swap: there is no session to a Backup device; expected one that is up")
    if peer.role != "backup":
        raise Refusal(f"swap: the other device is {peer.role}; expected a Backup")
    if flush:
        try:
            await unit.partner.flush(FLUSH)
        except Refusal as error:
            raise Refusal(f"swap: {error}") from None
    taken = await unit.partner.ask("swap", {"term": unit.term + 1}, unit.interval + READY)
    asked = unit.engine.now()
    unit.engine.release()
    if await _heard(unit, asked):
        await _keep_backup(unit, str(taken.get("mode")))
        unit.reboot_soon("swap")
        return "The Backup device is Master now; this device restarts as Backup."
    with suppress(Refusal):
        await unit.partner.ask("swap off", {}, 1.0)
    raise Refusal("swap: the Backup device did not take over within 3 s; this device stays in charge")


async def _keep_backup(unit: Own, mode: str) -> None:
    """Before the restart: the role, and the mode that the Backup had, are durable."""
    kept = mode if mode in ("active", "passive") else "active"

    def keep(store: Store) -> None:
        store.commit({"redundancy.backup_mode": kept}, "system", "swap")
        store.unit_state_put({"role": "backup"})

    await unit.run_in_store(keep)


async def _heard(unit: Own, asked: int) -> bool:
    """Has another Master advertised since then? Waits for it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while loop.time() < until:
        await asyncio.sleep(LOOK)
        view = unit.engine.view()
        if view.state == State.BACKUP and view.master_heard > asked and view.master_priority > 0:
            return True
    return False


class Taking:
    """The Backup's half, as the other unit asks for it."""

    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._was: str | None = None  # the mode before, while the role is being taken
        self._timer: asyncio.TimerHandle | None = None
        self.granted = 0  # the term that the Master gave us; 0 outside a swap

    async def take(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """Stores the term and listens, so that this unit takes over at the Master's word: {mode}, the one
        that it had. Raises Refusal, everything as it was."""
        unit, term = self._unit, arguments.get("term")
        if not isinstance(term, int) or term <= 0:
            raise Refusal("swap: term: expected a whole number from 1")
        unit.look()
        if unit.role != Role.BACKUP:
            raise Refusal(f"swap: the other device is {unit.role}; expected a Backup")
        if unit.why:
            raise Refusal(f"swap: the other device says: {unit.why}")
        was = unit.store.settings.text("redundancy.backup_mode")
        since = 0  # of the engine's clock: the Master must have been heard after it
        unit.unhold()
        if unit.passive:
            since = unit.engine.now()
            await unit.keep_mode("active")
        self._was = was
        try:
            await unit.run_in_store(lambda store: store.unit_state_put({"term": term}))
            await self._listening(since)
        except Refusal:
            await self.give_up({})
            raise
        self.granted = term
        self._timer = asyncio.get_running_loop().call_later(unit.interval + PATIENCE + READY, self._late)
        return {"mode": was}

    async def _listening(self, since: int) -> None:
        """One that has not heard the Master yet would take its going for nobody's, and probe first."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._unit.interval + READY / 2
        while loop.time() < until:
            view, now = self._unit.engine.view(), self._unit.engine.now()
            # What came before it was Backup does not tell it that the service address is the Master's.
            entered = now - int((view.state_age or 0.0) * 1e9)
            listens = view.state == State.BACKUP and view.ready and view.armed
            if listens and view.master_heard > max(since, entered):
                return
            await asyncio.sleep(LOOK)
        raise Refusal("swap: the other device does not listen to advertisements; expected an active Backup")

    def done(self) -> None:
        """This unit is Master."""
        self.granted, self._was = 0, None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def give_up(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """The swap did not come about: back to the mode before."""
        was = self._was
        self.done()
        if was == "passive" and self._unit.role != Role.MASTER:
            await self._unit.keep_mode("passive")
        return {}

    def _late(self) -> None:
        self._unit.spawn(self.give_up({}))
