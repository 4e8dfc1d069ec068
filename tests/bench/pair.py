# SPDX-License-Identifier: Apache-2.0
"""A pair of any make on the bench's lab: booted, made ready, looked at, by the same steps for all."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from board.lab import namespace
from board.lab.namespace import LabError
from board.lab.network import UNITS
from board.lab.pair import Lab

from .adverts import Adverts
from .listening import Listening
from .setting import SERVICE, Setting

PATIENCE = 25.0  # seconds for a pair to become ready


class Contestant(Protocol):
    """What the bench asks of a contestant; units are `a` and `b`."""

    name: str

    def prepare(self, setting: Setting) -> None: ...
    def configuration(self) -> str: ...
    def commands(self, unit: str) -> list[str]: ...
    def address(self, unit: str) -> None: ...
    def start(self, unit: str) -> None: ...
    def processes(self, unit: str) -> dict[str, int]: ...
    def ready(self, master: str, backup: str) -> bool: ...
    def kill(self, unit: str) -> float: ...
    def kill_all(self, unit: str) -> float: ...
    def release(self, unit: str) -> float: ...


def other(unit: str) -> str:
    return UNITS[1 - UNITS.index(unit)]


def wait_for(look: Callable[[], object], seconds: float, what: str, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not look():
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


@dataclass
class Pair:
    """One contestant under one setting, on the lab. `starts` collects seconds from start to listening."""

    lab: Lab
    contestant: Contestant
    setting: Setting
    adverts: Adverts
    starts: list[float] = field(default_factory=list[float])

    def boot(self, unit: str) -> None:
        """A cold boot, and wait until the unit hears VRRP."""
        self.lab.power_on(unit, bare=True)
        self.contestant.address(unit)
        with Listening(self.lab.network.name(unit)) as listening:
            moment = time.monotonic()
            self.contestant.start(unit)
            self.starts.append(listening.wait(PATIENCE) - moment)

    def ready(self, first: str = "a") -> str:
        """Brings both units up as far as they are not; returns the Master once there is a Backup beside it.

        A unit whose contestant ended gets a cold boot, so that nothing of the one before is left.
        """
        found: list[str] = []

        def look() -> bool:
            for unit in (first, other(first)):
                self._revive(unit)
            master = self.adverts.master(2.2 * self.setting.seconds)
            if master is None or self.holders() != [master]:
                return False
            if not self.contestant.ready(master, other(master)):
                return False
            found.append(master)
            return True

        wait_for(look, PATIENCE, f"one Master and one Backup of {self.contestant.name}", 0.1)
        return found[-1]

    def _revive(self, unit: str) -> None:
        if self.lab.network.powered(unit) and len(self.contestant.processes(unit)) < 2:
            time.sleep(0.5)  # a supervisor may be about to start the other
            if len(self.contestant.processes(unit)) < 2:
                self.lab.power_off(unit)
        if not self.lab.network.powered(unit):
            self.boot(unit)

    def holders(self) -> list[str]:
        """The units that have the service address on an interface that carries; FRR's Backup has it on one
        that is held down (and answers at its own MAC nevertheless)."""
        return [unit for unit in UNITS if self.lab.network.powered(unit) and self.holds(unit)]

    def holds(self, unit: str) -> bool:
        return any(
            entry.get("local") == SERVICE and "LOWER_UP" in interface["flags"]
            for interface in self.lab.network.interfaces(unit)
            for entry in interface["addr_info"]
        )

    def end(self) -> None:
        """Both units off; the PC forgets whom it knew."""
        for unit in UNITS:
            self.lab.power_off(unit)
        namespace.batch(["neighbour flush all"], self.lab.network.name("pc"))
