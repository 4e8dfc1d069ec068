# SPDX-License-Identifier: Apache-2.0
"""The front panel of a pair through its life, as `qx led` and the lab's own LEDs show it (R36)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from board.lab.pair import Lab
from board.lab.view import leds_line

from labtools import other, qx, wait_for
from pairs import QUICK, pair, ready


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("fp", tmp_path_factory.mktemp("front"), QUICK) as made:
        yield made


def shows(lab: Lab, unit: str, state: str) -> dict[str, Any]:
    wait_for(lambda: (qx(lab, unit).get("leds") or {}).get("state") == state, 15.0, f"{unit} shows {state}")
    return qx(lab, unit)["leds"]


def drawn(lab: Lab, unit: str) -> dict[str, list[int]]:
    """The lights of the lab's board: pattern by colour."""
    told = json.loads((lab.units[unit].root / "run/qx/led").read_text())
    return {one["light"]: one["pattern"] for one in told}


def test_the_panel_says_how_well_the_pair_is_protected(lab: Lab) -> None:
    """R7, R34, R36: protected, passive, unprotected with an alert until it is read, and protected again, on
    both units."""
    master = ready(lab)
    backup = other(master)
    lab.qx(master, "set", "events.backup-down.actions=display,led").check_returncode()
    assert shows(lab, master, "master")["leds"][0]["words"] == "steady"
    shows(lab, backup, "backup")
    assert drawn(lab, backup) == {"green": [200, 1800], "red": [], "yellow": []}
    lab.qx(backup, "mode", "passive").check_returncode()
    shows(lab, backup, "passive")
    assert leds_line(shows(lab, master, "passive")) == "amber blinks once every 4 s (passive)"
    assert drawn(lab, master) == {"green": [2000, 2000], "red": [2000, 2000], "yellow": []}
    lab.qx(backup, "mode", "active").check_returncode()
    shows(lab, master, "master")
    lab.power_off(backup)
    shows(lab, master, "unprotected")
    # The Backup was passive, active and down within seconds: told when it has lasted (R34).
    wait_for(lambda: qx(lab, master)["leds"]["alert"], 15.0, "the alert blinks")
    assert drawn(lab, master) == {"green": [500, 500], "red": [500, 500], "yellow": [500, 500]}
    told = lab.qx(master, "led").stdout
    assert told.startswith("amber, blinks once a second: No Backup would take over")
    assert "yellow, blinks once a second: an event waits to be read" in told
    lab.qx(master, "events", "read").check_returncode()
    wait_for(lambda: drawn(lab, master)["yellow"] == [], 5.0, "the alert is dark when the event is read")
    assert drawn(lab, master)["red"] == [500, 500], "and the status is what it was"
    assert lab.qx(master, "led").stdout.count("\n") == 1
    lab.power_on(backup)
    assert ready(lab) == master
    shows(lab, master, "master")
    shows(lab, backup, "backup")


def test_a_unit_without_its_cable_is_in_fault(lab: Lab) -> None:
    master = ready(lab)
    backup = other(master)
    lab.cut(backup)
    assert shows(lab, backup, "fault")["colour"] == "red"
    assert drawn(lab, backup)["red"] == [125, 125]
    lab.mend(backup)
    shows(lab, backup, "backup")
