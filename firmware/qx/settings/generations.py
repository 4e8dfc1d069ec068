# SPDX-License-Identifier: Apache-2.0
"""generations: two snapshot files beside the database, the way out when it is damaged.

A new one is written beside, flushed, and takes the place of the older of the two, so that at every instant
one whole snapshot is there. Touches settings.1.snapshot, settings.2.snapshot and settings.new.snapshot in the
folder it is given, through `files` alone.
"""

from __future__ import annotations

from pathlib import Path

from . import snapshot
from .files import FILES, Files, read
from .snapshot import BadSnapshot, Snapshot

NAMES = ("settings.1.snapshot", "settings.2.snapshot")
FRESH = "settings.new.snapshot"
SIZE_MAX = snapshot.BODY_MAX + snapshot.HEADER.size


class Generations:
    def __init__(self, folder: Path, files: Files = FILES) -> None:
        self._folder = folder
        self._files = files
        self._last: tuple[int, str] | None = None  # generation and name of the newest; None: not looked

    def newest(self) -> Snapshot | None:
        """The newest one that is whole, None where none is. An unreadable file counts as none."""
        found = sorted(self._good(), key=lambda good: good[0])
        self._last = (found[-1][0], found[-1][1]) if found else (0, NAMES[1])
        return found[-1][2] if found else None

    def _good(self) -> list[tuple[int, str, Snapshot]]:
        good: list[tuple[int, str, Snapshot]] = []
        for name in NAMES:
            try:
                octets = read(self._folder / name, SIZE_MAX)
                if octets is not None:
                    parsed = snapshot.parse(octets)
                    good.append((snapshot.generation(octets), name, parsed))
            except (BadSnapshot, OSError):
                continue  # the other generation is for this
        return good

    def write(self, picture: Snapshot) -> None:
        """Makes it durable as the newest. Raises OSError; then both files are as they were."""
        if self._last is None:
            self.newest()
        assert self._last is not None
        number, name = self._last[0] + 1, NAMES[1 - NAMES.index(self._last[1])]
        fresh = self._folder / FRESH
        self._files.write(fresh, snapshot.build(picture, number))
        self._files.flush(fresh)
        self._files.rename(fresh, self._folder / name)
        self._last = (number, name)  # the name is taken, whatever the flush below says
        self._files.flush_folder(self._folder)
