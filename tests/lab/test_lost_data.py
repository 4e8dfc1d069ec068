# SPDX-License-Identifier: Apache-2.0
"""A unit of a pair that has lost something of its flash never serves alone by accident (R1, R5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from labtools import becomes, other, qx, role, stays
from pairs import QUICK, events, get, held_now, in_step, pair, put, ready


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("ld", tmp_path_factory.mktemp("lost"), QUICK) as lab:
        yield lab


def data(lab: Lab, unit: str) -> Path:
    return lab.units[unit].root / "data" / "qx"


def test_keys_lost_on_a_paired_unit(whole: Lab) -> None:
    """R1: fault beside the Master and alone, never standalone; with the key it is a Backup again."""
    master = ready(whole)
    backup = other(master)
    whole.power_off(backup)
    (data(whole, backup) / "trust" / "keys").unlink()
    whole.power_on(backup)
    told = becomes(whole, backup, "fault", 5.0)
    assert "the redundancy key is missing, and this unit is paired with" in told["why"]
    for unit in UNITS:
        whole.power_off(unit)
    whole.power_on(backup)
    becomes(whole, backup, "fault", 5.0)
    stays(lambda: held_now(whole)[backup] == [] and role(whole, backup) == "fault", 2.0, "it serves nothing")
    whole.power_on(master)
    becomes(whole, master, "master", 40.0)
    whole.license(backup)
    assert ready(whole) == master
    in_step(whole)


def test_settings_lost_on_a_paired_unit(whole: Lab) -> None:
    """R1, R5: it comes back by itself, from its snapshot and then with the Master's state."""
    master = ready(whole)
    backup = other(master)
    put(whole, master, "extensions.301.name=Before")
    in_step(whole)
    whole.power_off(backup)
    put(whole, master, "extensions.301.name=After")
    for file in data(whole, backup).glob("settings.db*"):
        file.unlink()
    whole.power_on(backup)
    assert ready(whole) == master
    in_step(whole)
    assert any(one["name"] == "Settings restored from a snapshot" for one in events(whole, backup))
    assert {get(whole, unit, "extensions.301.name") for unit in UNITS} == {"After"}


def test_settings_and_snapshots_lost_on_a_paired_unit(whole: Lab) -> None:
    """R1: with no setting of its own it is in fault and says why, also alone; set up again it is a Backup
    that has the Master's state, without a hand on its keys."""
    master = ready(whole)
    backup = other(master)
    put(whole, master, "extensions.302.name=Kept")
    in_step(whole)
    whole.power_off(backup)
    for file in data(whole, backup).glob("settings.*"):
        file.write_bytes(b"nonsense" * 100)
    whole.power_on(backup)
    told = becomes(whole, backup, "fault", 5.0)
    peer = qx(whole, master)["serial"]
    assert f"the settings of this unit, which is paired with {peer}, are lost" in told["why"], told["why"]
    (lost,) = [one for one in events(whole, backup) if one["name"] == "Settings lost"]
    assert "damaged settings database" in lost["description"]
    aside = {file.name for file in data(whole, backup).glob("settings.damaged-*")}
    assert {"settings.damaged-1.db", "settings.damaged-1.1.snapshot"} <= aside
    whole.power_off(master)
    stays(lambda: held_now(whole)[backup] == [] and role(whole, backup) == "fault", 2.0, "it does not serve")
    whole.power_off(backup)
    whole.power_on(backup)
    becomes(whole, backup, "fault", 5.0)
    whole.power_on(master)
    becomes(whole, master, "master", 8.0)
    whole.units[backup].configure(QUICK)
    assert ready(whole) == master
    in_step(whole)
    assert get(whole, backup, "extensions.302.name") == "Kept"
