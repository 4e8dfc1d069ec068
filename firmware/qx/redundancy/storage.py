# SPDX-License-Identifier: Apache-2.0
"""storage: tells when flash refuses what is set on this unit, and when it takes it again: each once (R16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Refusal
from ..settings.database import NoSpace, StoreFailed

if TYPE_CHECKING:
    from ..events.log import EventLog

REFUSALS = (NoSpace, StoreFailed)


class Storage:
    def __init__(self, events: EventLog) -> None:
        self._events = events
        self._full = self._failed = False

    def refused(self, error: Refusal) -> None:
        """One of REFUSALS: nothing was changed."""
        if isinstance(error, StoreFailed) and not self._failed:
            self._failed = True
            self._events.add("critical", "Settings cannot be written", str(error))
        elif isinstance(error, NoSpace) and not self._full:
            self._full = True
            self._events.add("critical", "No space for settings", str(error))

    def taken(self) -> None:
        if self._full:
            self._full = False
            self._events.add("success", "Settings have space again", "what is set is taken again")
