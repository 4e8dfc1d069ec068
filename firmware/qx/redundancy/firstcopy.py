# SPDX-License-Identifier: Apache-2.0
"""firstcopy: has this unit ever had its peer's whole state? Until then it does not take over (R5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .alone import PATIENCE
from .engine import EngineView, State
from .role import Role

if TYPE_CHECKING:
    from .pair import Own


class FirstCopy:
    """Both notes are a peer's serial number; they are kept, so that a restart does not make a unit fit."""

    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._finished: str | None = unit.store.unit_state_get("copied")
        self._begun: str | None = unit.store.unit_state_get("copying")

    @property
    def finished(self) -> bool:
        """This unit has met its peer, and was the one whose state both have, or had the other's whole."""
        met = self._unit.met
        return met is not None and self._finished == met

    def lacking(self, view: EngineView) -> bool:
        """Is there, or was there, a Master of ours whose state this unit never had whole?"""
        unit, peer = self._unit, self._unit.partner.peer
        if unit.met is None:
            # A Master that is no unit of ours says no hello, and has no state to be had (R3). One that went
            # and does not come back leaves this unit as a start would find it: alone.
            hello = view.hello
            there = hello is not None and hello.state == State.MASTER and hello.age < PATIENCE
            return unit.role != Role.MASTER and there
        if self.finished:
            return False
        # Of two that meet while neither is Master, either may become it.
        return self._begun == unit.met or (peer is not None and peer.role == "master")

    def look(self, lacking: bool) -> bool:
        """Keeps what is known now; true when the copy has just finished, or when there is none to wait for:
        a Master that has nothing of its own waits for this unit to take over."""
        unit, met = self._unit, self._unit.met
        partner = unit.partner
        whole = unit.role == Role.MASTER or partner.in_step or partner.ahead
        if met and not self.finished and whole:
            self._finished, self._begun = met, None
            self._keep({"copied": met, "copying": None})
            return True
        if met and lacking and self._begun != met:
            self._begun = met
            self._keep({"copying": met})
        return False

    def _keep(self, note: dict[str, Any]) -> None:
        unit = self._unit
        unit.spawn(unit.run_in_store(lambda store: store.unit_state_put(note)))
