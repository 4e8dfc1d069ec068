# SPDX-License-Identifier: Apache-2.0
"""From when a unit hears VRRP: the membership of 224.0.0.18, which both contestants need, in /proc/net/igmp.

A thread that stands inside the unit's namespace looks every millisecond, so no process is started for it.
"""

import socket
import struct
import threading
import time
from pathlib import Path

from board.lab import namespace
from board.lab.namespace import LabError

from background import Background

_GROUP = f"{struct.unpack('=I', socket.inet_aton('224.0.0.18'))[0]:08X}"


class Listening(Background):
    """`wait` returns the instant (CLOCK_MONOTONIC seconds) at which the membership was first seen."""

    def __init__(self, netns: str) -> None:
        super().__init__(self._look)
        self._netns = netns
        self._seen = threading.Event()
        self._at = 0.0

    def _look(self) -> None:
        namespace.enter(self._netns)
        memberships = Path("/proc/thread-self/net/igmp")
        while not self._over.is_set():
            if _GROUP in memberships.read_text():
                self._at = time.monotonic()
                self._seen.set()
                return
            time.sleep(0.001)

    def wait(self, seconds: float) -> float:
        if not self._seen.wait(seconds):
            raise LabError(f"{self._netns}: nobody listens to VRRP after {seconds:g} s")
        return self._at
