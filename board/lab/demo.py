"""The demo pair: what `lab up` provisions, sets and licenses, so that the units find each other.

Two plans: `same` has the service address in the Virtual IPs' subnet, `other` has the guide's 172.30.0.1/24,
which lies in another one. Addresses are documentation or private ones.
"""

import os
import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

from . import namespace
from .namespace import LabError

PLANS = {"same": IPv4Interface("10.77.0.100/24"), "other": IPv4Interface("172.30.0.1/24")}
VIRTUAL_IP = {"a": IPv4Interface("10.77.0.1/24"), "b": IPv4Interface("10.77.0.2/24")}
WAN = IPv4Interface("203.0.113.10/24")
GATEWAY = "203.0.113.1"
GROUP_ID = 18
_WITHOUT_WAN = ("qx2000",)
PHONES = range(101, 109)  # extensions of the demo
ISSUE_KEYS = Path(__file__).resolve().parents[1] / "vendor" / "issue-keys"


def sip_password(extension: int) -> str:
    """Of the demo, where nobody has a secret."""
    return f"demo-{extension}-phone"


@dataclass(frozen=True)
class Demo:
    """The choices of `lab up`; None leaves a setting at the product's default."""

    model: str = "qx200"
    plan: str = "same"
    version: int | None = None
    interval: str | None = None  # seconds, decimal
    virtual_mac: bool = True
    configure: bool = True
    licence: bool = True
    pbx: bool = False  # Kamailio, as the image has it; `lab up` has it
    phones: bool = False  # accounts for the demo's phones
    pages: bool = False  # the units serve their pages; `lab up` has them

    @property
    def segments(self) -> tuple[str, ...]:
        """The ports that the model has."""
        return ("lan",) if self.model.lower() in _WITHOUT_WAN else ("lan", "wan")

    @property
    def service(self) -> list[IPv4Interface]:
        """The service addresses: LAN, and WAN where there is one."""
        return [PLANS[self.plan], WAN][: len(self.segments)]

    def serial(self, unit: str) -> str:
        return f"{self.model.upper()}-{1 if unit == 'a' else 2:06}"

    def provision_arguments(self, unit: str) -> list[str]:
        """The factory step's arguments, without the root."""
        arguments = ["--model", self.model, "--serial", self.serial(unit), "--board", "lab"]
        for segment in self.segments:
            arguments += [f"--{segment}", segment]
        return arguments

    def settings(self, unit: str) -> list[str]:
        """`path=value` as `qx set` takes them; the two units mirror each other."""
        own, peer = VIRTUAL_IP[unit], VIRTUAL_IP["b" if unit == "a" else "a"]
        chosen = [
            "redundancy.enabled=true",
            f"redundancy.group_id={GROUP_ID}",
            f"redundancy.virtual_ip={own}",
            f"redundancy.peer_virtual_ip={peer.ip}",
            f"network.lan.address={self.service[0]}",
        ]
        if "wan" in self.segments:
            chosen += [f"network.wan.address={WAN}", f"network.wan.gateway={GATEWAY}"]
        if self.version is not None:
            chosen.append(f"redundancy.vrrp_version={self.version}")
        if self.interval is not None:
            chosen.append(f"redundancy.advertisement_interval={self.interval}")
        if self.phones and unit == "a":  # guide, section 4: all else is set on the first and comes across
            chosen += [f"extensions.{number}.password={sip_password(number)}" for number in PHONES]
        if not self.virtual_mac:
            chosen.append("redundancy.virtual_mac=false")
        return chosen

    def keys(self) -> dict[str, str]:
        """Feature keys of both units, signed with the development key."""
        if not os.access(ISSUE_KEYS, os.X_OK):
            raise LabError("board/vendor/issue-keys is not there, which issues feature keys (--no-licence)")
        lines = namespace.run([str(ISSUE_KEYS), self.serial("a"), self.serial("b")]).split()
        if len(lines) != 2:
            raise LabError(f"issue-keys printed {len(lines)} keys, expected 2")
        return {"a": lines[0], "b": lines[1]}


def install_key(qx: Path, root: Path, key: str) -> None:
    """Install a feature key through standard input: it has the pair secret, so it is no argument (R17)."""
    try:
        done = subprocess.run(
            [qx, "licence", "install", "-", "--root", root],
            input=key + "\n",
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise LabError(f"{qx}: {error.strerror}") from None
    if done.returncode:
        raise LabError(f"qx licence install: {(done.stderr.strip() or 'refused').splitlines()[0]}")
