# SPDX-License-Identifier: Apache-2.0
"""Firmware on a pair of the lab: installed while it works, tried, confirmed, and given up (R38, R41, R42)."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from counts import SOAK
from labtools import other, qx, wait_for
from pairs import QUICK, pair, ready, refused
from web.conftest import address_of, answers, visitor

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from upgrade_bench import another_signer, image

TIMES = "\n[upgrade]\nhealthy = 1\ntrial = 5\n"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("up", tmp_path_factory.mktemp("upgrade"), replace(QUICK, pages=True)) as made:
        for unit in UNITS:
            board = made.units[unit].root / "etc/qx/board.toml"
            board.write_text(board.read_text() + TIMES)
        yield made


def firmware(lab: Lab, unit: str) -> dict[str, Any]:
    return qx(lab, unit).get("upgrade") or {}


def results(lab: Lab, unit: str) -> list[str]:
    told = json.loads(lab.qx(unit, "events", "--json").stdout)
    return [event["description"] for event in told if event["name"] == "Upgrade result"]


def runs(lab: Lab, unit: str, slot: str, state: str, seconds: float = 30.0) -> None:
    def look() -> bool:
        found = firmware(lab, unit)
        return (found.get("slot"), found.get("state")) == (slot, state)

    wait_for(look, seconds, f"{unit} runs slot {slot}, {state}")


def test_a_passive_backup_is_upgraded_and_confirmed(lab: Lab, tmp_path: Path) -> None:
    """R38, R7, the guide's section 9, steps 1 and 2: progress, a restart, passive again, and confirmed
    because it is healthy; the Master's service is not touched."""
    master = ready(lab)
    backup = other(master)
    assert firmware(lab, backup)["state"] == "confirmed"
    assert "nothing is on trial" in refused(lab, backup, "upgrade", "confirm")
    lab.qx(backup, "mode", "passive").check_returncode()
    done = lab.qx(backup, "upgrade", str(image(tmp_path)), timeout=60.0)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Version 1.1.0 is in slot B, to be tried at the next restart.")
    assert "write: 100 %" in done.stderr
    runs(lab, backup, "B", "trial")
    assert qx(lab, master)["role"] == "master"
    runs(lab, backup, "B", "confirmed")
    assert results(lab, backup) == ["version 1.0.0 runs in slot B: healthy"]
    assert qx(lab, backup)["mode"] == "passive"
    assert "slot B  runs  1.0.0  confirmed\nslot A  idle" in lab.qx(backup, "upgrade").stdout
    lab.qx(backup, "mode", "active").check_returncode()
    assert ready(lab) == master


def test_what_does_not_become_healthy_is_given_up(lab: Lab, tmp_path: Path) -> None:
    """R38: a slot in which the unit does not find its peer again within the time: it returns to the old slot
    by itself, says why, and has its settings."""
    master = ready(lab)
    backup = other(master)
    before = firmware(lab, backup)["slot"]
    lab.qx(backup, "mode", "passive").check_returncode()
    made = str(image(tmp_path, "1.2.0", seed=2))
    lab.qx(backup, "upgrade", made, "--later", timeout=60.0).check_returncode()
    assert firmware(lab, backup)["state"] == "activated"
    lab.split()
    lab.qx(backup, "reboot").check_returncode()
    runs(lab, backup, "AB"["BA".index(before)], "trial")
    ailing = "no session to the other device"
    wait_for(lambda: ailing in str(firmware(lab, backup).get("ailing")), 5.0, "why")
    runs(lab, backup, before, "confirmed")
    assert f"was given up: version 1.0.0: {ailing}" in results(lab, backup)[-1]
    lab.heal()
    lab.qx(backup, "mode", "active").check_returncode()
    assert ready(lab) == master


def test_a_refused_image_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    """R38, Bad input: in words, with an event, on the Master as well."""
    master = ready(lab)
    before = firmware(lab, master)
    said = refused(lab, master, "upgrade", str(image(tmp_path, model="qx50")))
    assert said == "qx: firmware: is for QX50; expected QX200"
    assert firmware(lab, master) == before
    assert results(lab, master)[-1] == "firmware: is for QX50; expected QX200"


