# SPDX-License-Identifier: Apache-2.0
"""keeper: writes the snapshot beside the database from a thread of its own, off the way of commits.

Commits gather for a while and are written once; `close()` writes what is left. When it fails the snapshot
that is there stays, `trouble` says why, and the next one is tried anew, from the first octet.
"""

from __future__ import annotations

from collections.abc import Callable

from ..gathering import Gathering
from .generations import Generations
from .snapshot import Snapshot

DELAY = 10.0  # seconds for which commits gather


class Keeper:
    """`picture()` gives the snapshot of that moment; it is called in the thread."""

    def __init__(
        self, generations: Generations, picture: Callable[[], Snapshot], delay: float = DELAY
    ) -> None:
        self._generations = generations
        self._picture = picture
        self._gathering = Gathering("snapshots", self._write, delay)
        self.trouble = ""

    def changed(self) -> None:
        """There is something new to be kept. Never waits for flash."""
        self._gathering.ask()

    def close(self) -> None:
        """Writes what is left and ends the thread. Waits for flash."""
        self._gathering.close()

    def _write(self) -> bool:
        try:
            self._generations.write(self._picture())
            self.trouble = ""
        except OSError as error:
            self.trouble = f"snapshot of the settings: {error.strerror}"
        return not self.trouble
