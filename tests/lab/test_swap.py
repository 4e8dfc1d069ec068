# SPDX-License-Identifier: Apache-2.0
"""Swap Master Device: the active Backup takes over, the old Master restarts as Backup (R8)."""

import time
from collections.abc import Iterator

import pytest
from board.lab.pair import Lab

from counts import bound, count
from holders import Holders
from labtools import other, qx, wait_for
from pairs import DEFAULT, outage, pair, probing, ready, refused, restarted


@pytest.fixture(scope="module")
def swapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("sp", tmp_path_factory.mktemp("swap"), DEFAULT) as lab:
        yield lab


def test_roles_are_exchanged(swapped: Lab) -> None:
    """R8: outage below 100 ms, never two holders, the old Master comes back as active Backup."""
    for _ in range(count(2, 20)):
        master = ready(swapped)
        pid = swapped.units[master].daemon_pid()
        with Holders(swapped) as holders, probing(swapped) as probe:
            moment = time.monotonic()
            done = swapped.qx(master, "swap")
            assert done.returncode == 0, done.stderr
            assert "The Backup device is Master now" in done.stdout
            silence = outage(probe, moment)
            assert silence < bound(100, 500)
            assert holders.now() == [other(master)]
            assert restarted(swapped, master, pid) == other(master)
            assert qx(swapped, master)["mode"] == "active"
            assert holders.overlap() == 0
        print(f"outage {silence:.1f} ms")


def test_refused_on_a_backup(swapped: Lab) -> None:
    """R8: Master only."""
    backup = other(ready(swapped))
    assert refused(swapped, backup, "swap") == (
        "qx: swap: this device is backup; only the Master can be swapped"
    )


def test_refused_without_a_backup(swapped: Lab) -> None:
    """R8: no Backup that is up: refused, and the Master goes on."""
    master = ready(swapped)
    with Holders(swapped) as holders:
        since = time.monotonic()
        swapped.power_off(other(master))
        wait_for(lambda: not qx(swapped, master)["peer"]["session"]["up"], 6.0, "the session is over")
        assert "there is no session to a Backup device" in refused(swapped, master, "swap")
        time.sleep(0.5)
        assert holders.held_throughout(master, since)
    swapped.power_on(other(master))
    assert ready(swapped) == master


def test_a_backup_that_does_not_take_over(swapped: Lab) -> None:
    """R8: a Backup that went this moment: the Master stays in charge and says why, and no call was lost."""
    master = ready(swapped)
    swapped.power_off(other(master))  # the session still counts as up for 3 s
    with Holders(swapped) as holders:
        since = time.monotonic()
        line = refused(swapped, master, "swap")
        assert line.startswith("qx: swap: ") and "the other unit" in line
        assert holders.held_throughout(master, since)
    swapped.power_on(other(master))
    assert ready(swapped) == master