@pytest.mark.skipif(not SOAK, reason="the boot loader's rules have unit tests; the machine's a soak")
def test_power_that_goes_in_a_trial_returns_the_old_slot(lab: Lab, tmp_path: Path) -> None:
    """R38: three starts of a slot on trial that power ends before it is confirmed: the boot loader gives
    up."""
    master = ready(lab)
    backup = other(master)
    before = firmware(lab, backup)["slot"]
    board = lab.units[backup].root / "etc/qx/board.toml"
    text = board.read_text()
    board.write_text(text.replace("healthy = 1", "healthy = 100").replace("trial = 5", "trial = 200"))
    lab.qx(backup, "upgrade", str(image(tmp_path, "1.3.0")), timeout=60.0).check_returncode()
    for tries in (2, 1, 0):
        runs(lab, backup, "AB"["BA".index(before)], "trial")
        assert firmware(lab, backup)["tries"] == tries
        lab.power_off(backup)
        lab.power_on(backup)
    runs(lab, backup, before, "confirmed")
    assert "was given up: it did not come up" in results(lab, backup)[-1]
    board.write_text(text)
    assert ready(lab) == master


def test_the_pair_is_upgraded_with_one_button(lab: Lab, tmp_path: Path) -> None:
    """R42: the Backup first, a swap, then the other one, which is active in the end; each step is told, and
    seen on the page of the device that leads."""
    master = ready(lab)
    backup = other(master)
    serials = {unit: qx(lab, unit)["serial"] for unit in UNITS}
    slots = {unit: firmware(lab, unit)["slot"] for unit in UNITS}
    wait_for(lambda: answers(lab, address_of(lab, master)), 20.0, "its pages")
    somebody = visitor(lab, master)
    somebody.come_in(serials[master])
    octets = image(tmp_path, "1.4.0", seed=3).read_bytes()
    page = "/maintenance/firmware"
    answer = somebody.upload(page, f"{page}/upload", octets, both="1")
    assert "Both devices are updated now." in answer.page.flat
    step = f"{serials[backup]} is passive"
    wait_for(lambda: step in somebody.get(page).page.flat, 20.0, "a step on the page", 0.1)
    assert "Firmware image" not in somebody.get(page).page.flat, "one upgrade at a time"
    wait_for(lambda: qx(lab, backup).get("role") == "master", 60.0, "the other device is Master")
    runs(lab, master, "AB"["BA".index(slots[master])], "confirmed", 60.0)
    wait_for(lambda: "both devices run" in results(lab, backup)[-1], 20.0, "the end is told")
    assert firmware(lab, backup)["slot"] != slots[backup]
    assert ready(lab) == backup
    assert qx(lab, master)["mode"] == "active"
    b, m = serials[backup], serials[master]
    runs_now = "runs version 1.0.0, confirmed"
    assert results(lab, backup)[-1] == (
        f"both devices run version 1.0.0: {b} has the image; {b} is passive; {b} {runs_now}; "
        f"{b} is Master, with version 1.0.0; {m} is passive; {m} {runs_now}; {m} is active"
    )


def test_the_upgrade_of_the_pair_stops_on_the_first_problem(lab: Lab, tmp_path: Path) -> None:
    """R42: an image that the Backup refuses: named, with what was done; the Master goes on."""
    master = ready(lab)
    key, certificate = another_signer(tmp_path)
    bad = image(tmp_path, "1.5.0", key=key, certificate=certificate)
    backup_serial = qx(lab, other(master))["serial"]
    said = refused(lab, master, "upgrade", str(bad), "--pair")
    assert said.startswith(
        f"qx: upgrade: the upgrade of the pair stopped ({backup_serial} installs): firmware: bad signature"
    )
    assert said.endswith(f"done before: {backup_serial} has the image; {backup_serial} is passive")
    assert qx(lab, master)["role"] == "master"
    assert firmware(lab, master)["rolling"] is None
    assert "expected the Master of a pair" in refused(lab, other(master), "upgrade", str(bad), "--pair")
    lab.qx(other(master), "mode", "active").check_returncode()
    assert ready(lab) == master
