# SPDX-License-Identifier: Apache-2.0
"""R3: the state machine of RFC 3768 6.4, RFC 5798 6.4 and RFC 9568 6.4, each row of its table.

The sections below follow the rows (state, event, actions in order, next state); beside each row stands what
must *not* happen. The timers are exact to the nanosecond. The rows for a Master are in test_fsm_master.py.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from machine import (
    BACKUP,
    BECOME_MASTER,
    DOWN,
    INITIALIZE,
    MASTER,
    MS,
    SECOND,
    backup,
    initialize,
    master,
)

from _qx import lib

both_versions = pytest.mark.parametrize("version", [2, 3])


# --- timers ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("version", "priority", "interval_ms", "skew_ms", "master_down_ms"),
    [
        (2, 100, "1000", "609.375", "3609.375"),
        (2, 254, "1000", "7.8125", "3007.8125"),
        (2, 1, "1000", "996.09375", "3996.09375"),
        (2, 100, "255000", "609.375", "765609.375"),
        (3, 100, "1000", "609.375", "3609.375"),
        (3, 100, "100", "60.9375", "360.9375"),
        (3, 100, "10", "6.09375", "36.09375"),
        (3, 254, "10", "0.078125", "30.078125"),
        (3, 1, "40950", "40790.0390625", "163640.0390625"),
        (2, 253, "1000", "11.71875", "3011.71875"),  # a listener of a pair
        (3, 255, "10", "0.0390625", "30.0390625"),
    ],
)
def test_timers(version: int, priority: int, interval_ms: str, skew_ms: str, master_down_ms: str) -> None:
    """R3: Skew_Time and Master_Down_Interval are exact; what a nanosecond cannot hold is cut off."""

    def ns(text: str) -> int:
        return int(Fraction(text) * MS)

    assert lib.qx_skew_time(version, priority, ns(interval_ms)) == ns(skew_ms)
    assert lib.qx_master_down_interval(version, priority, ns(interval_ms)) == ns(master_down_ms)
    machine = backup(version=version, priority=priority, interval=ns(interval_ms)) if priority < 255 else None
    assert machine is None or machine.waits == ns(master_down_ms)


# --- Initialize -----------------------------------------------------------------------------------------
@both_versions
def test_startup_of_an_owner_makes_a_master(version: int) -> None:
    """R3: priority 255: advertisement, address, announcement, in this order; Adver_Timer."""
    machine = initialize(version=version, priority=255)
    assert machine.startup() == BECOME_MASTER
    assert (machine.state, machine.waits) == (MASTER, SECOND)


@both_versions
@pytest.mark.parametrize("priority", [1, 100, 254])
def test_startup_of_anyone_else_makes_a_backup(version: int, priority: int) -> None:
    """R3: below 255: silently Backup, with its own interval as the Master's."""
    machine = initialize(version=version, priority=priority)
    assert machine.startup() == []
    assert machine.state == BACKUP
    assert machine.c.master_interval == SECOND
    assert machine.waits == lib.qx_master_down_interval(version, priority, SECOND)


@pytest.mark.parametrize("priority", [0, 1, 100, 254, 255])
def test_initialize_hears_nothing(priority: int) -> None:
    """R3: in Initialize an advertisement, the timer and Shutdown do nothing."""
    machine = initialize(version=3)
    assert machine.advert(priority, interval=2 * SECOND) == []
    assert machine.wait(1000 * SECOND).timer() == []
    assert machine.shutdown() == []
    assert (machine.state, machine.waits) == (INITIALIZE, None)


