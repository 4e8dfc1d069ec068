# SPDX-License-Identifier: Apache-2.0
"""The product as it is run beside its peers: the lab's own demo pair, at the setting that is measured."""

import time

from board.lab.demo import Demo
from board.lab.namespace import LabError
from board.lab.pair import Lab

from .figures import PRODUCT
from .processes import kill_at_once, members
from .setting import DEFAULT, PLAN, Setting


class Product:
    """`qx daemon` on both units of a lab: guardian and daemon, from provisioned roots."""

    name = PRODUCT

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._demo = Demo()

    def prepare(self, setting: Setting) -> None:
        """Blank roots, provisioned and set up: every setting starts from the same state."""
        chosen = setting is not DEFAULT  # at its defaults nothing is set, and so nothing can be set wrongly
        self._demo = Demo(
            plan=PLAN,
            model=setting.model,
            version=setting.version if chosen else None,
            interval=setting.interval if chosen else None,
            pbx=setting.pbx,
        )
        keys = self._demo.keys()
        for name, unit in self._lab.units.items():
            unit.erase()
            unit.provision(self._demo)
            unit.configure(self._demo)
            unit.license(keys[name])

    def configuration(self) -> str:
        return "".join(
            f"qx provision --root {unit} {' '.join(self._demo.provision_arguments(unit))}\n"
            f"qx set --root {unit} {' '.join(self._demo.settings(unit))}\n"
            for unit in self._lab.units
        )

    def commands(self, unit: str) -> list[str]:
        return [f"qx daemon --root {unit}"]

    def address(self, unit: str) -> None:
        """Nothing to do: the product sets its Virtual IP itself."""

    def start(self, unit: str) -> None:
        self._lab.units[unit].start()

    def processes(self, unit: str) -> dict[str, int]:
        """`supervisor` (the guardian), `engine` (the daemon: engine and control plane) of those that run."""
        folder = self._lab.units[unit].root / "run" / "qx"
        files = {"supervisor": folder / "guardian.pid", "engine": folder / "daemon.pid"}
        return members(self._lab.network.name(unit), files)

    def ready(self, master: str, backup: str) -> bool:
        """Both know each other, and the Backup is armed."""
        try:
            told = {unit: self._lab.units[unit].ask("status") for unit in (master, backup)}
        except LabError:
            return False
        return (
            told[master]["role"] == "master"
            and told[backup]["role"] == "backup"
            and told[backup]["vrrp"]["armed"]
            and told[master]["peer"]["state"] == "backup"
        )

    # ── what is done to it: each returns the instant ──

    def kill(self, unit: str) -> float:
        """SIGKILL to the daemon; the guardian is the product's answer to that."""
        return kill_at_once([self.processes(unit)["engine"]])

    def kill_all(self, unit: str) -> float:
        """SIGKILL to guardian and daemon at once."""
        return kill_at_once(self.processes(unit).values())

    def release(self, unit: str) -> float:
        """`qx swap`; its own start-up is within what is measured as takeover, not within the silence."""
        moment = time.monotonic()
        done = self._lab.qx(unit, "swap", timeout=30.0)
        if done.returncode:
            raise LabError((done.stderr.strip() or f"qx swap: exit {done.returncode}").splitlines()[-1])
        return moment
