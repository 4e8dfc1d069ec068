# SPDX-License-Identifier: Apache-2.0
"""What behaviour tests of the pair share beyond labtools: a module's pair, the probe on it, its logs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Protocol

import pluggy
import pytest
from board.lab.demo import Demo
from board.lab.namespace import LabError
from board.lab.network import UNITS
from board.lab.pair import Lab
from board.lab.probe import Probe

from labtools import make_lab, master_of, qx, wait_for


class Named(Protocol):
    def name(self, host: str) -> str:
        """The namespace of a host."""
        ...


class Place(Protocol):
    """Where phones and their PBX are: a lab, or the LAN of the emulated pair."""

    @property
    def folder(self) -> Path: ...
    @property
    def network(self) -> Named: ...
    def exec_argv(self, host: str, argv: Sequence[str]) -> list[str]: ...
    def service_addresses(self) -> list[str]: ...


DEFAULT = Demo(plan="other")  # the guide's address, default timers
QUICK = Demo(plan="other", version=3, interval="0.1")  # where the timer is not the subject


@contextlib.contextmanager
def pair(name: str, folder: Path, demo: Demo = DEFAULT, qx: Path | None = None) -> Iterator[Lab]:
    """A lab with one Master and one active Backup."""
    with make_lab(name, folder) as lab:
        for unit in lab.units.values():
            unit.executable = qx or unit.executable
        lab.up(demo, fresh=True)
        ready(lab)
        yield lab


def ready(lab: Lab, seconds: float = 40.0) -> str:
    """Waits for a pair whose Master knows that the Backup would take over at once; the Master's name."""

    def look() -> str:
        # Of one moment: a pair may hand the role over while it becomes one (R5).
        told = {unit: qx(lab, unit) for unit in UNITS}
        master = master_of(told)
        return master if master and would_take_over(told, master) else ""

    return wait_for(look, seconds, "one Master, and a Backup fit to take over", 0.1)


def would_take_over(told: Mapping[str, Mapping[str, Any]], master: str) -> bool:
    """Of what `qx status` says on both: the Backup has the Master's state and is armed, and the Master knows
    it."""
    if not all(one.get("peer", {}).get("session", {}).get("up") for one in told.values()):
        return False
    backup = told[UNITS[1 - UNITS.index(master)]]
    in_step = all(one["sync"]["state"] == "in step" for one in told.values())
    return in_step and backup["vrrp"]["armed"] and not backup["why"] and told[master]["peer"]["armed"]


def another_daemon(lab: Lab, unit: str, pid: int, seconds: float = 5.0) -> None:
    """Waits until the unit runs another daemon than that one. After some deaths in a row the guardian takes
    its time, up to 10 s."""

    def new() -> bool:
        try:
            return lab.units[unit].daemon_pid() != pid
        except LabError:
            return False  # between the two

    wait_for(new, seconds, "a new daemon")


def restarted(lab: Lab, unit: str, pid: int) -> str:
    """Waits until another daemon runs and the pair is one again; the Master's name."""
    another_daemon(lab, unit, pid)
    return ready(lab)


def in_step(lab: Lab, seconds: float = 10.0) -> None:
    """Waits until both units have the same settings and say so."""

    wait_for(
        lambda: same_settings([qx(lab, unit) for unit in UNITS]), seconds, "both units are in step", 0.02
    )


def same_settings(told: Sequence[Mapping[str, Any]]) -> bool:
    """Of what `qx status` says on both: the same settings, and both say so."""
    sync = [one.get("sync", {}) for one in told]
    same = len({(one.get("history"), one.get("revision")) for one in sync}) == 1
    return same and all(one.get("state") == "in step" for one in sync)


def put(lab: Lab, unit: str, *changes: str, force: bool = False) -> dict[str, Any]:
    """`qx set --json`, which must be taken."""
    done = lab.qx(unit, "set", "--json", *(["--force"] if force else []), *changes, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def get(lab: Lab, unit: str, path: str) -> str:
    """`qx get`; empty where the unit does not answer."""
    done = lab.qx(unit, "get", path)
    return done.stdout.strip() if done.returncode == 0 else ""


def service(lab: Place) -> str:
    """The LAN service address."""
    return str(IPv4Interface(lab.service_addresses()[0]).ip)


@contextlib.contextmanager
def probing(lab: Lab) -> Iterator[Probe]:
    """1,000 pings a second from the PC to the LAN service address, which answers when the block begins."""
    with Probe(lab.network.name("pc"), service(lab)) as probe:
        wait_for(lambda: answers(probe), 5.0, "the service address answers the PC", 0.01)
        yield probe


def answers(probe: Probe) -> bool:
    """The address has answered within the last 20 ms."""
    replies = probe.replies()
    return bool(replies) and time.monotonic_ns() - replies[-1] < 20e6


def outage(probe: Probe, since: float, patience: float = 5.0) -> float:
    """The longest silence since then in ms, once the address answers again (and has for 50 ms)."""

    def steady() -> bool:
        return answers(probe) and probe.longest_silence(time.monotonic() - 0.05) < 20

    wait_for(steady, patience, "the service address answers the PC again", 0.01)
    return probe.longest_silence(since)


def held_now(lab: Lab) -> dict[str, list[str]]:
    """The service addresses on the interfaces of each powered unit, as `ip` shows them."""
    service_ips = [str(IPv4Interface(address).ip) for address in lab.service_addresses()]
    found: dict[str, list[str]] = {}
    for unit in UNITS:
        if lab.network.powered(unit):
            shown = lab.network.interfaces(unit)
            local = [entry["local"] for interface in shown for entry in interface["addr_info"]]
            found[unit] = sorted(address for address in local if address in service_ips)
    return found


class Log:
    """What a unit writes from here on."""

    def __init__(self, lab: Lab, unit: str) -> None:
        self._file = lab.units[unit].log
        self._start = self._file.stat().st_size if self._file.exists() else 0

    def text(self) -> str:
        return self._file.read_bytes()[self._start :].decode(errors="replace") if self._file.exists() else ""

    def says(self, words: str, seconds: float) -> float:
        """Waits for the words; CLOCK_MONOTONIC seconds at which they were seen."""
        wait_for(lambda: words in self.text(), seconds, f"the log says {words!r}", 0.001)
        return time.monotonic()


def refused(lab: Lab, unit: str, *arguments: str) -> str:
    """The one line of a command that is refused with exit code 1."""
    done = lab.qx(unit, *arguments)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert not done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def events(lab: Lab, unit: str) -> list[dict[str, str]]:
    """`qx events --json`."""
    told = json.loads(lab.qx(unit, "events", "--json").stdout)
    return told["events"] if isinstance(told, dict) else told


@pytest.fixture(scope="module")
def default_pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One pair at default timers for a whole file; each test finds and leaves it paired."""
    with pair("bp", tmp_path_factory.mktemp("pair")) as lab:
        yield lab


# ── what a failure shows ──


def _labs(item: pytest.Item) -> Iterator[Path]:
    """Folders of the labs that a test had."""
    arguments: dict[str, object] = getattr(item, "funcargs", {})
    for value in arguments.values():
        for one in value if isinstance(value, tuple) else (value,):  # pyright: ignore[reportUnknownVariableType]
            if isinstance(one, Lab):
                yield one.folder
            elif isinstance(one, Path):
                yield one / "lab"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pluggy.Result[pytest.TestReport], None]:
    """A failure shows the end of both units' logs. For conftest.py files to import."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for folder in _labs(item):
            for log in sorted(folder.glob("[ab].log")):
                report.sections.append((f"log of unit {log.stem}", log.read_text(errors="replace")[-4000:]))
