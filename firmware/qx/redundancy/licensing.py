# SPDX-License-Identifier: Apache-2.0
"""licensing: a feature key is taken into use, by a restart or without one (R37; guide, section 5)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from . import hold
from .rebooting import How, ask_first
from .role import Role

if TYPE_CHECKING:
    from .pair import Own

log = logging.getLogger("qx.redundancy")

ASK = 2.0  # seconds for the Backup to say that it waits


async def install(unit: Own, text: str, how: How) -> dict[str, Any]:
    """As control.unit.Unit.install_licence says. A unit that serves alone takes the key into use as it works:
    nobody would serve in its place. Any other comes back as it was, unless it is swapped first."""
    if not how:
        ask_first(unit, "feature key")
    done = await unit.run_in_keyring(lambda keyring: keyring.install(text))
    if not done.changed:
        return {**done.plain(), "reboot": False}
    unit.events.add("info", "Feature key installed", ", ".join(sorted(done.licence.features)), "Licence")
    reboot = not unit.serving or unit.followed
    if reboot and unit.role == Role.MASTER and how == "swap":
        return {**done.plain(), "reboot": True, "said": await _swapped(unit)}
    if reboot and unit.role == Role.MASTER and how != "now":
        try:
            await unit.partner.ask("hold", {"seconds": hold.LONGEST}, ASK)
        except Refusal as error:  # the key is stored; a Backup that has gone meanwhile waits for nobody
            log.warning("%s", error)
            reboot = unit.followed
    if reboot:
        unit.reboot_soon("feature key")
    else:
        unit.partner.keys_changed()
        await unit.apply(set())
    return {**done.plain(), "reboot": reboot}


async def _swapped(unit: Own) -> str:
    """The Backup becomes Master, and this unit restarts with its key."""
    try:
        return await unit.swap()
    except Refusal as error:
        raise Refusal(f"feature key: stored, and not in use before this device restarts: {error}") from None
