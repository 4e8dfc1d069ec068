# SPDX-License-Identifier: Apache-2.0
"""Advertisements that are lost where all else passes: the Backup asks before it takes over (R9, R10)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from board.lab.pair import Lab

from counts import bound
from holders import Holders
from labtools import counters, other, qx, stays, wait_for
from pairs import QUICK, events, outage, pair, probing, ready

BLOCKED, AGAIN = "Advertisements are blocked", "Advertisements arrive again"


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with pair("bl", tmp_path_factory.mktemp("blocked"), QUICK) as lab:
        yield lab


def told(lab: Lab, unit: str, name: str) -> int:
    return sum(event["name"] == name for event in events(lab, unit))


def test_blocked_multicast_moves_no_role(quick: Lab) -> None:
    """R9, R10: the Backup stays Backup, both units say that it is deaf, one event tells of it; a Master that
    dies meanwhile is missed all the same."""
    master = ready(quick)
    backup = other(master)
    with Holders(quick) as holders, probing(quick) as probe:
        since = time.monotonic()
        quick.mute(master)
        wait_for(lambda: qx(quick, backup)["vrrp"]["block"] == "alive", 5.0, "the Backup knows why")
        wait_for(lambda: qx(quick, master)["peer"]["deaf"], 3.0, "the Master knows that it is not heard")
        stays(lambda: holders.now() == [master], 1.0, "the Master is Master")
        assert qx(quick, backup)["role"] == "backup" and counters(quick, backup)["inquiries_answered"] > 3
        assert told(quick, backup, BLOCKED) == 1
        quick.mend(master)
        wait_for(lambda: qx(quick, backup)["vrrp"]["block"] == "none", 5.0, "advertisements are heard")
        wait_for(lambda: told(quick, backup, AGAIN) == 1, 3.0, "it is told")
        assert holders.held_throughout(master, since)
        quick.mute(master)
        wait_for(lambda: qx(quick, backup)["vrrp"]["block"] == "alive", 5.0, "blocked once more")
        moment = time.monotonic()
        quick.power_off(master)
        silence = outage(probe, moment)
        assert holders.now() == [backup] and holders.overlap() == 0
        print(f"a Master that died behind blocked advertisements: silent for {silence:.0f} ms")
        assert silence < bound(300, 1500)
    quick.mend(master)
    quick.power_on(master)
    assert ready(quick) == backup
