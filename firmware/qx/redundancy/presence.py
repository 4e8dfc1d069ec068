# SPDX-License-Identifier: Apache-2.0
"""presence: is the Backup there, and in which mode: the guide's three events, raised by the Master (R32)."""

from __future__ import annotations

from dataclasses import dataclass

from .engine import Hello, State
from .mismatch import SEEN
from .tell import Report


@dataclass(slots=True)
class Presence:
    """Pure: what the engine heard of the other unit goes in, an event comes out where something changed."""

    _up: str = ""  # the mode in which the Backup was told to be up; empty: it was not, or it is down

    def look(self, leading: bool, hello: Hello | None) -> Report | None:
        """`leading`: is this unit Master?"""
        if not leading:
            self._up = ""
            return None
        if hello is None or hello.age >= SEEN:
            was, self._up = self._up, ""
            return (
                Report("critical", "Backup device is DOWN", "nothing was heard of it for 3 s")
                if was
                else None
            )
        mode = _mode(hello)
        if not mode or mode == self._up:
            return None
        self._up = mode
        return Report("success", f"Backup device is UP ({mode} mode)", f"unit {hello.serial}")


def _mode(hello: Hello) -> str:
    """Of a Backup; empty for a unit that is none, or not yet."""
    if hello.state == State.MASTER:
        return ""
    if hello.passive:
        return "Passive"
    return "Active" if hello.state == State.BACKUP else ""
