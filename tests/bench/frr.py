# SPDX-License-Identifier: Apache-2.0
"""Debian's FRR as it is run beside the product: zebra and vrrpd on both units, which nothing watches."""

import os
import signal
import time
from pathlib import Path

from board.lab import namespace
from board.lab.demo import PLANS
from board.lab.pair import Lab

from vrrpd import DAEMONS, SYSCTLS, Vrrpd, configuration, links

from .figures import FRR
from .processes import kill_at_once, members
from .setting import DEFAULT, OWN, PLAN, Setting

_PRIORITY = 100


class Frr:
    """FRR on both units of a lab, with files below `folder`, which user frr must reach."""

    name = FRR

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._setting = DEFAULT
        self._units: dict[str, Vrrpd] = {}

    def prepare(self, setting: Setting) -> None:
        self._setting = setting
        self._folder.chmod(0o755)
        for unit in self._lab.units:
            own = self._folder / unit
            own.mkdir(exist_ok=True)
            self._units[unit] = Vrrpd(self._lab, unit, own)

    def configuration(self) -> str:
        """Equal priority and no preemption, as the others have it."""
        return configuration(PLANS[PLAN], self._setting.version, self._setting.interval, _PRIORITY)

    def commands(self, unit: str) -> list[str]:
        return [
            f"ip {OWN[unit]}",
            *(f"sysctl -qw {word}" for word in SYSCTLS),
            *(f"ip {line}" for line in links(PLANS[PLAN])),
            *(" ".join(self._units[unit].command(daemon)) for daemon in DAEMONS),
        ]

    def address(self, unit: str) -> None:
        """The unit's own address, and the virtual router's device with the service address."""
        namespace.batch([OWN[unit]], self._lab.network.name(unit))
        self._units[unit].plug(PLANS[PLAN])

    def start(self, unit: str) -> None:
        self._units[unit].start(self.configuration())

    def processes(self, unit: str) -> dict[str, int]:
        """`zebra` and `engine` (vrrpd) of those that run."""
        files = self._units[unit].files
        named = {"zebra": files["zebra"], "engine": files["vrrpd"]}
        return members(self._lab.network.name(unit), named)

    def ready(self, master: str, backup: str) -> bool:
        return (self._units[master].state, self._units[backup].state) == ("Master", "Backup")

    # ── what is done to it: each returns the instant ──

    def kill(self, unit: str) -> float:
        """SIGKILL to vrrpd; nothing starts it again."""
        return kill_at_once([self.processes(unit)["engine"]])

    def kill_all(self, unit: str) -> float:
        """SIGKILL to both daemons at once."""
        return kill_at_once(self.processes(unit).values())

    def release(self, unit: str) -> float:
        """An orderly stop of vrrpd: FRR has no swap."""
        vrrpd = self.processes(unit)["engine"]
        moment = time.monotonic()
        os.kill(vrrpd, signal.SIGTERM)
        return moment
