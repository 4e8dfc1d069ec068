# SPDX-License-Identifier: Apache-2.0
"""lately: when both units were last known to have the same settings, across restarts: the time of an empty
file.

So a former Backup that starts alone can say how old its state is (R5, R15). Nothing is flushed for it: after
a power cut an older time stands there, never a later one. It is the wall clock's, to be shown and never to
decide.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path


class Lately:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._at: float | None = None
        with suppress(OSError):  # never known, or not to be read: then it is not known
            self._at = file.stat().st_mtime

    def known(self, before: float = 0.0) -> None:
        """It was so `before` seconds ago. May wait for flash."""
        self._at = time.time() - before
        with suppress(OSError):  # full or failing flash says so elsewhere
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.utime(handle, (self._at, self._at))
            finally:
                os.close(handle)

    @property
    def age(self) -> float | None:
        """Seconds since then; None where it is not known, or the clock is before it."""
        age = None if self._at is None else time.time() - self._at
        return age if age is not None and age >= 0 else None
