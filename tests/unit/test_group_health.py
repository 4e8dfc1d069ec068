# SPDX-License-Identifier: Apache-2.0
"""R9: a Master whose own software fails: no control plane, or a process that was not run for too long.

It gives way where somebody active would take over; otherwise that would only take the telephone away.
"""

from __future__ import annotations

import pytest
from machine import BACKUP, INITIALIZE, MS, SECOND
from pair_simulator import Pair
from simulated_unit import LEASE

from _qx import lib


# --- the lease of a Master ----------------------------------------------------------------------------------
def test_a_master_without_control_plane_gives_way_to_an_active_backup() -> None:
    """R9: the lease ran out: with words, and it takes no part until its control plane is back."""
    pair = Pair()
    pair.settled(pair.a)
    pair.a.control = False
    pair.run(LEASE - SECOND)
    assert pair.masters == [pair.a]
    pair.until(lambda: pair.b.is_master, within=SECOND + 12 * MS)
    assert (pair.a.state, pair.a.log[-1][2]) == (INITIALIZE, lib.QX_CAUSE_CONTROL)
    pair.b.power_off()
    pair.a.set_carrier(False)
    pair.a.set_carrier(True)
    pair.run(20 * SECOND)
    assert (pair.masters, pair.a.state) == ([], INITIALIZE)


@pytest.mark.parametrize("why", ["nobody", "passive", "unarmed"])
def test_a_master_without_control_plane_and_without_backup_stays(why: str) -> None:
    """R9: letting go would only take the telephone away; with an active Backup back, it gives way."""
    pair = Pair()
    pair.settled(pair.a)
    if why == "nobody":
        pair.b.power_off()
    elif why == "passive":
        pair.b.set_passive(True)
    else:
        pair.b.armed = False
    pair.run(5 * SECOND)
    pair.a.control = False
    pair.run(60 * SECOND)
    assert pair.masters == [pair.a]
    pair.b.armed, pair.b.passive = True, False
    pair.b.power_off()
    pair.b.boot()
    pair.until(lambda: pair.b.is_master, within=10 * SECOND)


# --- lateness -----------------------------------------------------------------------------------------------
PATIENCE = 3_011_718_750  # of a listener at 1 s


def test_a_short_pause_is_none() -> None:
    """R9: less than the peer waits: the advertisement is late, and that is all."""
    pair = Pair()
    pair.settled(pair.a)
    pair.a.freeze(PATIENCE - SECOND - MS)
    pair.run(10 * SECOND)
    assert (pair.masters, len(pair.a.log)) == ([pair.a], 2)


def test_a_late_master_finds_another_in_its_queue() -> None:
    """R9: it was away for longer than the peer waits: it goes without a packet, whatever the priorities."""
    pair = Pair()
    pair.settled(pair.a)
    pair.a.freeze(10 * SECOND)
    pair.run(10 * SECOND - MS)
    assert pair.b.is_master
    pair.run(MS)
    assert (pair.masters, pair.a.state) == ([pair.b], BACKUP)
    assert pair.a.log[-1][2] == lib.QX_CAUSE_LATE
    assert not [each for each in pair.a.sent if each[0] == pair.now]


def test_a_late_master_with_an_active_backup_gives_way_in_words() -> None:
    """R9: nothing is in the queue, but the Backup that was there has taken over, or is about to."""
    pair = Pair()
    pair.settled(pair.a)
    pair.b.freeze(PATIENCE + 20 * MS)
    pair.a.freeze(PATIENCE + 10 * MS)
    pair.run(PATIENCE + 15 * MS)
    assert (pair.a.state, pair.a.log[-1][2], pair.a.sent[-1][1]) == (BACKUP, lib.QX_CAUSE_LATE, 0)
    pair.run(5 * MS)
    assert pair.within_two_intervals() == [pair.b]


def test_a_late_master_gives_way_to_the_hello_of_another() -> None:
    """R9: the other Master's advertisements are lost, its hello is not."""
    pair = Pair()
    pair.settled(pair.a)
    pair.b.mute = True
    pair.a.freeze(10 * SECOND)
    pair.run(10 * SECOND)
    assert (pair.a.state, pair.a.log[-1][2], pair.a.sent[-1][1]) == (BACKUP, lib.QX_CAUSE_LATE, 0)
    pair.b.mute = False
    assert pair.within_two_intervals() == [pair.b]


@pytest.mark.parametrize("why", ["nobody", "passive", "unarmed"])
def test_a_late_master_that_knows_of_nobody_goes_on(why: str) -> None:
    """R9: with no active Backup the address stays."""
    pair = Pair()
    pair.settled(pair.a)
    if why == "nobody":
        pair.b.power_off()
    elif why == "passive":
        pair.b.set_passive(True)
    else:
        pair.b.armed = False
    pair.run(5 * SECOND)
    pair.a.freeze(10 * SECOND)
    pair.run(11 * SECOND)
    assert (pair.masters, len(pair.a.log)) == ([pair.a], 2)
    assert pair.now - pair.a.sent[-1][0] <= SECOND
