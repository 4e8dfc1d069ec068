# SPDX-License-Identifier: Apache-2.0
"""FRR's vrrpd on a unit of the lab: its macvlan, its configuration, and its two daemons, zebra and vrrpd.

FRR leaves the macvlan and the kernel's settings to the administrator: done here is what its manual asks for,
and what it leaves out (FRR issue 16995). Files are in a folder of the unit's own that user frr can reach, so
that several labs and an installed service do not meet. watchfrr does not run: what ended stays so.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from ipaddress import IPv4Interface
from pathlib import Path

from board.lab import namespace
from board.lab.demo import GROUP_ID
from board.lab.pair import Lab

from labtools import virtual_mac

DEVICE = f"vrrp4-2-{GROUP_ID}"  # the name that FRR's manual gives: family, interface, group
DAEMONS = ("zebra", "vrrpd")
_PROGRAMS = Path("/usr/lib/frr")


def links(service: IPv4Interface) -> list[str]:
    """The words of `ip` that make the device of the virtual router, with the service address."""
    return [
        f"link add {DEVICE} link lan type macvlan mode bridge",
        f"link set {DEVICE} address {virtual_mac(GROUP_ID)}",
        f"address add {service} dev {DEVICE}",
        f"link set {DEVICE} up",
    ]


# A Backup that has the address on a device that is down would answer ARP for it (FRR issue 16995).
SYSCTLS = (
    "net.ipv4.conf.lan.arp_ignore=1",
    "net.ipv4.conf.lan.rp_filter=0",
    "net.ipv4.conf.lan.ignore_routes_with_linkdown=1",
)


def configuration(
    service: IPv4Interface, version: int, interval: str, priority: int, preempt: bool = False
) -> str:
    """vrrpd.conf of one virtual router; `interval` in decimal seconds (FRR: 10 ms is the shortest)."""
    router = f" vrrp {GROUP_ID}"
    lines = [
        "interface lan",
        f"{router} version {version}",
        f"{router} priority {priority}",
        f"{router} advertisement-interval {round(float(interval) * 1000)}",
        f"{'' if preempt else ' no'}{router} preempt",
        f"{router} ip {service.ip}",
    ]
    return "\n".join(lines) + "\n"


class Vrrpd:
    """One unit's. LabError where a command or a daemon refuses."""

    def __init__(self, lab: Lab, unit: str, folder: Path) -> None:
        self._lab = lab
        self._unit = unit
        self._folder = folder
        shutil.chown(folder, "frr", "frr")

    def plug(self, service: IPv4Interface) -> None:
        """What the administrator does after a cold boot, before the first start."""
        namespace.run(self._lab.exec_argv(self._unit, ["sysctl", "-qw", *SYSCTLS]))
        namespace.batch(links(service), self._lab.network.name(self._unit))

    def command(self, daemon: str) -> list[str]:
        own = self._folder / daemon
        return [
            str(_PROGRAMS / daemon), "-d", "-f", f"{own}.conf", "-i", f"{own}.pid",
            "-z", f"{self._folder}/zserv.api", "--vty_socket", str(self._folder),
            "-A", "127.0.0.1", "-P", "0", "--log", f"file:{own}.log",
        ]  # fmt: skip

    def start(self, configured: str) -> None:
        """Both daemons; it listens at first, whatever its priority."""
        (self._folder / "zebra.conf").write_text("")
        (self._folder / "vrrpd.conf").write_text(configured)
        for daemon, file in self.files.items():
            file.unlink(missing_ok=True)
            namespace.run(self._lab.exec_argv(self._unit, self.command(daemon)))

    @property
    def files(self) -> dict[str, Path]:
        """The daemons' process ids."""
        return {daemon: self._folder / f"{daemon}.pid" for daemon in DAEMONS}

    def stop(self) -> None:
        """In order: a Master says goodbye with priority 0."""
        for daemon in reversed(DAEMONS):
            os.kill(int(self.files[daemon].read_text()), signal.SIGTERM)

    @property
    def state(self) -> str:
        """Initialize, Backup or Master; "" while it does not answer."""
        argv = ["vtysh", "--vty_socket", str(self._folder), "-c", "show vrrp json"]
        with contextlib.suppress(ValueError, LookupError):
            return str(json.loads(self._lab.exec(self._unit, argv).stdout)[0]["v4"]["status"])
        return ""
