# SPDX-License-Identifier: Apache-2.0
"""news: the unit's events as they happen, for a console that waits for keys.

A thread follows the daemon; when that goes away it is asked again, from where the last event ended.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ..control import client
from ..errors import Refusal

if TYPE_CHECKING:
    from ..paths import Paths

AGAIN = 1.0  # seconds until a daemon that is away is asked again
WAITING = 50  # events that wait for a busy console at most; older ones are in the log


class News:
    """`take()` what came; `descriptor` is readable when there is something, or when the daemon has come or
    gone."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._events: deque[dict[str, Any]] = deque(maxlen=WAITING)
        self.descriptor, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._last: int | None = None
        threading.Thread(target=self._follow, name="news", daemon=True).start()

    def take(self) -> list[dict[str, Any]]:
        with suppress(BlockingIOError):
            os.read(self.descriptor, 4096)
        taken: list[dict[str, Any]] = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def _follow(self) -> None:
        there = False
        while True:
            try:
                kept = client.call(self._paths, "events", {"last": 1})
                if self._last is None:  # what was before this console is in the log
                    self._last = int(kept[-1]["id"]) if kept else 0
                there = True
                self._ring()
                for event in client.follow(self._paths, "events", {"follow": True, "after": self._last}):
                    self._last = int(event["id"])
                    self._events.append(event)
                    self._ring()
            except (Refusal, OSError, KeyError, TypeError, ValueError):
                pass
            if there:
                there = False
                self._ring()
            time.sleep(AGAIN)

    def _ring(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._wake, b".")
