# SPDX-License-Identifier: Apache-2.0
"""Which slot starts, whose settings it finds, and when firmware on trial is confirmed or given up (R38)."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from upgrade_bench import Flash

from qx.errors import Refusal
from qx.packing import pack
from qx.settings.store import SCHEMA_VERSION, Store
from qx.upgrade.slots import TRIES, Known, other
from qx.upgrade.start import boot
from qx.upgrade.trial import Trial, ailment, baseline


@pytest.fixture
def unit(tmp_path: Path) -> Flash:
    made = Flash(tmp_path / "root")
    made.start()
    return made


@given(st.sampled_from(["A", "B", "C", ""]), st.sampled_from([None, "0", "1", "3", "x", ""]))
def test_the_boot_loader_counts_down_and_returns(slot: str, tries: str | None) -> None:
    """R38: as board/common/boot.cmd: one try less a start, and the other slot when none is left."""
    variables = {"slot": slot} | ({} if tries is None else {"tries": tries})
    starts, failed, changes = boot(variables)
    if slot not in ("A", "B"):
        assert (starts, failed, changes) == ("A", "", {})
    elif tries is None:
        assert (starts, failed, changes) == (slot, "", {})
    elif tries in ("1", "3"):
        assert (starts, failed, changes) == (slot, "", {"tries": str(int(tries) - 1)})
    else:
        assert (starts, failed) == (other(slot), slot)
        assert changes == {"slot": other(slot), "tries": None, "failed": slot}


def test_a_slot_that_is_never_confirmed_has_three_starts(unit: Flash) -> None:
    slots = unit.slots()
    slots.note("B", Known("good", "1.1.0"))
    assert slots.activate() == "B"
    for left in reversed(range(TRIES)):
        slots = unit.start()
        found = slots.read()
        assert slots.running == "B" and found and found.variables["tries"] == str(left)
    slots = unit.start()
    assert (slots.running, slots.rolled_back) == ("A", "B")
    assert unit.start().running == "A", "and stays"


def test_a_restart_of_the_daemon_is_no_start_of_the_unit(unit: Flash) -> None:
    slots = unit.slots()
    slots.note("B", Known("good", "1.1.0"))
    slots.activate()
    unit.start()
    for _ in range(5):
        found = unit.slots().read()
        assert found and found.variables["tries"] == "2"


def test_a_confirmed_slot_stays_and_a_given_up_one_does_not_come_back(unit: Flash) -> None:
    slots = unit.slots()
    slots.note("B", Known("good", "1.1.0"))
    slots.activate()
    unit.start().stay()
    for _ in range(5):
        assert unit.start().running == "B"
    unit.slots().note("A", Known("good", "1.2.0"))
    unit.slots().activate()
    unit.start().go_back()
    slots = unit.start()
    found = slots.read()
    assert slots.running == "B" and found and found.variables == {"slot": "B", "failed": "A"}


@pytest.mark.parametrize("state", ["unknown", "writing"])
def test_what_was_not_read_back_is_not_activated(unit: Flash, state: str) -> None:
    slots = unit.slots()
    slots.note("B", Known(state, "1.1.0"))
    with pytest.raises(Refusal, match="slot B holds no firmware that was read back"):
        slots.activate()
    assert unit.start().running == "A"


def group_id(unit: Flash) -> str:
    with Store(unit.paths.settings_db, unit_model()) as store:
        return str(store.settings["redundancy.group_id"])


def unit_model() -> object:
    from qx.model import model_named

    return model_named("qx200")


def set_group(unit: Flash, number: int) -> None:
    with Store(unit.paths.settings_db, unit_model()) as store:
        store.commit({"redundancy.group_id": number}, "t", "set")


def newer_format(unit: Flash) -> None:
    """What a release after this one leaves: the same file in a format that this one does not know."""
    db = sqlite3.connect(unit.paths.settings_db)
    db.execute("UPDATE meta SET v = ? WHERE name = 'schema_version'", (pack(SCHEMA_VERSION + 1),))
    db.commit()
    db.close()


def try_b(unit: Flash) -> None:
    slots = unit.slots()
    slots.note("B", Known("good", "1.1.0"))
    slots.activate()
    assert unit.start().running == "B"


def test_the_old_slot_finds_its_own_settings(unit: Flash) -> None:
    """Issue 7: migrated on a copy: what the newer release made of them is no trouble for the older one."""
    set_group(unit, 18)
    try_b(unit)
    set_group(unit, 19)
    newer_format(unit)
    unit.slots().go_back()
    unit.start()
    assert group_id(unit) == "18"
    assert not list(unit.paths.upgrade.glob("settings*"))


def test_settings_of_the_same_format_are_kept_over_a_return(unit: Flash) -> None:
    """What was set during the trial is not lost where the older release can read it."""
    set_group(unit, 18)
    try_b(unit)
    set_group(unit, 19)
    unit.start().go_back()
    unit.start()
    assert group_id(unit) == "19"


def test_a_copy_is_made_once_and_of_all_that_was_committed(unit: Flash) -> None:
    """An unclean end leaves commits in SQLite's log: they are in the copy; later starts leave it alone."""
    set_group(unit, 18)
    store = Store(unit.paths.settings_db, unit_model())
    store.commit({"redundancy.group_id": 20}, "t", "set")
    slots = unit.slots()
    slots.note("B", Known("good", "1.1.0"))
    slots.activate()
    for file in unit.paths.data_qx.glob("settings.db*"):  # as power leaves them
        (unit.paths.root / file.name).write_bytes(file.read_bytes())
    store.close()
    for file in unit.paths.root.glob("settings.db*"):
        (unit.paths.data_qx / file.name).write_bytes(file.read_bytes())
    unit.start()
    set_group(unit, 21)
    unit.start()
    newer_format(unit)
    unit.slots().go_back()
    unit.start()
    assert group_id(unit) == "20"


