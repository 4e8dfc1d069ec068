# SPDX-License-Identifier: Apache-2.0
"""alone: a former Backup that starts and hears no Master waits for it before it serves (R5).

Both units may have lost power together: the Master has the newer state, and may only be slower to start.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .pair import Own


PATIENCE = 30.0  # seconds


class Alone:
    def __init__(self, unit: Own) -> None:
        self._unit = unit
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> bool:
        return self._timer is not None

    def begin(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._nobody_came)

    def over(self) -> None:
        """A Master is there, or somebody means this unit to serve."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._unit.lease()

    def _nobody_came(self) -> None:
        """What this unit has is the newest there is."""
        unit, self._timer = self._unit, None
        unit.events.add("warning", "No Master was found", f"this device was Backup; {unit.partner.how_old()}")
        unit.lease()
