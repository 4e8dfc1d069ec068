# SPDX-License-Identifier: Apache-2.0
"""files: every operation on files that the settings do besides SQLite's own, in one place.

So that a test records them and replays every prefix, as a power cut leaves it: what was not flushed is lost,
torn or zero, and a name that was moved without a flush of its folder may be back. Raises OSError.
"""

from __future__ import annotations

from pathlib import Path

from .. import durable


class Files:
    """The real ones. Each method is one operation of the trace."""

    def write(self, file: Path, octets: bytes) -> None:
        """Makes or replaces a file with this content, mode 0600, and does not flush it."""
        durable.write(file, octets, flushed=False)

    def flush(self, file: Path) -> None:
        """Makes the content of a file durable. A flush that failed is never tried again."""
        durable.flush(file)

    def rename(self, file: Path, to: Path) -> None:
        """Moves a name, in place of another; durable with `flush_folder`."""
        file.rename(to)

    def remove(self, file: Path) -> None:
        """Takes a name away; nothing where there is none."""
        durable.remove(file)

    def flush_folder(self, folder: Path) -> None:
        """Makes the names in it durable."""
        durable.flush(folder)


FILES = Files()


def read(file: Path, most: int) -> bytes | None:
    """The content; None where there is no file or it is longer than `most` octets."""
    try:
        with file.open("rb") as source:
            octets = source.read(most + 1)
    except FileNotFoundError:
        return None
    return octets if len(octets) <= most else None
