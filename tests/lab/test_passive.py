# SPDX-License-Identifier: Apache-2.0
"""Passive mode: the Backup listens no more and never takes over by itself (R7)."""

import time
from collections.abc import Iterator

import pytest
from board.lab.network import UNITS
from board.lab.pair import Lab

from holders import Holders
from labtools import becomes, other, qx, stays, wait_for
from pairs import QUICK, pair, ready, refused


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("pa", tmp_path_factory.mktemp("passive"), QUICK) as lab:
        yield lab


@pytest.fixture
def quick(whole: Lab) -> Iterator[Lab]:
    """The pair; whatever a test left, the next one finds both units on and in active mode."""
    yield whole
    for unit in UNITS:
        whole.mend(unit)
        whole.power_on(unit)
        if qx(whole, unit).get("mode") == "passive":
            whole.qx(unit, "mode", "active")


def mode(lab: Lab, unit: str, wanted: str) -> None:
    done = lab.qx(unit, "mode", wanted)
    assert done.returncode == 0 and done.stdout.strip() == wanted, done.stderr


def test_a_passive_backup_ignores_advertisements(quick: Lab) -> None:
    """R7: they reach its port and are nothing to its state machine; the Master knows that it is passive."""
    master = ready(quick)
    backup = other(master)
    mode(quick, backup, "passive")
    assert qx(quick, backup)["role"] == "backup" and qx(quick, backup)["mode"] == "passive"
    wait_for(lambda: qx(quick, master)["peer"]["mode"] == "passive", 3.0, "the Master knows")
    stays(lambda: qx(quick, backup)["vrrp"]["state"] == "initialize", 0.5, "no state of a listener")
    mode(quick, backup, "active")
    assert ready(quick) == master
    assert qx(quick, backup)["vrrp"]["state"] == "backup"


def test_it_does_not_take_over_until_it_is_active(quick: Lab) -> None:
    """R7: not when the Master loses power, not across its own restart; back in active mode it does."""
    master = ready(quick)
    backup = other(master)
    mode(quick, backup, "passive")
    with Holders(quick) as holders:
        quick.power_off(master)
        time.sleep(3.0)
        assert holders.now() == [] and qx(quick, backup)["mode"] == "passive"
        quick.power_off(backup)
        quick.power_on(backup)
        told = becomes(quick, backup, "backup", 8.0)
        assert told["mode"] == "passive", "it survives a reboot"
        time.sleep(2.0)
        assert holders.now() == []
        mode(quick, backup, "active")
        becomes(quick, backup, "master", 8.0)
    quick.power_on(master)
    assert ready(quick) == backup


def test_refused_on_a_master(quick: Lab) -> None:
    """R7: only a Backup has a mode; the Master says so in one line and stays."""
    master = ready(quick)
    assert refused(quick, master, "mode", "passive") == (
        "qx: mode: this device is master; only a Backup is active or passive"
    )
    assert ready(quick) == master
    done = quick.qx(other(master), "mode", "idle")
    assert done.returncode == 2 and "active or passive" in done.stderr


def test_a_master_is_stored_as_active(quick: Lab) -> None:
    """R7: a passive unit that becomes Master stores mode active, so that two passive ones do not meet."""
    master = ready(quick)
    backup = other(master)
    mode(quick, backup, "passive")
    assert quick.qx(backup, "get", "redundancy.backup_mode").stdout.strip() == "passive"
    mode(quick, backup, "active")
    ready(quick)
    quick.power_off(master)
    becomes(quick, backup, "master", 5.0)
    assert quick.qx(backup, "get", "redundancy.backup_mode").stdout.strip() == "active"
    quick.power_on(master)
    assert ready(quick) == backup
    assert qx(quick, backup)["role"] == "master"


def test_nothing_happens_to_a_passive_backup_that_loses_its_link(quick: Lab) -> None:
    """R7, R9: cable out and in again: still Backup, still passive."""
    master = ready(quick)
    backup = other(master)
    mode(quick, backup, "passive")
    with Holders(quick) as holders:
        since = time.monotonic()
        quick.cut(backup)
        becomes(quick, backup, "fault", 3.0)
        quick.mend(backup)
        assert becomes(quick, backup, "backup", 5.0)["mode"] == "passive"
        assert holders.held_throughout(master, since)
    mode(quick, backup, "active")
    assert ready(quick) == master
