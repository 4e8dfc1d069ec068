# SPDX-License-Identifier: Apache-2.0
"""rebooting: what restarts a Master with an active Backup asks first (R41): hold, swap first, or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import Refusal
from . import hold
from .role import Role

if TYPE_CHECKING:
    from .pair import Own

How = Literal["", "hold", "swap", "now"]
HOWS = ("hold", "swap", "now")
ASK = 2.0  # seconds for the Backup to say that it waits


class AskFirst(Refusal):
    """Nothing was done: the user has to say what becomes of the role."""

    reason = "ask"


def would_move(unit: Own) -> bool:
    """Would an active Backup take over while this unit restarts?"""
    if unit.role != Role.MASTER:
        return False
    peer = unit.partner.peer
    return (peer is not None and peer.role == "backup" and peer.mode == "active") or (
        unit.engine.view().peer_active
    )


def ask_first(unit: Own, word: str) -> None:
    """Raises AskFirst where an active Backup would take over meanwhile."""
    if would_move(unit):
        raise AskFirst(
            f"{word}: the Backup device would take over; expected hold (it waits until this device is back, "
            f"at most {hold.LONGEST / 60:g} minutes), swap (it becomes Master first) or now"
        )


async def reboot(unit: Own, how: How, word: str) -> str:
    """Restarts the unit; the line for the user. `word`: why, for the session's goodbye. Raises AskFirst where
    it has to be asked, Refusal where it cannot be done so; nothing was done then."""
    moves = would_move(unit)
    if not how:
        ask_first(unit, word)
    if how == "swap":
        return await unit.swap()
    if moves and how == "hold":
        try:
            await unit.partner.ask("hold", {"seconds": hold.LONGEST}, ASK)
        except Refusal as error:
            raise Refusal(f"{word}: the Backup device does not wait: {error}") from None
        unit.reboot_soon(word)
        return "This device restarts; the Backup device waits for it."
    unit.reboot_soon(word)
    return "This device restarts; the Backup device takes over." if moves else "This device restarts."
