# SPDX-License-Identifier: Apache-2.0
"""Other people's VRRP in unit b's place: Debian's keepalived, and FRR's zebra with vrrpd.

A peer runs in the namespace of unit b, which is powered on `bare`, with files of its own, so that several
labs and an installed service do not meet. It advertises from 10.77.0.2, as our unit's configured peer.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from board.lab import namespace
from board.lab.demo import GROUP_ID, PLANS, VIRTUAL_IP
from board.lab.pair import Lab

from labtools import wait_for
from vrrpd import Vrrpd, configuration

ADDRESS = VIRTUAL_IP["b"]


@dataclass(frozen=True)
class Kind:
    """Which other router, and how it is set. `interval` is in seconds."""

    name: str
    version: int = 2
    interval: str = "1"
    plan: str = "same"
    use_vmac: bool = False
    our_virtual_mac: bool = True

    @property
    def service(self) -> IPv4Interface:
        return PLANS[self.plan]


class Peer(ABC):
    """One virtual router of another make in the namespace of unit b."""

    def __init__(self, lab: Lab, kind: Kind) -> None:
        self.lab = lab
        self.kind = kind
        self.folder = Path(tempfile.mkdtemp(prefix="qx-interop-"))  # pytest's folders are closed to user frr
        self.folder.chmod(0o755)

    def run(self, *argv: str) -> None:
        done = self.lab.exec("b", argv, timeout=20)
        assert done.returncode == 0, (argv, done.stdout, done.stderr)

    def plug(self) -> None:
        """Cold boot of the machine that it runs on: files of processes go with it, as /run would."""
        for file in self.folder.iterdir():
            if file.suffix not in (".log", ".conf"):
                file.unlink()
        self.lab.power_on("b", bare=True)
        self.run("ip", "address", "add", str(ADDRESS), "dev", "lan")

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _wait_gone(self) -> None:
        name = self.lab.network.name("b")
        wait_for(lambda: not namespace.processes(name), 10, "the peer's processes end")

    @abstractmethod
    def start(self, priority: int, preempt: bool = False) -> None:
        """It listens at first, whatever its priority."""

    @abstractmethod
    def stop(self) -> None:
        """In order: a Master says goodbye with priority 0. Its processes are gone on return."""

    @abstractmethod
    def is_master(self) -> bool: ...

    @abstractmethod
    def log(self) -> str: ...


class Keepalived(Peer):
    """keepalived's supervisor and its VRRP process."""

    def start(self, priority: int, preempt: bool = False) -> None:
        kind, wanted = self.kind, ["use_vmac"] * self.kind.use_vmac
        wanted += ["nopreempt"] * (not preempt)
        configuration = [
            "global_defs {",
            f"  vrrp_version {kind.version}",
            "}",
            "vrrp_instance service {",
            "  state BACKUP",
            "  interface lan",
            f"  virtual_router_id {GROUP_ID}",
            f"  priority {priority}",
            f"  advert_int {kind.interval}",
            f"  mcast_src_ip {ADDRESS.ip}",
            *(f"  {word}" for word in wanted),
            "  virtual_ipaddress {",
            f"    {kind.service}",
            "  }",
            "}",
        ]
        (self.folder / "keepalived.conf").write_text("\n".join(configuration) + "\n")
        argv = ["keepalived", "-n", "-P", "-l", "-D", "-f", str(self.folder / "keepalived.conf")]
        argv += ["-p", str(self.folder / "parent.pid"), "-r", str(self.folder / "vrrp.pid")]
        with (self.folder / "keepalived.log").open("ab") as log:
            self._process = subprocess.Popen(self.lab.exec_argv("b", argv), stdout=log, stderr=log)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(10)
        self._wait_gone()

    def is_master(self) -> bool:
        shown = self.lab.exec("b", ["ip", "-4", "-o", "address"]).stdout
        return f" {self.kind.service.ip}/" in shown

    def log(self) -> str:
        return (self.folder / "keepalived.log").read_text(errors="replace")


class Frr(Peer):
    """FRR's zebra and vrrpd."""

    def __init__(self, lab: Lab, kind: Kind) -> None:
        super().__init__(lab, kind)
        self._vrrpd = Vrrpd(lab, "b", self.folder)

    def plug(self) -> None:
        super().plug()
        self._vrrpd.plug(self.kind.service)

    def start(self, priority: int, preempt: bool = False) -> None:
        kind = self.kind
        self._vrrpd.start(configuration(kind.service, kind.version, kind.interval, priority, preempt))

    def stop(self) -> None:
        self._vrrpd.stop()
        self._wait_gone()

    def is_master(self) -> bool:
        return self._vrrpd.state == "Master"

    def log(self) -> str:
        files = sorted(self.folder.glob("*.log"))
        return "\n".join(file.read_text(errors="replace") for file in files)


def make_peer(lab: Lab, kind: Kind) -> Peer:
    return (Frr if kind.name == "frr" else Keepalived)(lab, kind)
