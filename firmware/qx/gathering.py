# SPDX-License-Identifier: Apache-2.0
"""gathering: a thread that does once what was asked for many times, off the way of whoever asks.

For what is written to flash: what comes within a while is written together. The thread is there from the
first time on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Gathering:
    """`work()` is called in the thread, `delay` seconds after it was first asked for; `close()` has it called
    at once. Where it answers False it is called again after `again` seconds, or, where that is None, when
    it is asked for the next time."""

    def __init__(self, name: str, work: Callable[[], bool], delay: float, again: float | None = None) -> None:
        self._name, self._work, self._delay, self._again = name, work, delay, again
        self._lock = threading.Condition()
        self._thread: threading.Thread | None = None
        self._due = self._working = self._closing = False

    def ask(self) -> None:
        """There is something to do. Never waits."""
        with self._lock:
            if self._due:
                return  # the thread knows: waking it would cost each caller a turn at the interpreter's lock
            self._due = True
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._lock.notify_all()

    def settled(self, seconds: float) -> bool:
        """Waits until nothing is left to do; for a worker thread."""
        with self._lock:
            return self._lock.wait_for(lambda: not (self._due or self._working), timeout=seconds)

    def close(self) -> None:
        """Does what is left, once, and ends the thread. Waits for the work."""
        with self._lock:
            self._closing = True
            self._lock.notify_all()
        if self._thread:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        delay = self._delay
        while True:
            with self._lock:
                self._lock.wait_for(lambda: self._due or self._closing)
                self._lock.wait_for(lambda: self._closing, timeout=delay)
                self._working, self._due, last = self._due, False, self._closing
            failed = self._working and not self._work()
            with self._lock:
                self._working = False
                self._due |= failed and self._again is not None
                delay = self._again if failed and self._again is not None else self._delay
                self._lock.notify_all()
            if last:
                return
