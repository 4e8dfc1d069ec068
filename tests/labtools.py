# SPDX-License-Identifier: Apache-2.0
"""What tests of the lab share: waiting, who is Master, captures (tcpdump writes, we read), neighbours.

It knows the lab and the wire, and nothing of the product but `qx status`. Times are CLOCK_MONOTONIC seconds,
except in captures, where they are the wall's as tcpdump writes them: only their differences mean anything.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import pytest
from board.lab import namespace
from board.lab.network import UNITS
from board.lab.pair import Lab

GROUP_ADDRESS = "224.0.0.18"
PC = "10.77.0.50"
Found = TypeVar("Found")


# ── waiting ──


def wait_for(look: Callable[[], Found], seconds: float, what: str, pause: float = 0.05) -> Found:
    """The first true answer of `look`, which is asked until `seconds` have passed; fails with `what`."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline  # before looking: a slow look is not held against it
        found = look()
        if found:
            return found
        if late:
            pytest.fail(f"not within {seconds:g} s: {what}; last seen: {found!r}")
        time.sleep(pause)


def stays(look: Callable[[], object], seconds: float, what: str, pause: float = 0.1) -> None:
    """`look` is true all the time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        assert found, f"not for {seconds:g} s: {what}; seen: {found!r}"
        time.sleep(pause)


# ── the pair ──


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")


def make_lab(name: str, folder: Path) -> Lab:
    """A lab of the caller's own, not up yet; skips without root. `name` keeps labs of one process apart."""
    needs_root()
    return Lab(prefix=f"{name}{os.getpid()}", folder=folder / "lab")


def other(unit: str) -> str:
    return UNITS[1 - UNITS.index(unit)]


def qx(lab: Lab, unit: str) -> dict[str, Any]:
    """`qx status` of a unit, {} while it does not answer."""
    return lab.status(unit)["qx"] or {}


def role(lab: Lab, unit: str) -> str | None:
    return qx(lab, unit).get("role")


def counters(lab: Lab, unit: str) -> dict[str, int]:
    return qx(lab, unit)["vrrp"]["counters"]


def becomes(lab: Lab, unit: str, wanted: str, seconds: float = 20.0) -> dict[str, Any]:
    """Waits for a role; a Master also holds its addresses, anything else holds none."""

    def look() -> dict[str, Any]:
        found = lab.status(unit)
        # Counted only: in the Virtual IPs' subnet a service address has a prefix length of its own.
        held = wanted != "master" or len(found["service_addresses"]) == len(lab.service_addresses())
        told = found["qx"] or {}
        wrong = wanted != "master" and found["service_addresses"]
        return told if told.get("role") == wanted and held and not wrong else {}

    try:
        return wait_for(look, seconds, f"unit {unit} {wanted}", 0.1)
    except pytest.fail.Exception as failure:
        told = lab.status(unit)
        log = lab.units[unit].log
        tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
        raise AssertionError(f"{failure}\n{json.dumps(told, indent=1, default=str)}\n{tail}") from None


def master_of(told: Mapping[str, Mapping[str, Any]]) -> str:
    """Of what `qx status` says on both: the Master whose peer is an active Backup, where each knows the
    other; else empty."""
    for master, backup in (UNITS, UNITS[::-1]):
        if (
            told[master].get("role") == "master"
            and told[backup].get("role") == "backup"
            and told[backup]["mode"] == "active"
            and told[master]["peer"]["state"] == "backup"
            and told[backup]["peer"]["state"] == "master"
        ):
            return master
    return ""


def paired(lab: Lab, seconds: float = 20.0) -> str:
    """Waits until one unit is Master, the other an active Backup, each knowing it; the Master's name."""
    return wait_for(
        lambda: master_of({unit: qx(lab, unit) for unit in UNITS}),
        seconds,
        "one Master and one active Backup that know each other",
        0.1,
    )


