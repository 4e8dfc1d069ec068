# SPDX-License-Identifier: Apache-2.0
"""damper: of what flaps, one event for each state that lasted, not one for each flap (R34). Pure.

The first word on a subject that was quiet for SETTLE is told at once. What comes sooner waits until it has
lasted SETTLE itself; if the subject returns meanwhile to what was told last, there is nothing to tell. So a
subject that flaps without end is told once, and again when it has come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

Held = TypeVar("Held")

SETTLE = 5.0  # seconds


@dataclass(slots=True)
class _Subject(Generic[Held]):
    told: str  # the state that was told last
    heard: float  # when it was last heard of
    waiting: tuple[str, Held] | None = None  # a state since then, and what there is to tell


class Damper(Generic[Held]):
    """`now` is monotonic seconds."""

    def __init__(self, settle: float = SETTLE) -> None:
        self._settle = settle
        self._subjects: dict[str, _Subject[Held]] = {}

    def heard(self, subject: str, state: str, held: Held, now: float) -> bool:
        """Is this state to be told at once? If not, `due` gives `held` back when the state has lasted."""
        found = self._subjects.get(subject)
        if found is None or (found.waiting is None and now - found.heard >= self._settle):
            self._subjects[subject] = _Subject(state, now)
            return True
        if found.waiting and found.waiting[0] == state:
            return False  # said twice: it has lasted since the first time
        found.waiting = None if state == found.told else (state, held)
        found.heard = now
        return False

    def due(self, now: float) -> list[Held]:
        """What has lasted and is to be told now."""
        ready: list[Held] = []
        for found in self._subjects.values():
            if found.waiting and now - found.heard >= self._settle:
                found.told, held = found.waiting
                found.waiting = None
                ready.append(held)
        return ready
