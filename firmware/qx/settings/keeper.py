# SPDX-License-Identifier: Apache-2.0
"""keeper: writes the snapshot beside the database from a thread of its own, off the way of commits.

Commits gather for a while and are written once; `close()` writes what is left. When it fails the snapshot
that is there stays, `trouble` says why, and the next one is tried anew, from the first octet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

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
        self._delay = delay
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due = False
        self._closing = False
        self.trouble = ""

    def changed(self) -> None:
        """There is something new to be kept. Never waits for flash."""
        with self._lock:
            if self._due:
                return  # the thread knows: waking it would cost each commit a turn at the interpreter's lock
            self._due = True
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="snapshots", daemon=True)
                self._thread.start()
            self._lock.notify_all()

    def close(self) -> None:
        """Writes what is left and ends the thread. Waits for flash."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._due or self._closing)
                self._lock.wait_for(lambda: self._closing, timeout=self._delay)
                due, self._due, last = self._due, False, self._closing
            if due:
                self._write()
            if last:
                return

    def _write(self) -> None:
        try:
            self._generations.write(self._picture())
            self.trouble = ""
        except OSError as error:
            self.trouble = f"snapshot of the settings: {error.strerror}"