WELL = {
    "role": "backup",
    "applications": [],
    "peer": {"session": {"up": True}},
    "firmware": "1.0.0",
}
RUNNING = {"name": "kamailio", "state": "running"}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (WELL, ""),
        ({**WELL, "peer": {"session": {"up": False, "why": "gone"}}}, "no session to the other device: gone"),
        ({**WELL, "role": "master", "peer": {"session": {"up": False}}}, ""),
        ({**WELL, "role": "standalone", "applications": [RUNNING]}, ""),
        ({**WELL, "role": "master", "applications": [{**RUNNING, "state": "starting"}]}, "application k"),
        ({**WELL, "role": "backup", "applications": [{**RUNNING, "state": "stopped"}]}, ""),
        ({**WELL, "role": "starting"}, "the device has no role yet"),
        ({**WELL, "role": "fault", "why": "no key"}, "the device is in fault: no key"),
        ({**WELL, "pages": {"state": "failed", "why": "port 80"}}, "the pages are not served: port 80"),
        ({**WELL, "pages": {"state": "running"}}, ""),
    ],
)
def test_what_healthy_means(status: dict[str, object], words: str) -> None:
    """Issue 7: daemon, peer or standalone, applications, pages."""
    found = ailment(status, baseline(WELL))
    assert found.startswith(words) and bool(found) == bool(words)


def test_a_fault_from_before_is_no_reason_to_give_up() -> None:
    before = baseline({"role": "fault"})
    assert ailment({"role": "fault", "why": "no link"}, before) == ""
    assert ailment({"role": "backup", "peer": {}}, before) == "", "it had no session before"


def test_a_trial_is_confirmed_after_a_while_without_a_break_and_given_up_in_the_end() -> None:
    """At, below and above both limits."""
    trial = Trial(100.0, healthy_for=10.0, within=300.0)
    assert trial.look(101.0, "") == "wait"
    assert trial.look(110.9, "") == "wait"
    assert trial.look(110.95, "an application") == "wait", "a break"
    assert trial.look(111.0, "") == "wait"
    assert trial.look(120.9, "") == "wait"
    assert trial.look(121.0, "") == "confirm"
    trial = Trial(100.0, healthy_for=10.0, within=300.0)
    assert trial.look(399.9, "ill") == "wait"
    assert trial.look(400.0, "ill") == "back"
    assert Trial(0.0, 10.0, 20.0).look(20.0, "") == "wait", "healthy at last: it has its while"
