# SPDX-License-Identifier: Apache-2.0
"""Settings written without a pause on whoever is Master, over the control sockets, and what was answered.

Each writer counts up in a setting of its own, so what is missing shows: a value below one that was answered
`durable: both`. A write whose answer was lost may be there or not.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

from board.lab.network import UNITS
from board.lab.pair import Lab

from background import Background
from qx.control.client import call
from qx.errors import Refusal
from qx.paths import Paths

FIRST = 301  # extension of the first writer


def ask(lab: Lab, unit: str) -> dict[str, Any]:
    """`qx status` without the start of a program; {} while the unit does not answer."""
    try:
        return call(Paths(lab.units[unit].root), "status", wait=5.0)
    except (Refusal, OSError):
        return {}


def values(lab: Lab, unit: str, paths: list[str]) -> dict[str, str]:
    """`qx get` of these settings; {} while the unit does not answer."""
    try:
        found = call(Paths(lab.units[unit].root), "get", {"paths": paths})
    except (Refusal, OSError):
        return {}
    return {one["path"]: one["text"] for one in found}


class Writers(Background):
    """So many threads, each with a write every `pace` seconds at most. A context manager."""

    def __init__(self, lab: Lab, threads: int, pace: float) -> None:
        self.paths = [f"extensions.{FIRST + number}.name" for number in range(threads)]
        super().__init__(*(partial(self._run, path) for path in self.paths))
        self._lab, self._pace = lab, pace
        self._go = threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._busy = 0
        self.tried = dict.fromkeys(self.paths, 0)
        self.both = dict.fromkeys(self.paths, 0)  # the last number that was answered `durable: both`
        self.taken = 0  # writes that were answered, `this` or `both`
        self.taken_by_both = 0

    def pause(self) -> None:
        """Returns when nobody waits for an answer any more."""
        self._go.clear()
        while self._busy:
            time.sleep(0.002)

    def go_on(self) -> None:
        self._go.set()

    def missing(self, unit: str) -> list[str]:
        """What the unit lacks of what was answered `durable: both`."""
        found = values(self._lab, unit, self.paths)
        return [
            f"{path} of unit {unit}: {found.get(path)!r}; expected {number} at least"
            for path, number in self.both.items()
            if number and int(found.get(path) or 0) < number
        ]

    def _run(self, path: str) -> None:
        unit = UNITS[0]
        while not self._over.is_set():
            with self._lock:
                self._busy += 1
            if not self._go.is_set():
                with self._lock:
                    self._busy -= 1
                self._go.wait(0.1)
                continue
            due = time.monotonic() + self._pace
            try:
                if not self._write(path, unit):
                    unit = UNITS[1 - UNITS.index(unit)]
            finally:
                with self._lock:
                    self._busy -= 1
            time.sleep(max(0.0, due - time.monotonic()))

    def _write(self, path: str, unit: str) -> bool:
        self.tried[path] += 1
        number = self.tried[path]
        changes = {"changes": {path: str(number)}, "who": "test"}
        try:
            answer = call(Paths(self._lab.units[unit].root), "set", changes, 30.0)
        except (Refusal, OSError):
            return False  # no Master, or none that answers
        with self._lock:
            self.taken += 1
            if answer["durable"] == "both":
                self.taken_by_both += 1
                self.both[path] = number
        return True
