# SPDX-License-Identifier: Apache-2.0
"""upgrade_operations: firmware as every face offers it: install, activate, confirm (R38).

An image is a file below the unit's root or anywhere that this unit can read: faces that take uploads stream
them to `data/qx/upgrade/upload.swu` and name that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Refusal
from . import asked
from .unit import Unit
from .writing import turn

if TYPE_CHECKING:
    from ..upgrade.upgrade import Upgrade


def _upgrade(unit: Unit) -> Upgrade:
    found = unit.upgrade
    if found is None:
        raise Refusal("upgrade: the unit is starting; try again in a moment")
    return found


async def upgrade_status(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: `Upgrade.plain()`."""
    found = _upgrade(unit).plain()
    if found is None:
        raise Refusal("upgrade: this board has no firmware slots")
    return found


async def upgrade_install(unit: Unit, arguments: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
    """args: file, its path. A stream: {step, percent}, and {version, slot} in the end. Nothing is
    switched."""
    file = asked.text(arguments, "file")
    if not file:
        raise Refusal("file: expected the path of a firmware image")
    return _upgrade(unit).install(Path(file))


async def upgrade_activate(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """What was installed is tried at the next restart (`reboot`). Result: as `upgrade_status`."""
    return await asyncio.shield(_upgrade(unit).activate())


async def upgrade_confirm(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Confirms the firmware on trial, or takes an activation back. Result: as `upgrade_status`."""
    return await asyncio.shield(_upgrade(unit).confirm())


async def upgrade_pair(unit: Unit, arguments: dict[str, Any]) -> str:
    """args: file, its path. On the Master: the upgrade of both devices (R42), until the swap; the other one
    goes on then. Result: the line for the user. A Refusal says what stopped it and what was done."""
    file = asked.text(arguments, "file")
    if not file:
        raise Refusal("file: expected the path of a firmware image")

    async def swap() -> str:
        async with turn(unit):
            return await unit.swap()

    await asyncio.shield(_upgrade(unit).rolling.begin(Path(file), swap))
    return "The other device runs the new firmware and is Master; it upgrades this one now."


OPERATIONS = {
    "upgrade_status": upgrade_status,
    "upgrade_install": upgrade_install,
    "upgrade_activate": upgrade_activate,
    "upgrade_confirm": upgrade_confirm,
    "upgrade_pair": upgrade_pair,
}
