# SPDX-License-Identifier: Apache-2.0
"""A flush that takes very long on either unit: no role change, answers at once, writes that wait (R9)."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import bound
from labtools import make_lab, other, qx
from pairs import DEFAULT, events, get, in_step, put, ready

SOURCE = Path(__file__).with_name("slow_flash.c")


@dataclass(frozen=True)
class Slow:
    """A pair whose flushes wait while a unit's file is there."""

    lab: Lab
    files: dict[str, Path]


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    folder = tmp_path_factory.mktemp("slow")
    shim = folder / "slow_flash.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(SOURCE), "-ldl"], check=True)
    with make_lab("sf", folder) as lab:
        files = {name: folder / f"{name}.slow" for name in UNITS}
        for name, unit in lab.units.items():
            started = folder / f"qx-{name}"
            # Only the daemon: its guardian and every command are what they are.
            started.write_text(
                f'#!/bin/sh\n[ "$1" = daemon ] && export LD_PRELOAD={shim} QX_SLOW={files[name]}\n'
                f'exec {unit.executable} "$@"\n'
            )
            started.chmod(0o755)
            unit.executable = started
        lab.up(DEFAULT, fresh=True)  # a machine too busy for short timers is another test's subject
        ready(lab)
        in_step(lab)
        yield Slow(lab, files)


def _happened(lab: Lab) -> str:
    """The last events of both units: why a role changed."""
    return "\n".join(f"{unit}: {event}" for unit in UNITS for event in events(lab, unit)[-6:])


@pytest.mark.parametrize("whose", ["backup", "master"])
def test_a_flush_that_takes_long(slow: Slow, whose: str) -> None:
    """R9: longer than the lease (30 s in a soak): the roles stay, status answers at once, the lease is
    renewed; a write waits for the Master's own flash, and does not wait for the Backup's."""
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
    slowest = 0.0
    try:
        write.start()
        while time.monotonic() < until:
            for unit, wanted in ((master, "master"), (backup, "backup")):
                since = time.monotonic()
                told = qx(lab, unit)
                slowest = max(slowest, time.monotonic() - since)
                seen = (told.get("role"), told.get("vrrp", {}).get("block"))
                assert seen == (wanted, "none"), f"{unit}: {seen}\n{_happened(lab)}"
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
    assert ready(lab) == master
    in_step(lab, 20.0)
    if answers[0].returncode == 0:
        assert get(lab, backup, "extensions.101.name") == f"Slow-{whose}"
    assert put(lab, master, "extensions.101.name=After")["durable"] == "both"
    assert {unit: lab.units[unit].daemon_pid() for unit in UNITS} == pids
    assert not [one for one in events(lab, backup) if "Takeover" in one["name"]]
    print(f"slowest status {slowest * 1000:.0f} ms, write: {answers[0].stdout or answers[0].stderr}")
