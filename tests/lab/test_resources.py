# SPDX-License-Identifier: Apache-2.0
"""What a unit takes of its machine, and that takeovers leave nothing behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import count
from labtools import becomes, guardian_pid, memory, other, qx
from pairs import QUICK, pair, ready

DAEMON_RESIDENT = 32 << 10  # KiB
THREADS = 14  # docs/architecture.md names them; one more where LEDs are lines
GUARDIAN_ANONYMOUS = 2 << 10


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("rs", tmp_path_factory.mktemp("resources"), QUICK) as lab:
        yield lab


def test_memory_of_the_daemon(used: Lab, record_figures: Callable[..., None]) -> None:
    """Engine and control plane together stay below 32 MB resident, on both units."""
    ready(used)
    for unit in UNITS:
        resident = memory(used.units[unit].daemon_pid(), "VmRSS")
        print(f"{unit}: {resident} KiB")
        record_figures(resident_kib=resident)
        assert resident < DAEMON_RESIDENT


def test_the_guardian_is_small_and_holds_no_python(used: Lab) -> None:
    """Anonymous memory below 2 MB; no module of Python is mapped, no interpreter has made a heap."""
    for unit in UNITS:
        pid = guardian_pid(used, unit)
        anonymous = memory(pid, "RssAnon")
        print(f"{unit}: {anonymous} KiB anonymous")
        assert anonymous < GUARDIAN_ANONYMOUS
        maps = Path(f"/proc/{pid}/maps").read_text()
        assert "lib-dynload" not in maps and "site-packages" not in maps and ".zip" not in maps
        files = [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [file for file in files if file.endswith((".db", ".py", ".sock"))]
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1, "no thread"


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def shape(lab: Lab, unit: str) -> dict[str, object]:
    """What must not change: descriptors of both processes, the guardian's threads, addresses and routes."""
    guardian = guardian_pid(lab, unit)
    found: dict[str, object] = {"guardian threads": threads(guardian)}
    for name, pid in (("daemon", lab.units[unit].daemon_pid()), ("guardian", guardian)):
        found[f"{name} descriptors"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    found["addresses"] = sorted(lab.status(unit)["addresses"].items())
    found["routes"] = sorted(lab.exec(unit, ["ip", "route"]).stdout.splitlines())
    return found


def test_nothing_leaks_over_takeovers(used: Lab) -> None:
    """R6, R9: after each unit was Master again and again without a restart, it is what it was as Backup."""
    random_unit = ready(used)
    # Cables move the role without a restart of either daemon.
    for _ in range(2):  # both have been Master once, so what is made at first use is there
        used.cut(random_unit)
        becomes(used, other(random_unit), "master", 5.0)
        used.mend(random_unit)
        random_unit = ready(used)
    before = {unit: shape(used, unit) for unit in UNITS}
    resident = {unit: memory(used.units[unit].daemon_pid(), "VmRSS") for unit in UNITS}
    for _ in range(count(4, 50)):  # an even number: each unit is in the role again that it had
        used.cut(random_unit)
        becomes(used, other(random_unit), "master", 5.0)
        used.mend(random_unit)
        random_unit = ready(used)
    time.sleep(1.5)  # a macvlan goes down with the next renewal
    assert {unit: shape(used, unit) for unit in UNITS} == before
    for unit in UNITS:
        assert memory(used.units[unit].daemon_pid(), "VmRSS") < resident[unit] + 1024
        assert threads(used.units[unit].daemon_pid()) <= THREADS


def test_the_guardian_does_not_grow_over_restarts(used: Lab) -> None:
    """R9: daemons that die leave it no descriptor, no zombie and no memory."""
    unit = other(ready(used))
    pid = guardian_pid(used, unit)
    before = len(list(Path(f"/proc/{pid}/fd").iterdir())), memory(pid, "RssAnon")
    for _ in range(3):
        os.kill(used.units[unit].daemon_pid(), signal.SIGKILL)
        time.sleep(0.3)
        becomes(used, unit, "backup", 20.0)
    after = len(list(Path(f"/proc/{pid}/fd").iterdir())), memory(pid, "RssAnon")
    assert after[0] == before[0] and after[1] <= before[1] + 64
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    assert children == [str(used.units[unit].daemon_pid())]
    assert qx(used, unit)["role"] == "backup"
