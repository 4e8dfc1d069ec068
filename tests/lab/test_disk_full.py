# SPDX-License-Identifier: Apache-2.0
"""A full data partition on either unit: said in words, nothing corrupt, well again with space (R9, R16)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import becomes, make_lab, other, qx, role, wait_for
from pairs import QUICK, events, get, in_step, put, ready
from small_flash import fill, small

SIZE = 6 << 20


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with make_lab("df", tmp_path_factory.mktemp("full")) as lab:
        lab.up(QUICK, fresh=True, power=False)
        with contextlib.ExitStack() as mounts:
            for unit in UNITS:
                mounts.enter_context(small(lab.units[unit].root / "data" / "qx", SIZE))
            for unit in UNITS:
                lab.power_on(unit)
            ready(lab)
            in_step(lab)
            yield lab
            lab.down()


@contextlib.contextmanager
def full(lab: Lab, unit: str) -> Iterator[None]:
    """Nothing more fits on the unit's data partition."""
    mend = fill(lab.units[unit].root / "data" / "qx")
    try:
        yield
    finally:
        mend()


def big(number: int) -> str:
    """A change that needs room: SQLite's own file has some left."""
    return f"snmp.contact={number:03}" + "x" * 50


def test_the_backup_is_full(tight: Lab) -> None:
    """R16: durable on this unit alone, an event that says so, and in step by itself when there is space."""
    master = ready(tight)
    backup = other(master)
    with full(tight, backup):
        assert "this" in (put(tight, master, big(number))["durable"] for number in range(40))
        wait_for(lambda: any("space" in one["description"] for one in events(tight, backup)), 5.0,
                 "an event names the space")  # fmt: skip
        voice = tight.units[master].root / "data/qx/voice"
        (voice / "late.wav").write_bytes(os.urandom(200_000))
        wait_for(lambda: any("Voice data" in one["name"] for one in events(tight, backup)), 5.0, "an event")
        assert role(tight, master) == "master" and role(tight, backup) == "backup"
    in_step(tight, 20.0)
    assert get(tight, backup, "snmp.contact") == get(tight, master, "snmp.contact")
    copy = tight.units[backup].root / "data/qx/voice/late.wav"
    wait_for(
        lambda: copy.exists() and copy.read_bytes() == (voice / "late.wav").read_bytes(), 20.0, "the file"
    )
    assert put(tight, master, big(99))["durable"] == "both"


def test_the_master_is_full(tight: Lab) -> None:
    """R9, R16: it stays Master; a write is refused in words and changes nothing; with space it is taken."""
    master = ready(tight)
    backup = other(master)
    pid = tight.units[master].daemon_pid()
    with full(tight, master):
        for number in range(100, 180):
            done = tight.qx(master, "set", big(number))
            if done.returncode:
                break
        assert done.returncode == 1 and "space" in done.stderr, done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert get(tight, master, "snmp.contact") == big(number - 1).partition("=")[2]
        assert role(tight, master) == "master" and qx(tight, backup)["role"] == "backup"
        in_step(tight)
        names = [one["name"] for one in events(tight, master)]
        assert names.count("No space for settings") == 1
    assert put(tight, master, big(200))["durable"] == "both"
    assert "Settings have space again" in [one["name"] for one in events(tight, master)]
    assert tight.units[master].daemon_pid() == pid
    in_step(tight)
    assert get(tight, backup, "snmp.contact") == get(tight, master, "snmp.contact")
    for unit in UNITS:  # what is on flash is whole
        tight.power_off(unit)
        tight.power_on(unit)
    ready(tight, 60.0)
    in_step(tight, 20.0)
    assert get(tight, backup, "snmp.contact") == big(200).partition("=")[2]
    assert not [one for unit in UNITS for one in events(tight, unit) if "damaged" in one["description"]]


def test_a_start_on_a_full_partition(tight: Lab) -> None:
    """R9: a unit that starts when nothing more fits is Backup all the same, and takes over; what it is to
    store is refused in words, and is taken when there is space."""
    master = ready(tight)
    backup = other(master)
    with full(tight, backup):
        tight.power_off(backup)
        tight.power_on(backup)
        assert ready(tight, 60.0) == master
        tight.power_off(master)
        becomes(tight, backup, "master", 10.0)
        done = [tight.qx(backup, "set", big(number)) for number in range(300, 340)]
        assert "space" in done[-1].stderr and done[-1].returncode == 1, done[-1].stderr
        tight.power_on(master)
        becomes(tight, master, "backup", 20.0)
        assert role(tight, backup) == "master"
    assert ready(tight, 60.0) == backup
    assert put(tight, backup, big(400))["durable"] == "both"
