# SPDX-License-Identifier: Apache-2.0
"""A flush that takes very long on either unit: no role change, answers at once, writes that wait (R9). One
that fails: nothing is acknowledged that is not there, and it is said (R16)."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from board.lab import namespace
from board.lab.demo import VIRTUAL_IP
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import SOAK, bound
from labtools import make_lab, other, qx, wait_for
from pairs import DEFAULT, events, get, in_step, put, ready

PORT = 80  # of the pages
SOURCE = Path(__file__).with_name("slow_flash.c")


@dataclass(frozen=True)
class Slow:
    """A pair whose flushes wait while a unit's file is there, and fail while its other one is."""

    lab: Lab
    files: dict[str, Path]
    fails: dict[str, Path]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    folder = tmp_path_factory.mktemp("slow")
    shim = folder / "slow_flash.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SOURCE), "-ldl"], check=True)
    with make_lab("sf", folder) as lab:
        files, fails = ({name: folder / f"{name}.{what}" for name in UNITS} for what in ("slow", "fail"))
        for name, unit in lab.units.items():
            started = folder / f"qx-{name}"
            # Only the daemon: its guardian and every command are what they are.
            started.write_text(
                f'#!/bin/sh\n[ "$1" = daemon ] && export LD_PRELOAD={shim} QX_SLOW={files[name]} '
                f'QX_FAIL={fails[name]}\nexec {unit.executable} "$@"\n'
            )
            started.chmod(0o755)
            unit.executable = started
        # With default timers: a machine too busy for short ones is another test's subject.
        lab.up(replace(DEFAULT, pages=True), fresh=True)
        ready(lab)
        in_step(lab)
        yield Slow(lab, files, fails)


def _happened(lab: Lab) -> str:
    """The last events of both units: why a role changed."""
    return "\n".join(f"{unit}: {event}" for unit in UNITS for event in events(lab, unit)[-6:])


def _page(lab: Lab, unit: str) -> int:
    """What the PC gets for the unit's first page."""
    address = str(VIRTUAL_IP[unit].ip)
    made = namespace.socket_in(lab.network.name("pc"), socket.AF_INET, socket.SOCK_STREAM)
    made.settimeout(5.0)
    made.connect((address, PORT))
    connection = http.client.HTTPConnection(address, PORT)
    connection.sock = made
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("whose", ["backup", "master"])
def test_a_flush_that_takes_long(slow: Slow, whose: str) -> None:
    """R9: longer than the lease (30 s in a soak): the roles stay, status answers at once, the lease is
    renewed, pages come; a write waits for the Master's own flash, and does not wait for the Backup's."""
    lab, seconds = slow.lab, bound(30.0, 12.0)
    master = ready(lab)
    backup = other(master)
    in_step(lab)
    pids = {unit: lab.units[unit].daemon_pid() for unit in UNITS}
    at = slow.files[backup if whose == "backup" else master]
    at.touch()
    until = time.monotonic() + seconds
    answers: list[subprocess.CompletedProcess[str]] = []
    write = threading.Thread(
        target=lambda: answers.append(
            lab.qx(master, "set", "--json", f"extensions.101.name=Slow-{whose}", timeout=60)
        )
    )
    slowest = slowest_page = 0.0
    try:
        write.start()
        while time.monotonic() < until:
            for unit, wanted in ((master, "master"), (backup, "backup")):
                since = time.monotonic()
                told = qx(lab, unit)
                slowest = max(slowest, time.monotonic() - since)
                seen = (told.get("role"), told.get("vrrp", {}).get("block"))
                assert seen == (wanted, "none"), f"{unit}: {seen}\n{_happened(lab)}"
                since = time.monotonic()
                assert _page(lab, unit) == 200
                slowest_page = max(slowest_page, time.monotonic() - since)
            time.sleep(0.2)
        if whose == "backup":
            write.join(2.0)
            assert not write.is_alive() and json.loads(answers[0].stdout)["durable"] == "this"
        else:
            early = answers and answers[0]
            assert not early or (early.returncode == 1 and early.stderr.strip()), early
    finally:
        at.unlink()
        write.join()
    assert slowest < 1.0, f"status took {slowest:.2f} s"
    assert slowest_page < 1.0, f"a page took {slowest_page:.2f} s"
    assert ready(lab) == master
    in_step(lab, 20.0)
    if answers[0].returncode == 0:
        assert get(lab, backup, "extensions.101.name") == f"Slow-{whose}"
    assert put(lab, master, "extensions.101.name=After")["durable"] == "both"
    assert {unit: lab.units[unit].daemon_pid() for unit in UNITS} == pids
    assert not [one for one in events(lab, backup) if "Takeover" in one["name"]]
    print(f"slowest status {slowest * 1000:.0f} ms, write: {answers[0].stdout or answers[0].stderr}")


@pytest.mark.parametrize("whose", ["backup", "master"] if SOAK else ["backup"])
def test_a_flush_that_fails(slow: Slow, whose: str) -> None:
    """R16, R9: the Backup acknowledges nothing more, the Master refuses in words; each says so with an event
    and keeps its role. What was acknowledged is there after a restart, and then all is well again."""
    lab = slow.lab
    master = ready(lab)
    backup = other(master)
    unit = backup if whose == "backup" else master
    assert put(lab, master, f"extensions.102.name=Before-{whose}")["durable"] == "both"
    slow.fails[unit].touch()
    try:
        done = lab.qx(master, "set", "--json", "extensions.102.name=Lost", timeout=30)
        if whose == "backup":
            assert done.returncode == 0 and json.loads(done.stdout)["durable"] == "this"
        else:
            assert done.returncode == 1 and "until a restart" in done.stderr, done.stderr
            assert get(lab, backup, "extensions.102.name") == f"Before-{whose}"
        wait_for(lambda: _cannot_write(lab, unit), 5.0, "an event of the unit says so")
        assert (qx(lab, master)["role"], qx(lab, backup)["role"]) == ("master", "backup")
        lab.power_off(unit)
    finally:
        slow.fails[unit].unlink()
    lab.power_on(unit)
    ready(lab)
    in_step(lab, 20.0)
    wanted = "Lost" if whose == "backup" else f"Before-{whose}"
    assert {get(lab, one, "extensions.102.name") for one in UNITS} == {wanted}


def _cannot_write(lab: Lab, unit: str) -> bool:
    return any(one["name"] == "Settings cannot be written" for one in events(lab, unit))
