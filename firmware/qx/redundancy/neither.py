# SPDX-License-Identifier: Apache-2.0
"""neither: of two passive Backups without a Master the one of the later term becomes active (R7)."""

from __future__ import annotations

from dataclasses import dataclass

from .peer.hello import PeerHello

PATIENCE = 2.0  # seconds that it lasts before anybody acts


@dataclass(slots=True)
class Neither:
    """Pure: what the unit sees of itself and of the other goes in with the time."""

    _since: float | None = None  # when both were first seen passive

    def look(self, passive: bool, term: int, serial: str, peer: PeerHello | None, now: float) -> bool:
        """Is this unit to become active? `now` in seconds of any steady clock."""
        if not passive or peer is None or peer.mode != "passive":
            self._since = None
            return False
        if self._since is None:
            self._since = now
        if now - self._since <= PATIENCE or (term, serial) <= (peer.term, peer.serial):
            return False
        self._since = None
        return True
