# SPDX-License-Identifier: Apache-2.0
"""procedure_operations: restarts, the password reset and the factory reset, as every face offers them.

What throws something away asks for more than a click: the unit's serial number, typed, and somebody who may:
an administrator with his password, or whoever stands at the unit's button.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .. import reset
from ..errors import Refusal
from ..redundancy.rebooting import HOWS, AskFirst
from ..settings.store import Store
from ..trust import account, presence
from . import asked
from .access_operations import login
from .store_operations import Changes, unsetting
from .unit import Unit
from .writing import turn, write

COMMAND_LINE = "command line"  # who may run commands on a unit is its administrator


async def reboot(unit: Unit, arguments: dict[str, Any]) -> str:
    """args: how: hold (an active Backup waits), swap (it becomes Master first), now; empty: ask where an
    active Backup would take over (a Refusal with the reason "ask"). Result: the line for the user."""
    how = how_of(arguments)

    async def restarted() -> str:
        async with turn(unit):
            return await unit.reboot(how, "reboot")

    return await asyncio.shield(restarted())


async def factory_reset(unit: Unit, arguments: dict[str, Any]) -> str:
    """Settings, feature keys, voice data and events go; the unit restarts. args: serial, typed; how, as of
    `reboot` without hold; user, password and from of an administrator, or presence: true, or who: "command
    line". Result: the line for the user."""
    how = how_of(arguments)
    serial = unit.status().get("serial")
    if asked.text(arguments, "serial") != serial:
        raise Refusal(f"serial: expected {serial}, the serial number of the unit that is to be reset")
    if how == "hold":
        raise Refusal("how: hold: this device will not come back as Master; expected swap or now")
    await _may(unit, arguments, "factory reset")

    async def restarted() -> str:
        async with turn(unit):
            await unit.run_in_store(lambda _: reset.wish(unit.paths))
            try:
                return await unit.reboot(how, "factory reset")
            except Refusal as error:
                await unit.run_in_store(lambda _: reset.unwish(unit.paths))
                if isinstance(error, AskFirst):
                    raise AskFirst(
                        "factory reset: the Backup device would take over; expected swap (it becomes Master "
                        "first) or now"
                    ) from None
                raise

    return await asyncio.shield(restarted())


async def password_reset(unit: Unit, arguments: dict[str, Any]) -> dict[str, Any]:
    """admin has the factory's password again, for whoever stands at the unit's button. args: presence: true,
    or who: "command line". Result: see `committed`."""
    await _may(unit, arguments, "password reset", password=False)

    def changes(store: Store) -> Changes:
        rows = store.settings.rows("users")
        return unsetting(store, [f"users.{account.ADMIN}"]) if account.ADMIN in rows else {}

    answer = await write(unit, changes, {"who": asked.who(arguments) or "button"}, "password reset")
    unit.events.add("warning", "Password reset", "admin has the factory's password again", "Security")
    return answer


async def presence_(unit: Unit, _arguments: dict[str, Any]) -> dict[str, Any]:
    """Result: {seconds}: for how long the pressed button still counts; 0 where nobody pressed it."""
    return {"seconds": presence.seconds_left(unit.paths)}


async def _may(unit: Unit, arguments: dict[str, Any], what: str, *, password: bool = True) -> None:
    if arguments.get("presence") is True:
        presence.demand(unit.paths, what)
    elif password and "password" in arguments:
        found = await login(unit, arguments)
        if found["role"] != "administrator":
            raise Refusal(f"{what}: expected an administrator")
    elif asked.who(arguments) != COMMAND_LINE:
        raise Refusal(f"{what}: expected {'a password, or ' if password else ''}the button on the unit")


def how_of(arguments: dict[str, Any]) -> Any:
    """What becomes of the role, empty where it was not said. Raises Refusal."""
    how = asked.text(arguments, "how")
    if how not in ("", *HOWS):
        raise Refusal(f"how: {how!r}; expected one of {', '.join(HOWS)}")
    return how


OPERATIONS = {
    "reboot": reboot,
    "factory-reset": factory_reset,
    "password-reset": password_reset,
    "presence": presence_,
}
