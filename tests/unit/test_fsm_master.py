# SPDX-License-Identifier: Apache-2.0
"""R3, R10: the state machine's rows for a Master, and the two events that the RFCs do not know.

The rows for Initialize and Backup, and the timers' table, are in test_fsm.py.
"""

from __future__ import annotations

from typing import Any

import pytest
from machine import (
    ADVERT,
    BACKUP,
    BECOME_MASTER,
    DOWN,
    INITIALIZE,
    MASTER,
    MS,
    RELEASE,
    SECOND,
    backup,
    initialize,
    master,
)

both_versions = pytest.mark.parametrize("version", [2, 3])


# --- Master: shutdown and timer ---------------------------------------------------------------------------
@both_versions
def test_shutdown_of_a_master_releases(version: int) -> None:
    """R3, R11: priority 0 is sent, and the address is gone by then; the late Adver_Timer is harmless."""
    machine = master(version=version)
    assert machine.shutdown() == [DOWN, RELEASE]
    assert (machine.state, machine.waits) == (INITIALIZE, None)
    assert machine.wait(100 * SECOND).timer() == []


@both_versions
def test_adver_timer_advertises(version: int) -> None:
    """R3: at its time, not a nanosecond before, once an interval."""
    machine = master(version=version)
    assert machine.wait(SECOND - 1).timer() == []
    for _ in range(5):
        assert machine.wait_for_timer().timer() == [ADVERT]
        assert machine.timer() == []
        assert (machine.state, machine.waits) == (MASTER, SECOND)


def test_lateness_does_not_add_up() -> None:
    """R3: the next advertisement is due an interval after the last was due, not after it was sent."""
    machine = master()
    assert machine.wait(SECOND + 20 * MS).timer() == [ADVERT]
    assert machine.waits == SECOND - 20 * MS


@pytest.mark.parametrize("late", [SECOND, SECOND + 1, 3600 * SECOND])
def test_no_burst_catches_up(late: int) -> None:
    """R3: after missed intervals there is one advertisement, and the next one an interval later."""
    machine = master().wait_for_timer().wait(late)
    assert machine.timer() == [ADVERT]
    assert machine.timer() == []
    assert machine.waits == SECOND


# --- Master: advertisements -------------------------------------------------------------------------------
@both_versions
@pytest.mark.parametrize("answer_lower", [True, False])
def test_a_master_answers_a_release(version: int, answer_lower: bool) -> None:
    """R3: priority 0: advertise at once, Adver_Timer anew."""
    machine = master(version=version, answer_lower=answer_lower).wait(SECOND // 2)
    assert machine.advert(0, "255.255.255.255") == [ADVERT]
    assert (machine.state, machine.waits) == (MASTER, SECOND)


YIELDS = {
    "higher": (101, "10.0.0.1"),
    "owner": (255, "10.0.0.1"),
    "equal from a higher address": (100, "10.0.0.3"),
    "equal, 200.x is above 10.x": (100, "200.0.0.1"),
    "higher from a higher address": (101, "10.0.0.3"),
}
STAYS = {
    "lower": (99, "10.0.0.1"),
    "lower from a higher address": (99, "200.0.0.1"),
    "equal from a lower address": (100, "10.0.0.1"),
    "equal from 9.255.255.255": (100, "9.255.255.255"),
    "equal from our own address": (100, "10.0.0.2"),
}


@both_versions
@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize("theirs", YIELDS.values(), ids=YIELDS)
def test_a_master_yields(version: int, preempt: bool, theirs: Any) -> None:
    """R3: to a higher priority, or an equal one from a higher address; Preempt_Mode is not asked."""
    machine = master(version=version, preempt=preempt, answer_lower=True).wait(SECOND // 2)
    assert machine.advert(*theirs) == [DOWN], "no packet, and no announcement"
    assert (machine.state, machine.waits) == (BACKUP, 3_609_375_000)


@both_versions
@pytest.mark.parametrize("theirs", STAYS.values(), ids=STAYS)
def test_a_master_stays(version: int, theirs: Any) -> None:
    """R3: RFC 3768 and 5798 discard what is lower, RFC 9568 answers it; Adver_Timer runs on in both."""
    machine = master(version=version).wait(SECOND // 2)
    assert machine.advert(*theirs) == []
    assert (machine.state, machine.waits) == (MASTER, SECOND // 2)
    machine = master(version=version, answer_lower=True).wait(SECOND // 2)
    assert machine.advert(*theirs) == [ADVERT]
    assert (machine.state, machine.waits) == (MASTER, SECOND // 2)


@pytest.mark.parametrize(("ours", "yields"), [("200.0.0.1", False), ("10.0.0.1", True)])
def test_addresses_are_compared_unsigned(ours: str, yields: bool) -> None:
    """R3: 200.x is above 10.x and 127.x, as octets in network order."""
    machine = master(primary=ours)
    assert machine.advert(100, "127.255.255.255") == ([DOWN] if yields else [])


def test_who_yields_adopts_the_interval_in_version_3_only() -> None:
    """R3: RFC 5798 6.4.3: the new Master's interval rules the wait."""
    machine = master(version=3)
    machine.advert(200, interval=100 * MS)
    assert machine.waits == 360_937_500
    machine = master(version=2)
    machine.advert(200, interval=100 * MS)
    assert machine.waits == 3_609_375_000


# --- what is not in the RFCs ------------------------------------------------------------------------------
def test_promotion_is_that_of_master_down_timer() -> None:
    """R8: from Initialize and from Backup alike, and nothing in a Master."""
    for machine in (initialize(), backup().wait(SECOND)):
        assert machine.promote() == BECOME_MASTER
        assert (machine.state, machine.waits) == (MASTER, SECOND)
    machine.wait(SECOND // 2)
    assert (machine.promote(), machine.waits) == ([], SECOND // 2)


def test_giving_way_is_silent() -> None:
    """R10: a Master goes as if a higher one had been heard; a Backup and one that is out do nothing."""
    machine = master().wait(SECOND // 2)
    assert machine.give_way() == [DOWN]
    assert (machine.state, machine.waits) == (BACKUP, 3_609_375_000)
    machine.wait(SECOND)
    assert (machine.give_way(), machine.waits) == ([], 2_609_375_000)
    idle = initialize()
    assert (idle.give_way(), idle.state, idle.waits) == ([], INITIALIZE, None)
