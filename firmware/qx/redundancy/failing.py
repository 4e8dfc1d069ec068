# SPDX-License-Identifier: Apache-2.0
"""failing: an application that will not stay up moves the role, once (R9, R20).

Before it lets go, the Master asks the other unit whether an application failed there as well: then the pair
stays where it is, the application goes on being tried, and an event says so. What failed on a unit is
forgotten after an hour or when it restarts, so that a fault of that day does not bind the pair for ever.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from ..errors import Refusal
from ..pbx.applications import Application
from .pair import Own
from .role import Role

log = logging.getLogger("qx.redundancy")

FORGOTTEN = 3600.0  # seconds
ASKING = 2.0  # seconds for the other unit to answer


class Failing:
    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._failed = ""
        self._at = 0.0
        self._gave = float("-inf")  # when it let go for it

    @property
    def failed(self) -> str:
        """The application that would not stay up here; empty for none."""
        return self._failed if time.monotonic() - self._at < FORGOTTEN else ""

    def tell(self, application: Application) -> None:
        """This one will not stay up. Returns at once."""
        unit = self._unit
        text = f"{application.name}: {application.trouble}"
        unit.events.add("critical", "Application failure", text, "PBX")
        self._failed, self._at = application.name, time.monotonic()
        if unit.role == Role.MASTER:
            unit.spawn(self._give())

    async def asked(self, _arguments: dict[str, Any]) -> dict[str, Any]:
        """The Master asks, whose application fails."""
        return {"failed": self.failed}

    async def _give(self) -> None:
        unit = self._unit
        if not unit.engine.view().peer_active:
            return
        try:
            there = (await unit.partner.ask("applications", {}, ASKING)).get("failed")
        except Refusal as error:
            log.warning("%s", error)
            # Once: two units that cannot be asked would hand the role to and fro.
            there = "not asked" if time.monotonic() - self._gave < FORGOTTEN else ""
        if there:
            text = f"{self.failed} here, {there} there: the role stays, and it is tried again"
            unit.events.add("critical", "Application failure on both devices", text, "PBX")
        elif unit.role == Role.MASTER:
            self._gave = time.monotonic()
            unit.engine.release()