@both_versions
def test_startup_happens_once(version: int) -> None:
    """R3: a second Startup changes neither a Backup nor a Master."""
    machine = backup(version=version)
    machine.wait(SECOND)
    before = machine.waits
    assert machine.startup() == []
    assert (machine.state, machine.waits) == (BACKUP, before)
    machine = master(version=version).wait(SECOND // 2)
    assert machine.startup() == []
    assert (machine.state, machine.waits) == (MASTER, SECOND // 2)


# --- Backup: shutdown and timer -------------------------------------------------------------------------
@both_versions
def test_shutdown_of_a_backup_is_silent(version: int) -> None:
    """R3: no packet; the timer is cancelled and its late expiry is harmless."""
    machine = backup(version=version)
    assert machine.shutdown() == []
    assert (machine.state, machine.waits) == (INITIALIZE, None)
    assert machine.wait(1000 * SECOND).timer() == []
    assert machine.state == INITIALIZE


@both_versions
def test_master_down_timer_makes_a_master(version: int) -> None:
    """R3: advertisement first, so that an old Master lets go, then the address, then its announcement."""
    machine = backup(version=version).wait_for_timer()
    assert machine.timer() == BECOME_MASTER
    assert (machine.state, machine.waits) == (MASTER, SECOND)


@both_versions
def test_master_down_timer_does_nothing_before_its_time(version: int) -> None:
    """R3: one nanosecond early is early."""
    machine = backup(version=version)
    deadline = machine.c.deadline
    assert machine.wait_for_timer().wait(-1).timer() == []
    assert (machine.state, machine.c.deadline) == (BACKUP, deadline)


def test_a_new_master_advertises_at_its_own_interval() -> None:
    """R3: version 3: what it adopted as Backup is forgotten when it becomes Master."""
    machine = backup(version=3, interval=SECOND)
    machine.advert(200, interval=30 * MS)
    assert machine.wait_for_timer().timer() == BECOME_MASTER
    assert machine.waits == machine.c.master_interval == SECOND


# --- Backup: advertisements -------------------------------------------------------------------------------
@both_versions
@pytest.mark.parametrize("preempt", [True, False])
def test_priority_zero_shortens_the_wait_to_skew_time(version: int, preempt: bool) -> None:
    """R3: a Master that stops is followed after Skew_Time; its interval is not adopted."""
    machine = backup(version=version, preempt=preempt)
    machine.wait(SECOND)
    assert machine.advert(0, interval=50 * MS) == []
    assert (machine.state, machine.waits) == (BACKUP, 609_375_000)
    assert machine.c.master_interval == SECOND


@both_versions
@pytest.mark.parametrize(
    ("preempt", "priority"), [(False, 1), (False, 99), (True, 100), (True, 101), (True, 255)]
)
def test_an_advertisement_starts_the_wait_anew(version: int, preempt: bool, priority: int) -> None:
    """R3: Preempt_Mode False: any priority; True: ours or higher."""
    machine = backup(version=version, preempt=preempt)
    machine.wait(3 * SECOND)
    assert machine.advert(priority) == []
    assert (machine.state, machine.waits) == (BACKUP, 3_609_375_000)


@both_versions
@pytest.mark.parametrize("priority", [1, 99])
def test_a_lower_advertisement_is_not_heard_by_one_that_preempts(version: int, priority: int) -> None:
    """R3: Preempt_Mode True: the timer keeps running, and its expiry preempts."""
    machine = backup(version=version, preempt=True)
    machine.wait(3 * SECOND)
    assert machine.advert(priority, interval=50 * MS) == []
    assert (machine.waits, machine.c.master_interval) == (609_375_000, SECOND)
    assert machine.wait_for_timer().timer() == BECOME_MASTER


@both_versions
def test_an_owner_preempts_whatever_its_mode(version: int) -> None:
    """R3: an owner that had to yield is not held by a lower one, though Preempt_Mode is False."""
    machine = initialize(version=version, priority=255, primary="10.0.0.1")
    machine.startup()
    assert machine.advert(255, "10.0.0.2") == [DOWN]
    waits = machine.wait(SECOND).waits
    assert machine.advert(254) == []
    assert (machine.state, machine.waits) == (BACKUP, waits)
    assert machine.wait_for_timer().timer() == BECOME_MASTER


def test_version_3_adopts_the_masters_interval() -> None:
    """R3: RFC 5798 6.4.2: three of its intervals and the skew of one of them."""
    machine = backup(version=3)
    assert machine.advert(200, interval=100 * MS) == []
    assert (machine.c.master_interval, machine.waits) == (100 * MS, 360_937_500)
    assert machine.advert(0) == []
    assert machine.waits == 60_937_500, "the skew is that of the adopted interval"


def test_version_2_keeps_its_interval() -> None:
    """R3: RFC 3768 has dropped an advertisement of another interval; nothing is adopted."""
    machine = backup(version=2)
    machine.advert(200, interval=100 * MS)
    assert (machine.c.master_interval, machine.waits) == (SECOND, 3_609_375_000)
