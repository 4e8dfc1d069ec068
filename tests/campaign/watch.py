# SPDX-License-Identifier: Apache-2.0
"""watch: who answers for the service address, asked by ARP from the LAN and seen at its switch.

Each answer is counted for the port of the switch through which it comes in: nothing on a unit is believed,
and two units with one virtual MAC are told apart. Times are CLOCK_REALTIME, which no rack sets on this
computer.
"""

from __future__ import annotations

import time
from abc import abstractmethod

from background import Background

from .record import Record


class Watch(Background):
    """A running watch; `record` is read by its owner between steps. `every`: seconds between questions."""

    def __init__(self, every: float) -> None:
        super().__init__(self._watched)
        self.record = Record()
        self._every = every
        self._failed: list[BaseException] = []

    @abstractmethod
    def _watch(self) -> None:
        """Asks and sees until it is over."""

    def _watched(self) -> None:
        try:
            self._watch()
        except BaseException as error:
            self._failed.append(error)
            raise

    def until_now(self) -> float:
        """The time up to which the record is whole; what was asked just before has had its time."""
        if self._failed:
            raise RuntimeError("the watch of answers ended") from self._failed[0]
        time.sleep(2 * self._every)
        return time.time() - self._every
