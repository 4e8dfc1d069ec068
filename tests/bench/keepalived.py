# SPDX-License-Identifier: Apache-2.0
"""Debian's keepalived as it is run beside the product: its configuration, its two processes, its log."""

import os
import signal
import subprocess
import time
from pathlib import Path

from board.lab import namespace
from board.lab.demo import GROUP_ID
from board.lab.pair import Lab

from . import standby
from .figures import KEEPALIVED
from .processes import kill_at_once, members
from .setting import DEFAULT, OWN, SERVICE, Setting

_CONFIGURATION = """\
# Equal priority, no preemption, virtual MAC and real-time scheduling: what this product does by default.
global_defs {{
    vrrp_rt_priority 50
    vrrp_version {version}
}}
vrrp_instance qx {{
    state BACKUP
    nopreempt
    interface lan
    use_vmac
    virtual_router_id {group}
    priority 100
    advert_int {interval}
    virtual_ipaddress {{
        {service}
    }}
}}
"""


class Keepalived:
    """keepalived on both units of a lab. A unit runs the supervisor and the VRRP process."""

    name = KEEPALIVED

    def __init__(self, lab: Lab, folder: Path) -> None:
        self._lab = lab
        self._folder = folder
        self._setting = DEFAULT

    def prepare(self, setting: Setting) -> None:
        self._setting = setting
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "keepalived.conf").write_text(self.configuration())
        for log in self._folder.glob("?.log"):
            log.unlink()

    def configuration(self) -> str:
        return _CONFIGURATION.format(
            version=self._setting.version, group=GROUP_ID, interval=self._setting.interval, service=SERVICE
        )

    def commands(self, unit: str) -> list[str]:
        """With Kamailio's where the setting has it; its configuration is in standby.py."""
        kamailio = [" ".join(standby.command(unit))] if self._setting.pbx else []
        return [f"ip {OWN[unit]}", *kamailio, " ".join(self._command(unit))]

    def _command(self, unit: str) -> list[str]:
        return [
            "keepalived", "--vrrp", "--dont-fork", "--log-console", "--no-syslog",
            "--use-file", "keepalived.conf", "--pid", f"{unit}.pid", "--vrrp_pid", f"{unit}-vrrp.pid",
        ]  # fmt: skip

    def address(self, unit: str) -> None:
        """The unit's own address, which the product sets by itself."""
        namespace.batch([OWN[unit]], self._lab.network.name(unit))

    def start(self, unit: str) -> None:
        """As the lab starts the product: in the unit's namespace, left to init."""
        if self._setting.pbx:
            standby.start(self._lab, unit, self._setting.phones)
        for file in self._files(unit).values():
            file.unlink(missing_ok=True)
        with (self._folder / f"{unit}.log").open("ab") as log:
            subprocess.run(
                ["setsid", "--fork", *self._lab.exec_argv(unit, self._command(unit))],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=True,
            )

    def processes(self, unit: str) -> dict[str, int]:
        """`supervisor` and `engine` (the VRRP process) of those that run."""
        return members(self._lab.network.name(unit), self._files(unit))

    def ready(self, master: str, backup: str) -> bool:
        """Both units have both processes; who holds the address is seen from outside."""
        return all(len(self.processes(unit)) == 2 for unit in (master, backup))

    # ── what is done to it: each returns the instant ──

    def kill(self, unit: str) -> float:
        """SIGKILL to the VRRP process; the supervisor starts another, as the guardian does."""
        return kill_at_once([self.processes(unit)["engine"]])

    def kill_all(self, unit: str) -> float:
        """SIGKILL to both processes at once, the supervisor first: it would start the other again."""
        return kill_at_once(self.processes(unit).values())

    def release(self, unit: str) -> float:
        """An orderly stop: keepalived has no swap."""
        supervisor = self.processes(unit)["supervisor"]
        moment = time.monotonic()
        os.kill(supervisor, signal.SIGTERM)
        return moment

    def _files(self, unit: str) -> dict[str, Path]:
        return {"supervisor": self._folder / f"{unit}.pid", "engine": self._folder / f"{unit}-vrrp.pid"}
