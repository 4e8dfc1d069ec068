# SPDX-License-Identifier: Apache-2.0
"""files: every operation on files that the settings do besides SQLite's own, in one place.

So that a test records them and replays every prefix, as a power cut leaves it: what was not flushed is lost,
torn or zero, and a name that was moved without a flush of its folder may be back. Raises OSError.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


class Files:
    """The real ones. Each method is one operation of the trace."""

    def write(self, file: Path, octets: bytes) -> None:
        """Makes or replaces a file with this content, mode 0600, and does not flush it."""
        with suppress(FileNotFoundError):
            file.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        handle = os.open(file, flags, 0o600)
        try:
            left = memoryview(octets)
            while left:
                left = left[os.write(handle, left) :]
        finally:
            os.close(handle)

    def flush(self, file: Path) -> None:
        """Makes the content of a file durable. A flush that failed is never tried again."""
        self._flush(file, os.O_RDWR)

    def rename(self, file: Path, to: Path) -> None:
        """Moves a name, in place of another; durable with `flush_folder`."""
        file.rename(to)

    def remove(self, file: Path) -> None:
        """Takes a name away; nothing where there is none."""
        with suppress(FileNotFoundError):
            file.unlink()

    def flush_folder(self, folder: Path) -> None:
        self._flush(folder, os.O_RDONLY | os.O_DIRECTORY)

    def _flush(self, path: Path, flags: int) -> None:
        handle = os.open(path, flags | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


FILES = Files()


def read(file: Path, most: int) -> bytes | None:
    """The content; None where there is no file or it is longer than `most` octets."""
    try:
        with file.open("rb") as source:
            octets = source.read(most + 1)
    except FileNotFoundError:
        return None
    return octets if len(octets) <= most else None