def guardian_pid(lab: Lab, unit: str) -> int:
    return int((lab.units[unit].root / "run" / "qx" / "guardian.pid").read_text())


def memory(pid: int, key: str = "VmRSS") -> int:
    """A line of /proc/PID/status in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {key} of process {pid}")


def stop_orderly(lab: Lab, unit: str, seconds: float = 10.0) -> None:
    """SIGTERM to the guardian, as init would; waits until no process of the unit is left."""
    os.kill(guardian_pid(lab, unit), signal.SIGTERM)
    name = lab.network.name(unit)
    wait_for(lambda: not namespace.processes(name), seconds, f"processes of unit {unit} end")


def kill_everything(lab: Lab, unit: str) -> None:
    """SIGKILL to every process of the unit; its network stays."""
    namespace.kill_all(lab.network.name(unit))


def restart(lab: Lab, unit: str) -> None:
    """Start the firmware again in the unit's network as it is now: no cold boot, the run folder stays."""
    found = lab.units[unit]
    argv = lab.exec_argv(unit, [str(found.executable), "daemon", "--root", str(found.root)])
    with found.log.open("ab") as log:
        subprocess.run(
            ["setsid", "--fork", *argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True
        )


def cold_boot(lab: Lab, unit: str, **settings: object) -> None:
    """Power on, with settings of the kernel that are there before the firmware: `all__rp_filter=1` is
    net.ipv4.conf.all.rp_filter."""
    lab.power_on(unit, bare=True)
    for name, value in settings.items():
        path = f"net.ipv4.conf.{name.replace('__', '.')}={value}"
        lab.exec(unit, ["sysctl", "-qw", path]).check_returncode()
    lab.units[unit].start()


# ── frames ──


@dataclass(frozen=True)
class Arp:
    operation: int  # 1 request, 2 reply
    sender_mac: str
    sender: str
    target: str

    @property
    def gratuitous(self) -> bool:
        return self.sender == self.target


@dataclass(frozen=True)
class Frame:
    """One frame of a capture. `destination` is None where all interfaces were captured at once."""

    at: float
    source: str
    destination: str | None
    type: int
    payload: bytes  # from the network header on
    port: int = 0  # interface number, where all interfaces were captured at once
    outgoing: bool = False  # likewise: the capturing host sent it

    @property
    def arp(self) -> Arp | None:
        if self.type != 0x0806 or len(self.payload) < 28:
            return None
        operation, mac, sender, _, target = struct.unpack_from("!6xH6s4s6s4s", self.payload)
        return Arp(operation, mac.hex(":"), socket.inet_ntoa(sender), socket.inet_ntoa(target))

    @property
    def ip(self) -> bytes:
        """The IPv4 packet without padding, b"" if it is none."""
        if self.type != 0x0800 or len(self.payload) < 20:
            return b""
        return self.payload[: int.from_bytes(self.payload[2:4], "big")]

    @property
    def sender(self) -> str:
        """IPv4 source address, "" if it is none."""
        return socket.inet_ntoa(self.ip[12:16]) if self.ip else ""

    @property
    def protocol(self) -> int | None:
        return self.ip[9] if self.ip else None

    @property
    def message(self) -> bytes:
        """What the IPv4 packet carries."""
        return self.ip[4 * (self.ip[0] & 15) :] if self.ip else b""

    @property
    def is_advert(self) -> bool:
        return self.protocol == 112

    @property
    def priority(self) -> int:
        """Of an advertisement."""
        return self.message[2]


class Capture:
    """tcpdump on an interface of a host; `frames()` and `text()` read what it wrote, also while it runs.

    `interface="any"` on `sw` sees every port of the switch, also ones that are plugged in later. The first
    2,048 octets of a packet are kept: each slot of tcpdump's ring has room for them all, and of 256 KiB only
    32 would fit.
    """

    def __init__(self, lab: Lab, host: str, interface: str = "lan", match: str = "") -> None:
        self.file = lab.folder / f"{host}-{interface}-{time.monotonic_ns()}.pcap"
        link = ["-y", "LINUX_SLL2"] if interface == "any" else []
        self._argv = lab.exec_argv(
            host,
            ["tcpdump", "-i", interface, *link, "-n", "-p", "-s", "2048", "-U", "--immediate-mode",
             "-B", "8192", "-Z", "root", "-w", str(self.file), *match.split()],
        )  # fmt: skip
        self._process: subprocess.Popen[str] | None = None
        self.dropped = 0

    def __enter__(self) -> Capture:
        self._process = subprocess.Popen(self._argv, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr
        said = ""
        while "listening on" not in said:
            line = self._process.stderr.readline()
            assert line, f"tcpdump did not start: {said}"
            said += line
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End tcpdump; what left within the last 50 ms is still taken."""
        if self._process is None:
            return
        time.sleep(0.05)
        self._process.send_signal(signal.SIGINT)
        try:
            _, said = self._process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            _, said = self._process.communicate()
        found = re.search(r"(\d+) packets? dropped by kernel", said or "")
        self.dropped = int(found[1]) if found else 0
        self._process = None

    def text(self, *options: str) -> str:
        """What `tcpdump OPTIONS -r` says of it."""
        argv = ["tcpdump", "-n", *options, "-r", str(self.file)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def frames(self, wanted: Callable[[Frame], object] = lambda _: True) -> list[Frame]:
        """The captured frames for which `wanted` is true, in order."""
        data = self.file.read_bytes()
        if len(data) < 24:
            return []
        assert data[:4] == b"\xd4\xc3\xb2\xa1", "a little-endian pcap file with microseconds"
        link = int.from_bytes(data[20:24], "little") & 0xFFFF
        found: list[Frame] = []
        at = 24
        while at + 16 <= len(data):
            seconds, micro, kept, _ = struct.unpack_from("<IIII", data, at)
            octets = data[at + 16 : at + 16 + kept]
            if len(octets) < kept:
                break  # tcpdump is writing it
            frame = _frame(seconds + micro / 1e6, octets, link)
            if wanted(frame):
                found.append(frame)
            at += 16 + kept
        return found

    def adverts(self) -> list[Frame]:
        return self.frames(lambda frame: frame.is_advert)


def _frame(at: float, octets: bytes, link: int) -> Frame:
    if link == 276:  # LINKTYPE_LINUX_SLL2
        kind, port, packet = struct.unpack_from("!H2xI2xB", octets)
        length = octets[11]
        return Frame(at, octets[12 : 12 + length].hex(":"), None, kind, octets[20:], port, packet == 4)
    kind = int.from_bytes(octets[12:14], "big")
    return Frame(at, octets[6:12].hex(":"), octets[:6].hex(":"), kind, octets[14:])


# ── addresses and neighbours ──


def virtual_mac(group: int) -> str:
    return f"00:00:5e:00:01:{group:02x}"


def mac(lab: Lab, host: str, interface: str = "lan") -> str:
    """The interface's own (physical) MAC."""
    return lab.exec(host, ["cat", f"/sys/class/net/{interface}/address"]).stdout.strip()


def neighbour(lab: Lab, host: str, address: str) -> str | None:
    """The MAC that the host has for an address, None where it has none."""
    told = json.loads(lab.exec(host, ["ip", "-json", "neighbour", "show", "to", address]).stdout or "[]")
    return next((entry["lladdr"] for entry in told if "lladdr" in entry), None)


def forget_neighbours(lab: Lab, host: str) -> None:
    lab.exec(host, ["ip", "neighbour", "flush", "all"]).check_returncode()


def reaches(lab: Lab, host: str, address: str, *options: str, seconds: float = 1.0) -> bool:
    """One echo request; options are ping's, as `-I address`."""
    argv = ["ping", "-n", "-c", "1", "-W", f"{seconds:g}", *options, address]
    return lab.exec(host, argv).returncode == 0
